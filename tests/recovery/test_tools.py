"""What other tools are told by a flow: of whom, with whose consent, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.channels.ads.meta import MetaAudience, MetaConversions
from adapters.channels.contract import Accepted, SendIntent
from adapters.channels.kinds import open_channel
from adapters.postgres.engine import Database
from flows.ports import Done
from insights.conditions.consent import consents
from insights.models import ChannelSetup, Segment
from insights.recovery.publish import publish_starter_flows
from insights.recovery.starter import starter_flows
from tests.channels.contract.far_side import Reply, line_to, provider
from tests.recovery.sessions import START
from tests.recovery.test_compose import compose, composed, skipped
from tests.recovery.visitors import visitor

ADS = {"marketing": True, "channels": ["email", "ads"]}


async def channel(database: Database, project_id: UUID, word: str, name: str, kind: str = "x") -> None:
    async with database.transaction(project_id) as tx:
        tx.add(
            ChannelSetup(
                project_id=project_id,
                id=uuid4(),
                kind=kind,
                word=word,
                name=name,
                settings={},
                credentials=b"",
                enabled=True,
                created_at=START,
                updated_at=START,
                failures=0,
            )
        )


def test_ads_must_be_agreed_to_by_name() -> None:
    assert consents({"marketing": True}, "email")
    assert not consents({"marketing": True}, "ads")
    assert not consents({"marketing": True, "channels": ["email"]}, "ads")
    assert not consents({"marketing": False, "channels": ["ads"]}, "ads")
    assert consents(ADS, "ads")


async def test_ad_platforms_hear_only_of_who_agreed_and_what_they_left(database: Database, project_id: UUID) -> None:
    silent = await visitor(database, project_id)
    assert skipped(await compose(database, project_id, silent, "trigger_retargeting", {})) == "no_consent"
    agreed = await visitor(database, project_id, consent=ADS)
    message = composed(await compose(database, project_id, agreed, "trigger_retargeting", {"event": "AddToCart"}))
    assert (message.channel, message.needs_consent) == ("ads", True)
    assert (message.content["event"], message.content["value_minor"]) == ("AddToCart", 2900)
    # What was composed is what the channels take.
    now = datetime.fromisoformat(message.content["at"]).astimezone(UTC)
    async with provider() as far:
        far.replies = {
            "POST /v24.0/12345/events": Reply(200, {"events_received": 1}),
            "POST /v24.0/67890/users": Reply(200, {"num_received": 1, "num_invalid_entries": 0}),
        }
        line = line_to(far.port)
        line._clock = lambda: now
        secrets = {"access_token": "a-token-of-meta"}
        for kind, settings in ((MetaConversions, {"pixel_id": "12345"}), (MetaAudience, {"audience_id": "67890"})):
            opened = open_channel(kind.kind, settings, secrets, line)
            result = await opened.send(SendIntent("k", message.recipient, dict(message.content)))
            assert isinstance(result, Accepted), result


async def test_leaving_an_audience_needs_no_consent(database: Database, project_id: UUID) -> None:
    silent = await visitor(database, project_id, consent={"marketing": False})
    message = composed(await compose(database, project_id, silent, "trigger_retargeting", {"do": "remove"}))
    assert (message.content["do"], message.needs_consent) == ("remove", False)


async def test_a_task_says_who_left_and_why_and_where_to_look(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    message = composed(await compose(database, project_id, identifier, "create_crm_task", {"priority": "high"}))
    assert (message.channel, message.recipient) == ("crm", "anna@example.com")
    assert message.content["title"] == "Anna@Example.com left: price hesitation"
    assert "/app/sessions/" in message.content["body"]
    own = {"title": "Call {{ first_name }}{{ who }}", "body": "{{ total }}"}
    message = composed(await compose(database, project_id, identifier, "create_crm_task", own))
    assert message.content["title"].startswith("Call ")
    properties = {"properties": {"last_reason": "{{ reason }}", "visits": 3}}
    message = composed(await compose(database, project_id, identifier, "create_crm_task", properties))
    assert message.content == {"do": "properties", "properties": {"last_reason": "price hesitation", "visits": 3}}
    broken = {"title": "{{ nobody_knows }}"}
    assert skipped(await compose(database, project_id, identifier, "create_crm_task", broken)) == "message_broken"


@pytest.mark.parametrize(
    ("params", "reason"), [({"mode": "never"}, "bad_step"), ({"days": 0}, "bad_step"), ({"days": "many"}, "bad_step")]
)
async def test_quiet_that_is_none_is_refused(
    database: Database, project_id: UUID, params: dict[str, Any], reason: str
) -> None:
    identifier = await visitor(database, project_id)
    assert skipped(await compose(database, project_id, identifier, "suppress_messages", params)) == reason


async def test_the_mail_service_is_told_until_when_to_be_quiet(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, consent={})
    message = composed(await compose(database, project_id, identifier, "suppress_messages", {"days": 3}))
    assert (message.channel, message.content["do"]) == ("esp", "quiet")
    assert (datetime.fromisoformat(message.content["until"]) - START).days == 3
    nobody = await visitor(database, project_id, email=None)
    assert composed(await compose(database, project_id, nobody, "suppress_messages", {})).content["user_id"]


async def test_a_tag_goes_on_the_shops_own_customer_where_a_shop_is_connected(
    database: Database, project_id: UUID
) -> None:
    identifier = await visitor(database, project_id)
    params = {"tag": "left-over-price", "remove": ["new"]}
    assert isinstance(await compose(database, project_id, identifier, "tag_customer", params), Done)
    await channel(database, project_id, "shop", "our-shop")
    message = composed(await compose(database, project_id, identifier, "tag_customer", params))
    assert message.channel == "shop"
    assert message.content == {
        "do": "tag",
        "email": "anna@example.com",
        "set": ["left-over-price"],
        "remove": ["new"],
    }


async def test_who_joins_a_segment_joins_the_audience_that_the_step_names(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, consent=ADS)
    async with database.transaction(project_id) as tx:
        tx.add(
            Segment(
                project_id=project_id,
                id=uuid4(),
                name="price-minded",
                description="",
                version=1,
                created_at=START,
                updated_at=START,
            )
        )
    params: dict[str, Any] = {"segment": "price-minded"}
    assert isinstance(await compose(database, project_id, identifier, "add_to_segment", params), Done)
    await channel(database, project_id, "ads", "lookalikes")
    await channel(database, project_id, "esp", "klaviyo")
    joined = composed(
        await compose(database, project_id, identifier, "add_to_segment", params | {"channel": "lookalikes"})
    )
    assert (joined.channel, joined.content["do"]) == ("ads", "add")
    told = composed(await compose(database, project_id, identifier, "add_to_segment", params | {"channel": "klaviyo"}))
    assert told.content["properties"] == {"whyleft_segment_price_minded": True}
    missing = await compose(database, project_id, identifier, "add_to_segment", params | {"channel": "nobody"})
    assert skipped(missing) == "channel_not_configured"


async def test_a_data_platform_gets_the_facts_as_an_event_without_addresses(
    database: Database, project_id: UUID
) -> None:
    identifier = await visitor(database, project_id)
    await channel(database, project_id, "cdp", "segment")
    params = {"type": "Visit Explained", "channel": "segment"}
    message = composed(await compose(database, project_id, identifier, "call_webhook", params))
    assert (message.channel, message.content["event"]) == ("cdp", "Visit Explained")
    assert message.content["properties"]["insight"]["reason"] == "price_hesitation"
    assert "example.com" not in str(message.content["user_id"]) + str(message.content["anonymous_id"])


async def test_a_ticket_says_how_many_sessions_met_the_error(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    assert composed(await compose(database, project_id, identifier, "create_ticket", {})).content["sessions"] == 1


async def test_a_purchase_is_quiet_in_the_mail_service_that_is_connected(database: Database, project_id: UUID) -> None:
    async with database.transaction(project_id) as tx:
        assert await publish_starter_flows(tx, project_id, START) == len(starter_flows())
    await channel(database, project_id, "esp", "braze")
    async with database.transaction(project_id) as tx:
        assert await publish_starter_flows(tx, project_id, START) == len(starter_flows()) + 1
