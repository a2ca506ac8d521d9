"""What stopped and waits for a human: flow runs that gave up, to put back to work, and messages nobody can say of."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from flows import dead_letters
from flows.models import Delivery, FlowRun
from insights.errors import Conflict, NotFound, Refused
from insights.viewer.flow_reads import flow_names
from insights.viewer.gate import Viewer
from insights.viewer.page_group import PageGroup, path_id
from insights.vocabulary.page_end import PageEnd, read_page_end
from insights.vocabulary.session_group import PREFIX as SESSION_GROUP

FORM: Final = "dead runs"
"""What the forms of these pages are signed for."""

AT_ONCE: Final = 50


class StuckPages(PageGroup):
    """Runs that gave up and messages whose fate is unknown, each with what can be done."""

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/runs/dead", self.dead),
            self._post("/runs/dead/replay", self.replay_all, form=FORM, refused="No run was put back to work"),
            self._post("/runs/{run_id}/replay", self.replay, form=FORM, refused="The run was not put back to work"),
            self._get("/messages/unknown", self.unknown),
        ]

    async def dead(self, request: Request, viewer: Viewer) -> Response:
        """The runs that gave up, the latest first, of one flow or of all."""
        flow_id = _flow(request.query_params.get("flow", ""))
        before = read_page_end(request.query_params.get("before", ""))
        async with self._reader.reading(viewer.project_id) as tx:
            found = await dead_letters.dead_runs(
                tx, viewer.project_id, flow_id=flow_id, before=before, limit=AT_ONCE + 1
            )
            by_flow = await _dead_by_flow(tx, viewer.project_id)
            names = await flow_names(tx, viewer.project_id)
            visits = await _visits(tx, viewer.project_id, [run.id for run in found])
        shown = found[:AT_ONCE]
        return self._page(
            request,
            viewer,
            "dead_runs",
            runs=[(run, visits.get(run.id)) for run in shown],
            flow=flow_id,
            by_flow=[(of, names.get(str(of), "a flow"), count) for of, count in by_flow],
            total=sum(count for of, count in by_flow if flow_id in (None, of)),
            most=dead_letters.MOST_AT_ONCE,
            first=before is None,
            older=str(PageEnd(shown[-1].died_at, shown[-1].id)) if len(found) > AT_ONCE else "",
            token=self._token(request, FORM),
        )

    async def replay_all(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Puts the runs of one flow, or all, back to work."""
        flow_id = _flow(form.get("flow", ""))
        async with self._database.transaction(viewer.project_id) as tx:
            await dead_letters.replay(tx, viewer.project_id, self._now(), flow_id=flow_id)
        return self._to(request, "/runs/dead", done="at_work")

    async def replay(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Puts one back to work where it stood."""
        run_id = path_id(request, "run_id", "run")
        async with self._database.transaction(viewer.project_id) as tx:
            run = await tx.get(FlowRun, (viewer.project_id, run_id))
            if run is None:
                raise NotFound(f"There is no run {run_id} in this project.")
            if await dead_letters.replay(tx, viewer.project_id, self._now(), run_id=run_id) == 0:
                raise Conflict(f"This run is {run.status}; only those that gave up are put back to work.")
        return self._to(request, "/runs/dead", done="at_work")

    async def unknown(self, request: Request, viewer: Viewer) -> Response:
        """The messages of which nobody can say whether they went out, the latest first."""
        before = read_page_end(request.query_params.get("before", ""))
        query = (
            select(Delivery)
            .where(Delivery.project_id == viewer.project_id, Delivery.status == "unknown", Delivery.fate.is_(None))
            .order_by(Delivery.created_at.desc(), Delivery.id.desc())
            .limit(AT_ONCE + 1)
        )
        if before is not None:
            query = query.where(tuple_(Delivery.created_at, Delivery.id) < before)
        async with self._reader.reading(viewer.project_id) as tx:
            found = (await tx.scalars(query)).all()
            visits = await _visits(tx, viewer.project_id, [one.run_id for one in found])
        shown = found[:AT_ONCE]
        return self._page(
            request,
            viewer,
            "unknown_messages",
            messages=[(one, visits.get(one.run_id)) for one in shown],
            first=before is None,
            older=str(PageEnd(shown[-1].created_at, shown[-1].id)) if len(found) > AT_ONCE else "",
        )


async def _dead_by_flow(tx: AsyncSession, project_id: UUID) -> list[tuple[UUID, int]]:
    rows = await tx.execute(
        select(FlowRun.flow_id, func.count())
        .where(FlowRun.project_id == project_id, FlowRun.status == "dead")
        .group_by(FlowRun.flow_id)
        .order_by(func.count().desc(), FlowRun.flow_id)
    )
    return [(flow_id, count) for flow_id, count in rows]


async def _visits(tx: AsyncSession, project_id: UUID, runs: list[UUID]) -> dict[UUID, UUID]:
    """Run → the session that set it going, for those that one did."""
    rows = await tx.execute(
        select(FlowRun.id, FlowRun.trigger_group).where(FlowRun.project_id == project_id, FlowRun.id.in_(runs))
    )
    return {
        run_id: UUID(group.removeprefix(SESSION_GROUP)) for run_id, group in rows if group.startswith(SESSION_GROUP)
    }


def _flow(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Refused("flow: that is no flow id. Choose one on the page.", field="flow") from None
