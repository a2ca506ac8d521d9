"""Where an order counts does not depend on which of its messages comes first: the server's, the page's, a copy."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from flows.models import Conversion
from insights.identity.together import visitors_together
from insights.models import Session
from insights.profiles.rebuild import rebuild
from tests.api.conftest import Api, api
from tests.dialects.test_orders_of_servers import rows, segment, visits
from tests.dialects.test_segment_http import close

__all__ = ["api"]

AGO = timedelta(days=3)


def in_any_order(*messages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("messages", list(itertools.permutations(messages)), ids="-".join)


async def told(api: Api, message: str, key: str) -> None:
    """One of the messages about the order of the customer u-1, placed in a visit of the device d-1."""
    at = (datetime.now(UTC).replace(second=0, microsecond=0) - AGO).isoformat()
    if message == "server":
        await segment(api, userId="u-1", key=key, timestamp=at)
    elif message == "device":
        await segment(api, userId="u-1", anonymousId="d-1", key=key, timestamp=at)
    elif message == "page":
        page = {"type": "page", "anonymousId": "d-1", "messageId": "p", "timestamp": at, "properties": {"path": "/"}}
        await api.client.post("/v1/page", auth=(key, ""), json=page)
    elif message == "refund":
        back = {"event": "Order Refunded", "userId": "u-1", "messageId": "r", "properties": {"order_id": "A-1"}}
        await api.client.post("/v1/track", auth=(api.secret, ""), json=back)
    else:
        # Somebody else, today, who guessed the number.
        page = {"type": "page", "anonymousId": "d-9", "messageId": "g", "properties": {"path": "/"}}
        await api.client.post("/v1/page", auth=(api.write, ""), json=page)
        await segment(api, anonymousId="d-9")


async def bought_once(api: Api) -> None:
    """The order is the customer's, and counts in their device's visit, which is the only one of that day."""
    await close(api)
    await visits(api)
    [sold] = await rows(api, Conversion)
    long_ago = datetime.now(UTC) - timedelta(days=2)
    [visit] = [session for session in await rows(api, Session) if session.started_at < long_ago]
    assert (visit.purchased, sold.session_id, sold.value_minor, sold.by_server) == (True, visit.id, 1250, True)
    async with api.services.database.transaction(api.project_id) as tx:
        profile = await rebuild(tx, api.project_id, visit.visitor_id)
        people = await visitors_together(tx, api.project_id, [visit.visitor_id])
    assert (profile.sessions, profile.purchases) == (1, 1)
    assert sold.visitor_id in people[visit.visitor_id]


@in_any_order("server", "device", "page")
@pytest.mark.parametrize("closed", [False, True])
async def test_an_order_is_in_its_devices_visit_whoever_tells_first(
    api: Api, messages: tuple[str, ...], closed: bool
) -> None:
    for message in (*messages, *messages):
        await told(api, message, api.secret)
        if closed:
            await close(api)
    await bought_once(api)


@in_any_order("server", "device", "page")
async def test_a_refund_that_is_told_first_changes_nothing_of_where_its_order_counts(
    api: Api, messages: tuple[str, ...]
) -> None:
    for message in ("refund", *messages):
        await told(api, message, api.secret)
    await bought_once(api)


@in_any_order("server", "device", "page", "another")
async def test_who_names_anothers_order_of_another_day_is_believed_at_no_time(
    api: Api, messages: tuple[str, ...]
) -> None:
    for message in messages:
        await told(api, message, api.secret)
    await bought_once(api)
