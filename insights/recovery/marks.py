"""Marks that a flow leaves on a visitor: tags put on and taken off, a segment they are added to.

Done in the send gate's own transaction: there is nothing to send, and it happens once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Done, SendRequest, Skip
from insights.errors import NotFound, Refused
from insights.segments.membership import add_visitor
from insights.segments.tags import change_tags


async def tag(tx: AsyncSession, request: SendRequest) -> Done | Skip:
    """``params``: {"tag": "vip"}, or {"set": [tags], "remove": [tags]}."""
    put_on, take_off = _listed(request.params.get("set")), _listed(request.params.get("remove"))
    if "tag" in request.params:
        put_on.append(request.params["tag"])
    if not put_on and not take_off:
        return Skip("no_tag", 'The step names no tag: give it {"tag": "…"}, or {"set": […], "remove": […]}.')
    try:
        tags = await change_tags(
            tx,
            request.project_id,
            request.visitor_id,
            put_on=put_on,
            take_off=take_off,
            by=f"run:{request.run_id}",
            now=request.now,
        )
    except (Refused, NotFound) as error:
        return Skip("tag_refused", error.detail)
    return Done(f"tags now: {', '.join(tags) or 'none'}")


async def add_to_segment(tx: AsyncSession, request: SendRequest) -> Done | Skip:
    """``params``: {"segment": its name}."""
    name = request.params.get("segment")
    if not isinstance(name, str):
        return Skip("no_segment", 'The step names no segment: give it {"segment": "…"}.')
    try:
        added = await add_visitor(tx, request.project_id, name, request.visitor_id, request.now)
    except NotFound as error:
        return Skip("no_segment", error.detail)
    return Done(f"{'added to' if added else 'was already added to'} {name}")


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []
