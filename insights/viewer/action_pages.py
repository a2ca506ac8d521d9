"""Pages of the live actions: the catalogue, who decides, what a challenger would have earned, the way back."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from flows.conditions import to_words, understand
from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.errors import NotFound
from insights.learning import overview, promotion
from insights.learning.collect import unit_of
from insights.models import LiveActionEntry
from insights.plans.entries import entry_of, get_entry, list_entries, spent_on
from insights.plans.shop import stored_shop
from insights.viewer.action_form import KINDS
from insights.viewer.action_form_pages import FORM as ACTIONS
from insights.viewer.action_preview import Painted, as_frame, built_in, painted, painted_entry
from insights.viewer.gate import Viewer
from insights.viewer.learning_curve import HEIGHT, LEFT, WIDTH, curve_of
from insights.viewer.page_group import PageGroup, path_id
from insights.viewer.render import root
from insights.viewer.wording import label
from insights.vocabulary.stages import Stage

FORM = "policy"
"""What the forms of these pages are signed for."""


_PARTS: Final = {"cta": "Button", "input": "Field", "items": "Products", "dismiss_label": "To close it"}
"""What people call the parts of an action's content."""


class ActionPages(PageGroup):
    """What is shown in the shop's pages, and what decides it."""

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/actions", self.actions),
            self._get("/actions/{entry}", self.action, missing="No such live action"),
            self._get("/actions/{entry}/frame", self.frame, missing="No such live action"),
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
            unit = await unit_of(tx, viewer.project_id)
        kinds = {entry.action for entry in entries}
        return self._page(
            request,
            viewer,
            "actions",
            shop=shop,
            entries=entries,
            spent=spent,
            built_in=[offer for offer in DEFAULT_CATALOGUE.offers if offer.action.value not in kinds],
            stages=tuple(Stage),
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
            kinds=KINDS,
            token=self._token(request, FORM),
        )

    async def action(self, request: Request, viewer: Viewer) -> Response:
        """One action as visitors see it, in each of its languages."""
        entry, faces = await self._faces(request, viewer)
        shown = _look(request, faces) if faces else None
        content = json.loads(shown.action)["content"] if shown is not None else {}
        words = [(_PARTS.get(name, label(name)), _said(value)) for name, value in content.items() if value]
        where = request.path_params["entry"]
        return self._page(
            request,
            viewer,
            "action",
            name=entry.name if entry is not None else label(where),
            kind=entry.action if entry is not None else where,
            text=_condition(entry),
            definition=entry.definition if entry is not None else None,
            revision=entry.version if entry is not None else "",
            form_token=self._token(request, ACTIONS),
            own=entry is not None,
            enabled=entry.enabled if entry is not None else True,
            entry_id=entry.id if entry is not None else None,
            faces=faces,
            shown=shown,
            words=words,
            frame=f"{root(request)}/actions/{where}/frame?look={quote(shown.name)}" if shown is not None else "",
        )

    async def frame(self, request: Request, viewer: Viewer) -> Response:
        """The page that the preview's frame shows: a sketch, and the SDK's own renderer."""
        _, faces = await self._faces(request, viewer)
        if not faces:
            raise NotFound("Nobody has said yet what this action looks like: write one of its kind.")
        shown = _look(request, faces)
        locale = "en" if shown.locale == "default" else shown.locale
        return as_frame(self._page(request, viewer, "frame", action=shown.action, locale=locale))

    async def _faces(self, request: Request, viewer: Viewer) -> tuple[LiveActionEntry | None, list[Painted]]:
        where = request.path_params["entry"]
        if (offer := built_in(where)) is not None:
            return None, painted(offer)
        entry_id = path_id(request, "entry", "live action")
        async with self._reader.reading(viewer.project_id) as tx:
            entry = await get_entry(tx, viewer.project_id, entry_id)
        return entry, painted_entry(entry_of(entry))

    async def policy(self, request: Request, viewer: Viewer) -> Response:
        """What a policy would have earned, estimated from what others decided."""
        policy_id = path_id(request, "policy_id", "policy")
        async with self._reader.reading(viewer.project_id) as tx:
            policy = await promotion.policy_of(tx, viewer.project_id, policy_id)
            evaluation = await promotion.judge(tx, viewer.project_id, policy_id, self._now())
            unit = await unit_of(tx, viewer.project_id)
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
            unit=unit,
            low=low,
            span=(high - low) or 1.0,
            token=self._token(request, FORM),
        )

    async def promote(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Lets a challenger decide, if the data say that it earns more."""
        policy_id = path_id(request, "policy_id", "policy")
        async with self._database.transaction(viewer.project_id) as tx:
            await promotion.promote(tx, viewer.project_id, policy_id, self._now())
        return self._to(request, "/actions", done="promoted")

    async def roll_back(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Gives the decision back to the policy that had it before."""
        async with self._database.transaction(viewer.project_id) as tx:
            await promotion.roll_back(tx, viewer.project_id, self._now())
        return self._to(request, "/actions", done="rolled_back")


def _look(request: Request, faces: list[Painted]) -> Painted:
    """The look that was asked for, or the first."""
    wanted = request.query_params.get("look", "")
    return next((face for face in faces if face.name == wanted), faces[0])


def _said(value: object) -> str:
    """A part of the content as text."""
    if isinstance(value, dict):
        return " · ".join(str(part) for name, part in value.items() if part and name not in ("href", "kind"))
    if isinstance(value, list):
        return ", ".join(str(one.get("title", "")) for one in value if isinstance(one, dict))
    return str(value)


def _condition(entry: LiveActionEntry | None) -> str:
    """When it is shown, in words."""
    when = entry.definition.get("when") if entry is not None else None
    return to_words(understand(when)) if isinstance(when, dict) else when or ""
