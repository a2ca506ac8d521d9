"""Handlers of the live actions: the catalogue, who decides, what a challenger would have earned, the way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from adapters.postgres.engine import Database
from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.errors import WhyleftError
from insights.learning import overview, promotion
from insights.learning.collect import unit_of
from insights.plans.entries import list_entries, spent_on
from insights.plans.shop import stored_shop
from insights.viewer.form import read_form
from insights.viewer.gate import FOREIGN_FORM, Gate, Viewer
from insights.viewer.learning_curve import HEIGHT, LEFT, WIDTH, curve_of
from insights.viewer.reading import Reader
from insights.viewer.render import page, root

FORM = "policy"
"""What the forms of these pages are signed for."""


class ActionPages:
    """What is shown in the shop's pages, and what decides it."""

    def __init__(
        self,
        database: Database,
        reader: Reader,
        *,
        gate: Gate,
        templates: Environment,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._reader = reader
        self._gate = gate
        self._templates = templates
        self._clock = clock

    async def actions(self, request: Request) -> Response:
        """The catalogue, the shop's own figures, who decides and how the learning came on."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        now = self._clock()
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
        return page(
            self._templates,
            request,
            "actions",
            now,
            viewer=viewer,
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
            token=self._gate.token(request, FORM),
        )

    async def policy(self, request: Request) -> Response:
        """What a policy would have earned, estimated from what others decided."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        policy_id = _policy_id(request)
        if policy_id is None:
            return self._say(request, viewer, 404, "No such policy", "Check the address, or begin at the live actions.")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                policy = await promotion.policy_of(tx, viewer.project_id, policy_id)
                evaluation = await promotion.judge(tx, viewer.project_id, policy_id, self._clock())
        except WhyleftError as error:
            return self._say(request, viewer, error.status, "No such policy", error.detail)
        bounds = [
            bound
            for one in (evaluation.earned, *evaluation.estimates)
            for bound in (one.low, one.high)
            if abs(bound) != float("inf")
        ]
        low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
        return page(
            self._templates,
            request,
            "policy",
            self._clock(),
            viewer=viewer,
            policy=policy,
            evaluation=evaluation,
            low=low,
            span=(high - low) or 1.0,
            token=self._gate.token(request, FORM),
        )

    async def promote(self, request: Request) -> Response:
        """Lets a challenger decide, if the data say that it earns more."""
        viewer, refusal = await self._signed(request)
        if viewer is None or refusal is not None:
            return refusal or self._gate.to_login_plainly(request)
        policy_id = _policy_id(request)
        if policy_id is None:
            return self._say(request, viewer, 404, "No such policy", "Check the address, or begin at the live actions.")
        try:
            async with self._database.transaction(viewer.project_id) as tx:
                await promotion.promote(tx, viewer.project_id, policy_id, self._clock())
        except WhyleftError as error:
            return self._say(request, viewer, error.status, "Nothing was changed", error.detail)
        return RedirectResponse(f"{root(request)}/actions#policy", status_code=303)

    async def roll_back(self, request: Request) -> Response:
        """Gives the decision back to the policy that had it before."""
        viewer, refusal = await self._signed(request)
        if viewer is None or refusal is not None:
            return refusal or self._gate.to_login_plainly(request)
        try:
            async with self._database.transaction(viewer.project_id) as tx:
                await promotion.roll_back(tx, viewer.project_id, self._clock())
        except WhyleftError as error:
            return self._say(request, viewer, error.status, "Nothing was changed", error.detail)
        return RedirectResponse(f"{root(request)}/actions#policy", status_code=303)

    async def _signed(self, request: Request) -> tuple[Viewer | None, Response | None]:
        """Who sent a form of ours; an answer where it is not ours."""
        form = await read_form(request)
        viewer = await self._gate.viewer(request)
        if viewer is not None and not self._gate.is_ours(request, FORM, form.get("token", "")):
            return viewer, self._say(request, viewer, 403, "Nothing was changed", FOREIGN_FORM)
        return viewer, None

    def _say(self, request: Request, viewer: Viewer, status: int, title: str, text: str) -> Response:
        return page(
            self._templates, request, "message", self._clock(), status=status, viewer=viewer, title=title, text=text
        )


def _policy_id(request: Request) -> UUID | None:
    try:
        return UUID(request.path_params["policy_id"])
    except ValueError:
        return None
