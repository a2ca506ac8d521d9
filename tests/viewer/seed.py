"""Fills a database with sessions as shops have them: timelines, insights, decisions, runs, deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.models import Delivery, Flow, FlowRun, FlowVersion, RunEvent
from insights.access.tokens import hash_of
from insights.models import ApiKey, Decision, Event, Insight, Project, Session, Visitor
from insights.timeline.assemble import assemble, summarise, timeline_hash
from insights.timeline.timeline import TimelineEvent
from insights.vocabulary.ids import uuid7

NOW = datetime(2026, 11, 21, 14, 5, 12, tzinfo=UTC)
SHOP = "https://shop.example"

Told = tuple[float, str, dict[str, Any]] | tuple[float, str, dict[str, Any], str]
"""Seconds since the start, type, props, and the path where it is not that of the last page."""


@dataclass(frozen=True)
class Key:
    """What a test's key stands for."""

    project_id: UUID
    project_name: str
    kind: str


class Keys:
    """Resolves keys that a test made."""

    def __init__(self) -> None:
        self._known: dict[str, Key] = {}

    async def __call__(self, key: str, /) -> Key | None:
        return self._known.get(key)

    async def make(self, database: Database, project_id: UUID, kind: str = "secret") -> str:
        """A new key of a project."""
        key = f"wl_{kind[0]}_{uuid4().hex}"
        async with database.transaction(project_id) as tx:
            project = await tx.get_one(Project, project_id)
            role = "admin" if kind == "secret" else None
            tx.add(
                ApiKey(project_id=project_id, id=uuid7(), kind=kind, role=role, prefix=key[:10], key_hash=hash_of(key))
            )
        self._known[key] = Key(project_id, project.name, kind)
        return key


@dataclass
class Visit:
    """One session to store. ``events``: see ``Told``; ``cite``: positions of the events the insight cites."""

    started_at: datetime
    events: Sequence[Told]
    visitor_id: UUID = field(default_factory=uuid4)
    email: str | None = None
    open: bool = False
    stage: str | None = "browser"
    reason: str | None = None
    kind: str = "abandoned"
    confidence: float = 0.8
    narrative: str = "They looked around and went."
    cite: Sequence[int] = ()
    suggested: Sequence[dict[str, Any]] = ()
    classifier: str = "evidence-1"
    fallback: str | None = None
    id: UUID = field(init=False)
    event_ids: list[UUID] = field(init=False)

    def __post_init__(self) -> None:
        start = int(self.started_at.timestamp() * 1000)
        self.id = uuid7(start)
        self.event_ids = [uuid7(start + int(told[0] * 1000)) for told in self.events]

    def at(self, position: int) -> datetime:
        return self.started_at + timedelta(seconds=self.events[position][0])


async def store(tx: AsyncSession, project_id: UUID, visit: Visit) -> None:
    """Writes a visit's rows."""
    path = "/"
    events = []
    for position, told in enumerate(visit.events):
        if told[1] == "page_viewed" and isinstance(told[2].get("path"), str):
            path = told[2]["path"]
        where = told[3] if len(told) == 4 else path
        events.append(
            TimelineEvent(
                id=visit.event_ids[position],
                at=visit.at(position),
                type=told[1],
                tab="a",
                seq=position,
                url=where if where.startswith("javascript:") else SHOP + where,
                props=told[2],
            )
        )
    for event in events:
        tx.add(
            Event(
                project_id=project_id,
                session_id=visit.id,
                id=event.id,
                visitor_id=visit.visitor_id,
                tab=event.tab,
                seq=event.seq,
                occurred_at=event.at,
                received_at=event.at + timedelta(milliseconds=180),
                type=event.type,
                url=event.url,
                props=dict(event.props),
            )
        )
    if await tx.get(Visitor, (project_id, visit.visitor_id)) is None:
        tx.add(
            Visitor(
                project_id=project_id,
                id=visit.visitor_id,
                first_seen_at=visit.started_at,
                email=visit.email,
                traits={},
                consent={},
            )
        )
    timeline = assemble(project_id, visit.id, visit.visitor_id, events)
    last = events[-1].at if events else visit.started_at
    row = Session(
        project_id=project_id,
        id=visit.id,
        visitor_id=visit.visitor_id,
        started_at=visit.started_at,
        last_event_at=last,
        last_received_at=last,
    )
    if visit.open:
        row.close_at = last + timedelta(hours=1)
    else:
        row.closed_at, row.close_reason, row.stage = last + timedelta(minutes=1), "ended", visit.stage
        if events:
            said = summarise(timeline)
            row.event_count, row.landing_path, row.exit_path = said.event_count, said.landing_path, said.exit_path
            row.paths, row.shown = list(said.paths), list(said.shown)
            row.purchased, row.cart_value_minor, row.currency = said.purchased, said.cart_value_minor, said.currency
            row.source, row.client = said.source, said.client
    tx.add(row)
    if visit.reason is not None:
        row.kind, row.reason = visit.kind, visit.reason
        tx.add(
            Insight(
                project_id=project_id,
                id=uuid7(),
                session_id=visit.id,
                visitor_id=visit.visitor_id,
                kind=visit.kind,
                reason=visit.reason,
                confidence=visit.confidence,
                narrative=visit.narrative,
                evidence=[str(visit.event_ids[position]) for position in visit.cite],
                suggested_actions=list(visit.suggested),
                classifier=visit.classifier,
                fallback=visit.fallback,
                timeline_hash=timeline_hash(timeline),
                created_at=last + timedelta(minutes=1, seconds=2),
            )
        )
    await tx.flush()


