"""A push from a flow to a browser: through the channel that carries its kind, until the browser has unsubscribed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from adapters.postgres.engine import Database
from flows.definition import FlowDefinition
from flows.models import Delivery, Suppression
from flows.ports import Trigger
from flows.runner import Runner
from flows.starting import start_runs
from insights.channels.store import Wanted, create
from insights.channels.ways import ProjectChannels
from insights.recovery.audience import VisitorFacts
from insights.recovery.compose import MessageComposer
from insights.recovery.publish import publish_flow
from insights.sealing import Sealer
from insights.segments.knowledge import VisitorKnowledge
from tests.channels.contract.examples.push import ACCOUNT, SUBSCRIPTION, TOKEN
from tests.channels.contract.far_side import Reply, line_to, provider
from tests.recovery.test_short import tell
from tests.recovery.visitors import visitor

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEALER = Sealer([b"k" * 32])
PUSH = FlowDefinition.model_validate(
    {
        "name": "push",
        "trigger": {"on": "insight"},
        "start": "a",
        "steps": {"a": {"do": "send", "action": "send_push", "params": {"message": "cart_reminder"}}},
        "settings": {"reentry": "PT0S"},
    }
)


async def run(database: Database, project_id: UUID, visitor_id: UUID, port: int) -> Delivery:
    runner = Runner(
        database,
        channels=ProjectChannels({}, SEALER, line_to(port)),
        composer=MessageComposer(
            public_url="https://whyleft.example", shop_url="https://shop.example/", signing_secret=b"s" * 32
        ),
        facts=VisitorFacts(),
        knowledge=VisitorKnowledge(),
        clock=lambda: NOW,
    )
    trigger = Trigger("insight", str(uuid4()), str(uuid4()), visitor_id, NOW - timedelta(minutes=5), {"insight": {}})
    async with database.transaction(project_id) as tx:
        await start_runs(tx, project_id, [trigger], NOW, VisitorKnowledge())
    while await runner.run_due():
        pass
    async with database.transaction(project_id) as tx:
        return (await tx.scalars(select(Delivery).order_by(Delivery.created_at.desc()).limit(1))).one()


async def test_a_push_takes_the_channel_of_its_kind_and_ends_with_the_subscription(
    database: Database, project_id: UUID
) -> None:
    identifier = await visitor(database, project_id, consent={"marketing": True, "channels": ["push"]})
    async with database.transaction(project_id) as tx:
        apps = Wanted({"project": "shop-1234"}, {"service_account": ACCOUNT})
        await create(tx, SEALER, project_id, "fcm", "apps", apps, NOW - timedelta(hours=1))
        browsers = Wanted({"contact": "mailto:you@shop.example"}, {})
        web = await create(tx, SEALER, project_id, "web_push", "browsers", browsers, NOW)
        await publish_flow(tx, project_id, PUSH, NOW)
    await tell(database, project_id, identifier, {"push_subscription": SUBSCRIPTION})
    async with provider() as far:
        far.replies = {**TOKEN, "POST /wpush": Reply(201, b"")}
        sent = await run(database, project_id, identifier, far.port)
        # The channel of apps was set up first and carries the word; the browser's own carries this.
        assert (sent.status, sent.channel, sent.channel_id) == ("accepted", "push", web.id)
        assert [call.host for call in far.arrived] == ["updates.push.services.mozilla.com"]
        far.replies["POST /wpush"] = Reply(410, b"")
        gone = await run(database, project_id, identifier, far.port)
    assert gone.status == "suppressed"
    async with database.transaction(project_id) as tx:
        assert await tx.get(Suppression, (project_id, "push", str(gone.recipient))) is not None
