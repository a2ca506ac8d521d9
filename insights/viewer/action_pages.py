"""Pages of the live actions: the catalogue, who decides, what a challenger would have earned, the way back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.learning import overview, promotion
from insights.learning.collect import unit_of
from insights.plans.entries import list_entries, spent_on
from insights.plans.shop import stored_shop
from insights.viewer.gate import Viewer
from insights.viewer.learning_curve import HEIGHT, LEFT, WIDTH, curve_of
from insights.viewer.page_group import PageGroup, path_id

FORM = "policy"
"""What the forms of these pages are signed for."""


class ActionPages(PageGroup):
    """What is shown in the shop's pages, and what decides it."""

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/actions", self.actions),
            self._get("/policies/{policy_id}", self.policy, missing="No such policy"),
            self._post("/policies/rollback", self.roll_back, form=FORM),
            self._post("/policies/{policy_id}/promote", self.promote, form=FORM),
        ]

    async def actions(self, request: Request, viewer: Viewer) -> Response:
        """The catalogue, the shop's own figures, who decides and how the learning came on."""
        now = self._now()
        async with self._reader.reading(viewer.project_id) as tx:
            shop = await stored_shop(tx, viewer.project_id)
            entries = await list_entries(tx, viewer.project_id)
            spent = await spent_on(tx, viewer.project_id, now)
            policies = await overview.policies_of(tx, viewer.project_id)
            standing = await overview.standing_of(tx, viewer.project_id)
            points = await overview.curve_of(tx, viewer.project_id)
            changes = await overview.changes_of(tx, viewer.project_id)
            unit = (await unit_of(tx, viewer.project_id)).name
        kinds = {entry.action for entry in entries}
        return self._page(
            request,
            viewer,
            "actions",
            shop=shop,
            entries=entries,
            spent=spent,
            built_in=[offer for offer in DEFAULT_CATALOGUE.offers if offer.action.value not in kinds],
            policies=policies,
            names={policy.id: policy.name for policy in policies},
            standing=standing,
            decisions=sum(point.decisions for point in points),
            curve=curve_of(points, unit),
            width=WIDTH,
            height=HEIGHT,
            left=LEFT,
            changes=changes,
            unit=unit,
            token=self._token(request, FORM),
        )

    async def policy(self, request: Request, viewer: Viewer) -> Response:
        """What a policy would have earned, estimated from what others decided."""
        policy_id = path_id(request, "policy_id", "policy")
        async with self._reader.reading(viewer.project_id) as tx:
            policy = await promotion.policy_of(tx, viewer.project_id, policy_id)
            evaluation = await promotion.judge(tx, viewer.project_id, policy_id, self._now())
        bounds = [
            bound
            for one in (evaluation.earned, *evaluation.estimates)
            for bound in (one.low, one.high)
            if abs(bound) != float("inf")
        ]
        low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
        return self._page(
            request,
            viewer,
            "policy",
            policy=policy,
            evaluation=evaluation,
            low=low,
            span=(high - low) or 1.0,
            token=self._token(request, FORM),
        )

    async def promote(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Lets a challenger decide, if the data say that it earns more."""
        policy_id = path_id(request, "policy_id", "policy")
        async with self._database.transaction(viewer.project_id) as tx:
            await promotion.promote(tx, viewer.project_id, policy_id, self._now())
        return self._to(request, "/actions#policy")

    async def roll_back(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Gives the decision back to the policy that had it before."""
        async with self._database.transaction(viewer.project_id) as tx:
            await promotion.roll_back(tx, viewer.project_id, self._now())
        return self._to(request, "/actions#policy")