def decision(visit: Visit, position: int, action: str, probabilities: dict[str, float], **more: Any) -> dict[str, Any]:
    """The values of a decision made upon an event of a visit."""
    return {
        "id": uuid7(),
        "visitor_id": visit.visitor_id,
        "session_id": visit.id,
        "event_id": visit.event_ids[position],
        "decided_at": visit.at(position) + timedelta(milliseconds=4),
        "policy": "rules-1",
        "stage": "cart_adder",
        "intent": {"propensity": 0.41, "bounce_risk": 0.22, "price_sensitivity": 0.63, "affinity": {}},
        "probabilities": probabilities,
        "excluded": {},
        "action": action,
        "why": "price sensitivity 0.63 is above 0.6 at stage cart_adder",
        "latency_us": 412,
    } | more


async def run(
    tx: AsyncSession,
    project_id: UUID,
    visit: Visit,
    flow: str | Flow,
    *,
    status: str = "done",
    step: str = "mail",
    due_at: datetime | None = None,
    end_reason: str | None = "finished",
    history: Sequence[tuple[str | None, str, str]] = (),
    deliveries: Sequence[dict[str, Any]] = (),
) -> None:
    """A run that a visit's insight started, of a flow of its own, or of one that is published."""
    began = visit.at(-1) + timedelta(minutes=1, seconds=2)
    flow_id, version_id, run_id = uuid4(), uuid4(), uuid4()
    if isinstance(flow, Flow):
        flow_id, version_id = flow.id, flow.version_id or version_id
    else:
        tx.add(Flow(project_id=project_id, id=flow_id, name=flow, version_id=version_id, created_at=began))
        body = {"name": flow, "trigger": {"on": "insight"}, "start": "done", "steps": {"done": {"do": "exit"}}}
        version = FlowVersion(project_id=project_id, id=version_id, flow_id=flow_id, number=1, definition=body)
        version.published_at = began
        tx.add(version)
    tx.add(
        FlowRun(
            project_id=project_id,
            id=run_id,
            flow_id=flow_id,
            version_id=version_id,
            visitor_id=visit.visitor_id,
            trigger_key=f"insight:{visit.id}:{visit.reason}",
            trigger_group=f"session:{visit.id}",
            triggered_at=began,
            facts={},
            exit_on_conversion=True,
            status=status,
            step=step,
            waiting=status == "waiting",
            signalled=False,
            due_at=due_at,
            attempts=0,
            started_at=began,
            ended_at=began + timedelta(seconds=3) if due_at is None else None,
            end_reason=end_reason if due_at is None else None,
        )
    )
    await tx.flush()
    for place, (at_step, what, detail) in enumerate(history):
        tx.add(
            RunEvent(
                project_id=project_id,
                run_id=run_id,
                at=began + timedelta(seconds=place),
                step=at_step,
                what=what,
                detail=detail,
            )
        )
        await tx.flush()
    for values in deliveries:
        tx.add(
            Delivery(
                **{
                    "project_id": project_id,
                    "id": uuid4(),
                    "run_id": run_id,
                    "step": step,
                    "action": "send_email",
                    "visitor_id": visit.visitor_id,
                    "channel": "email",
                    "recipient": None,
                    "dedupe_key": uuid4().hex,
                    "content": {},
                    "status": "accepted",
                    "attempts": 1,
                    "created_at": began,
                    "decided_at": began + timedelta(seconds=2),
                }
                | values
            )
        )
    await tx.flush()


