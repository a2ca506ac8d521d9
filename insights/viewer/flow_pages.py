"""Pages of flows: the list with results, one flow, and the builder. All they know and do goes through the flow API."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from insights.conditions.places import Place
from insights.errors import NotFound, Refused
from insights.viewer.condition_form import help_in
from insights.viewer.flow_offers import offers_of
from insights.viewer.flow_tree import Tree, tree_of, trigger_words
from insights.viewer.gate import Viewer
from insights.viewer.own_api import FORM as SCRIPT
from insights.viewer.own_api import TOKEN_HEADER, OwnApi, refusal
from insights.viewer.page_group import Desk, PageGroup, looked_at, path_id
from insights.viewer.wording import REASONS, label
from insights.vocabulary.actions import RecoveryAction

FORM: Final = "flows"
"""What the forms of these pages are signed for."""

MOST_BYTES: Final = 300_000
MOVES: Final = {
    "pause": "paused",
    "resume": "resumed",
    "archive": "archived",
    "restore": "restored",
    "publish": "published",
}
"""What can be done with a flow, and the word for that it was done."""


LABELS: Final[dict[str, Any]] = {
    "insight": "A visit ended",
    "event": "Something happened",
    "segment": "Somebody came into a segment, or left it",
    "pattern": "A pattern is found",
    "schedule": "At set times",
    "api": "A call of the API",
    "abandoned": "Left without buying",
    "converted": "Bought",
    **{action.value: label(action.value) for action in RecoveryAction},
    **{str(reason): words[0] for reason, words in REASONS.items()},
    "fields": {"kind": "Outcome", "min_confidence": "Confidence of at least, 0 to 1"},
}
"""What the builder calls the words of a definition, and its ``fields``; others are shown as they are, with spaces."""


class FlowPages(PageGroup):
    """Recovery plans: what they did, what they would do, and how they are built."""

    def __init__(self, desk: Desk, api: OwnApi) -> None:
        super().__init__(desk)
        self._api = api

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/flows", self.flows),
            self._post("/flows", self.begin, form=FORM, refused="No flow was made", again=self.flows),
            self._get("/flows/{flow_id}", self.flow, missing="No such flow"),
            self._get("/flows/{flow_id}/build", self.build, missing="No such flow"),
            self._post("/flows/{flow_id}/versions/{number}", self.take_back, form=FORM),
            self._post("/flows/{flow_id}/{move}", self.move, form=FORM),
            Route("/flows/{flow_id}/drawn", self.drawn, methods=["PUT"]),
            Route("/v1/{rest:path}", self.passed, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def flows(self, request: Request, viewer: Viewer) -> Response:
        """All flows, what started them and what they did; and flows to begin with."""
        archived = request.query_params.get("archived") == "true"
        query = "archived=true" if archived else ""
        found = (await self._api.asked(request, viewer, "GET", "/v1/flows", query=query))["flows"]
        starters = (await self._api.asked(request, viewer, "GET", "/v1/flows/starters"))["starters"]
        taken = {flow["name"] for flow in found}
        return self._page(
            request,
            viewer,
            "flows",
            flows=[(flow, *trigger_words(flow["trigger"])) for flow in found],
            archived=archived,
            starters=[(starter, trigger_words(starter["definition"].get("trigger"))[0]) for starter in starters],
            taken=taken,
            token=self._token(request, FORM),
        )

    async def begin(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A draft: empty, or one of the starters."""
        name = " ".join(form.get("name", "").split())
        if starter := form.get("starter"):
            body: dict[str, Any] = {"name": name} if name else {}
            made = await self._api.asked(request, viewer, "POST", f"/v1/flows/starters/{quote(starter, safe='')}", body)
        else:
            if not name:
                raise Refused("Give the flow a name.", field="name")
            definition = {
                "name": name,
                "trigger": {"on": "insight", "kind": "abandoned", "reasons": []},
                "start": "",
                "steps": {},
            }
            made = await self._api.asked(request, viewer, "POST", "/v1/flows", {"definition": definition})
        return self._to(request, f"/flows/{made['id']}/build")

    async def flow(self, request: Request, viewer: Viewer) -> Response:
        """One flow: its steps, what ran, what its draft would change."""
        flow_id = path_id(request, "flow_id", "flow")
        built = await self._api.asked(request, viewer, "GET", f"/v1/flows/{flow_id}")
        versions = (await self._api.asked(request, viewer, "GET", f"/v1/flows/{flow_id}/versions"))["versions"]
        figures = await self._api.ask(request, viewer, "GET", f"/v1/flows/{flow_id}/figures")
        total = figures.body["total"] if figures.ok else None
        runs = (await self._api.asked(request, viewer, "GET", "/v1/runs", query=f"flow={flow_id}&limit=20"))["runs"]
        diff = None
        if built["changed"] and versions:
            query = f"before={versions[0]['number']}&after=draft"
            diff = await self._api.asked(request, viewer, "GET", f"/v1/flows/{flow_id}/diff", query=query)
        # A flow that rests runs again as it was published last, whatever its draft says by now.
        shown = versions[0]["definition"] if versions else built["definition"]
        return self._page(
            request,
            viewer,
            "flow",
            flow=built,
            tree=tree_of(shown, () if versions else built["faults"]),
            versions=versions,
            total=total,
            counts=_counts(figures.body, built["live_version"]) if figures.ok else None,
            runs=runs,
            diff=diff,
            revision=built["revision"],
            token=self._token(request, FORM),
        )

    async def build(self, request: Request, viewer: Viewer) -> Response:
        """The visual builder: without JavaScript it shows the draft, with everything that is wrong with it."""
        flow_id = path_id(request, "flow_id", "flow")
        built = await self._api.asked(request, viewer, "GET", f"/v1/flows/{flow_id}")
        return self._page(
            request,
            viewer,
            "flow_build",
            flow=built,
            etag=f'"{built["revision"]}"',
            tree=tree_of(built["definition"], built["faults"]),
            counts=None,
            labels=LABELS,
            help=help_in(Place.FLOW),
            offers=await offers_of(self._api, request, viewer),
            api_token=self._token(request, SCRIPT),
        )

    async def move(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Publishes, pauses, resumes, archives or restores; only what was looked at."""
        flow_id, move = path_id(request, "flow_id", "flow"), request.path_params["move"]
        if move not in MOVES:
            raise NotFound("A flow is published, paused, resumed, archived or restored.")
        body = {"runs": "cancel" if form.get("runs") == "cancel" else "finish"} if move == "pause" else None
        if_match = looked_at(form)
        await self._api.asked(request, viewer, "POST", f"/v1/flows/{flow_id}/{move}", body, if_match=if_match)
        return self._to(request, f"/flows/{flow_id}" if move != "archive" else "/flows", done=MOVES[move])

    async def take_back(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Makes the draft what a version before was; only where nobody changed it meanwhile."""
        flow_id, number = path_id(request, "flow_id", "flow"), request.path_params["number"]
        if not number.isdecimal():
            raise NotFound("That is no version: they are counted from 1.")
        version = await self._api.asked(request, viewer, "GET", f"/v1/flows/{flow_id}/versions/{number}")
        body, if_match = {"definition": version["definition"]}, looked_at(form)
        await self._api.asked(request, viewer, "PUT", f"/v1/flows/{flow_id}", body, if_match=if_match)
        return self._to(request, f"/flows/{flow_id}", done="taken_back")

    async def drawn(self, request: Request) -> Response:
        """For the builder's script: a definition as a tree, with its faults, and last week's counts where asked for."""
        viewer, refused = await self._script(request)
        if viewer is None:
            return refused or refusal(401, "Your login is over.")
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > MOST_BYTES:
                return refusal(413, "The flow is too large.")
        try:
            sent = json.loads(bytes(raw))
            definition = sent["definition"]
        except (ValueError, KeyError, TypeError):
            return refusal(400, "Send a definition.")
        if not isinstance(definition, dict):
            return refusal(400, "definition: must be an object.")
        checked = await self._api.ask(request, viewer, "POST", "/v1/flows/validate", {"definition": definition})
        if not checked.ok:
            return JSONResponse(checked.body, checked.status)
        faults, counts, problem = checked.body["faults"], None, None
        if sent.get("preview") is True and checked.body["valid"]:
            previewed = await self._api.ask(request, viewer, "POST", "/v1/flows/preview", {"definition": definition})
            counts = previewed.body if previewed.ok else None
            problem = None if previewed.ok else previewed.body.get("detail", "The preview could not be made.")
        tree: Tree = tree_of(definition, faults)
        html = self._desk.templates.get_template("flow_tree.html").module.flow_tree(tree, counts, True)  # type: ignore[attr-defined]
        counted = None
        if counts is not None:
            told = ("examined", "matched", "started", "people", "reached", "complete")
            counted = {name: counts[name] for name in told}
        return JSONResponse({"html": str(html), "faults": faults, "preview": counted, "problem": problem})

    async def passed(self, request: Request) -> Response:
        """For the builder's script: the flow API itself."""
        viewer, refused = await self._script(request)
        if viewer is None:
            return refused or refusal(401, "Your login is over.")
        return self._api.passing(request, viewer)

    async def _script(self, request: Request) -> tuple[Viewer | None, Response | None]:
        """Who a script of ours asks for."""
        viewer = await self._desk.gate.viewer(request)
        if viewer is None:
            return None, refusal(401, "Your login is over. Log in again in another tab, then go on here.")
        if not self._desk.gate.is_ours(request, SCRIPT, request.headers.get(TOKEN_HEADER, "")):
            return None, refusal(403, "This page is from another login. Reload it; what was saved is kept.")
        return viewer, None


def _counts(figures: dict[str, Any], live: int | None) -> dict[str, Any] | None:
    """What the live version did, as the tree is told what a preview would do; None while nothing ran."""
    its = next((version for version in figures["versions"] if version["version"] == live), None)
    if its is None or not its["started"]:
        return None
    steps = {name: {**step, "sent": step["messages"]["sent"]} for name, step in its["steps"].items()}
    return {"started": its["started"], "examined": None, "not_started": its["not_started"], "steps": steps}