def broken_checkout(started_at: datetime, **more: Any) -> Visit:
    """Someone fills a cart, gets to the checkout, and it breaks three times."""
    kettle = {"product_id": "kettle", "name": "Gooseneck kettle", "category": "kettles", "price_minor": 6900,
              "currency": "EUR"}  # fmt: skip
    return Visit(
        started_at,
        [
            (0, "page_viewed", {"path": "/", "title": "Quiet Kettle", "source": {"utm_source": "newsletter",
                "utm_medium": "email", "utm_campaign": "november"}, "client": {"viewport": "1440x900",
                "language": "en-GB", "time_zone": "Europe/Berlin"}}),
            (3, "engaged", {"ms": 3000}),
            (5, "scrolled", {"depth": 0.4, "section": "bestsellers"}),
            (6, "engaged", {"ms": 3000}),
            (8, "clicked", {"selector": "a.card-link", "role": "link", "label": "Gooseneck kettle",
                "href": SHOP + "/product/kettle"}),
            (9, "page_viewed", {"path": "/product/kettle", "title": "Gooseneck kettle"}),
            (9.2, "product_viewed", kettle),
            (14, "scrolled", {"depth": 0.8}),
            (21, "hover_hesitation", {"selector": "[data-price]", "section": "price", "ms": 2600}),
            (30, "reviews_viewed", {"product_id": "kettle", "count": 18}),
            (41, "cart_added", kettle | {"quantity": 1, "cart_value_minor": 6900}),
            (42, "action_shown", {"decision_id": "", "action": "free_shipping_banner"}),
            (44, "page_viewed", {"path": "/cart", "title": "Basket"}),
            (47, "coupon_tried", {"accepted": False}),
            (52, "page_viewed", {"path": "/checkout", "title": "Checkout"}),
            (52.5, "checkout_started", {"cart_value_minor": 6900, "currency": "EUR", "items": 1}),
            (58, "form_field", {"form": "address", "field": "postcode", "kind": "text", "focused_ms": 4100,
                "first_input_ms": 600, "refocused": 1}),
            (70, "checkout_step", {"step": "payment"}),
            (75, "request_failed", {"method": "POST", "path": "/api/checkout/pay", "status": 500, "ms": 1240}),
            (76, "js_error", {"message": "TypeError: order is undefined", "source": "checkout.js", "line": 88}),
            (79, "request_failed", {"method": "POST", "path": "/api/checkout/pay", "status": 500, "ms": 980}),
            (83, "rage_click", {"selector": "button#pay", "role": "button", "count": 5}),
            (84, "tab_hidden", {}),
            (264, "tab_returned", {"away_ms": 180000}),
            (270, "request_failed", {"method": "POST", "path": "/api/checkout/pay", "status": 502, "ms": 3020}),
            (276, "exit_intent", {"kind": "pointer"}),
            (280, "session_ended", {"reason": "closed"}),
        ],
        **{
            "reason": "technical_error",
            "confidence": 0.93,
            "email": "ada@example.org",
            "stage": "high_intent",
            "narrative": "The payment failed three times with server errors (500, 500, 502). They clicked the button "
            "again and again, came back after three minutes, tried once more and left with €69.00 in the cart.",
            "cite": [18, 20, 24, 21],
            "suggested": [{"action": "create_ticket", "params": {}},
                {"action": "send_email", "params": {"message": "it_is_fixed", "after": "ticket_fixed"}}],
        }
        | more,
    )  # fmt: skip


def buyer(started_at: datetime, **more: Any) -> Visit:
    """Someone comes back and buys at once."""
    mug = {"product_id": "mug", "name": "Morning mug", "category": "mugs", "price_minor": 1450, "currency": "EUR"}
    return Visit(
        started_at,
        [
            (0, "page_viewed", {"path": "/product/mug", "title": "Morning mug"}),
            (0.2, "product_viewed", mug),
            (12, "cart_added", mug | {"quantity": 2, "cart_value_minor": 2900}),
            (15, "page_viewed", {"path": "/checkout", "title": "Checkout"}),
            (15.4, "checkout_started", {"cart_value_minor": 2900, "currency": "EUR", "items": 2}),
            (48, "purchased", {"order_id": "A-10442", "value_minor": 2900, "currency": "EUR", "items": 2}),
            (50, "page_viewed", {"path": "/thank-you", "title": "Thank you"}),
        ],
        **{"reason": "clear_cta", "kind": "converted", "confidence": 0.74, "stage": "customer", "cite": [2, 5],
            "narrative": "From the product to the order in 48 seconds, without a detour."} | more,
    )  # fmt: skip


def browser(started_at: datetime, **more: Any) -> Visit:
    """Someone looks at a few pages and goes."""
    return Visit(
        started_at,
        [
            (0, "page_viewed", {"path": "/", "title": "Quiet Kettle"}),
            (4, "scrolled", {"depth": 0.3}),
            (20, "page_viewed", {"path": "/product/press", "title": "French press"}),
            (20.3, "product_viewed", {"product_id": "press", "name": "French press", "category": "brewers",
                "price_minor": 3900, "currency": "EUR"}),
            (66, "quick_back", {"from": "/", "to": "/product/press", "ms": 4000}),
            (70, "page_viewed", {"path": "/returns", "title": "Returns"}),
            (95, "session_ended", {"reason": "navigated"}),
        ],
        **more,
    )  # fmt: skip


async def seed_shop(database: Database, project_id: UUID, *, now: datetime = NOW) -> dict[str, Visit]:
    """A few dozen sessions; returns those that tests look at by name."""
    named = {
        "broken": broken_checkout(now - timedelta(hours=2)),
        "buyer": buyer(now - timedelta(hours=3), email="grace@example.org"),
        "open": browser(now - timedelta(minutes=6), open=True, reason=None),
        "waiting": browser(now - timedelta(minutes=30), reason=None),
    }
    named["again"] = browser(
        now - timedelta(days=1), visitor_id=named["broken"].visitor_id, email="ada@example.org",
        reason="comparison_shopping", confidence=0.61,
    )  # fmt: skip
    reasons = ["price_hesitation", "ux_friction", "trust_concern", "comparison_shopping", "distraction", "unclear"]
    others = [
        browser(now - timedelta(hours=4 + n), reason=reasons[n % 6], confidence=0.5 + (n % 5) / 10) for n in range(40)
    ]
    others += [
        buyer(now - timedelta(hours=5 + 3 * n), reason=reason, confidence=0.7)
        for n, reason in enumerate(["value_fit", "urgency", "social_proof", "returning_intent", "recommendation_match"])
    ]
    async with database.transaction(project_id) as tx:
        broken = named["broken"]
        shown = decision(
            broken,
            10,
            "free_shipping_banner",
            {"free_shipping_banner": 0.58, "discount_popup": 0.24, "do_nothing": 0.18},
            excluded={
                "cart_save": "shown in this session before",
                "identity_capture": "the e-mail address is known",
                "chat_invite": "not at this stage",
            },
        )
        broken.events[11][2]["decision_id"] = str(shown["id"])
        idle = decision(
            broken, 6, "do_nothing", {"do_nothing": 1.0}, stage="browser", why="nothing is eligible at this stage",
            excluded={"discount_popup": "not before something is in the cart"},
        )  # fmt: skip
        for visit in [*named.values(), *others]:
            await store(tx, project_id, visit)
        tx.add_all(Decision(project_id=project_id, **values) for values in (shown, idle))
        await run(
            tx, project_id, broken, "technical-error-ticket", step="ticket",
            history=[(None, "started", "technical-error-ticket"), ("ticket", "sent", "create_ticket through ticket")],
            deliveries=[{"action": "create_ticket", "channel": "ticket", "recipient": "outbox"}],
        )  # fmt: skip
        await run(
            tx, project_id, broken, "mail-when-fixed", status="waiting", step="wait_for_fix",
            due_at=now + timedelta(days=3),
            history=[(None, "started", "mail-when-fixed"), ("sorry", "skipped", "no_consent: no consent to e-mail"),
                ("wait_for_fix", "waiting", "until ticket_fixed, at most 3 days")],
            deliveries=[{"status": "rejected", "recipient": "ada@example.org",
                "error": "550 no such mailbox: check the address"}],
        )  # fmt: skip
    return named
