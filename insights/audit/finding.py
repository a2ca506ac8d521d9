"""Says of one visit how far it came, where and why it ended, and which flow or live action made sense. Pure.

It is folded, scored and explained by the code that runs in the shop; only what was never exported is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from flows.definition import Branch, FlowDefinition, InsightTrigger, Send
from insights.audit.visits import Visit
from insights.classification.evidence.weigh import classify_by_evidence
from insights.classification.verdict import Verdict
from insights.decisions.decide import NO_MOMENT, Limits
from insights.decisions.eligibility import eligible, nobody_to_speak_to
from insights.decisions.moment import moment_of
from insights.decisions.plan import RULES_ONLY, Plan
from insights.intents.score import score
from insights.intents.stage import stage_of
from insights.privacy.redact import redact_path
from insights.profiles.fold import fold
from insights.profiles.pages import event_path
from insights.profiles.profile import Profile
from insights.recovery.starter import starter_flows
from insights.timeline.assemble import cart_after
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.actions import LiveAction, RecoveryAction
from insights.vocabulary.ids import ms_to_datetime, uuid7_from_key
from insights.vocabulary.reasons import Reason
from insights.vocabulary.stages import Stage

_LIMITS: Final = Limits()
_NOBODY: Final = UUID(int=0)
_CHECKOUT: Final = {"checkout_started": 1, "contact": 2, "shipping": 3, "payment": 4, "review": 5}


class Step(StrEnum):
    """How far a visit came: the furthest of these."""

    LOOKED = "looked"
    PRODUCT = "product"
    CART = "cart"
    CHECKOUT = "checkout"
    PAYMENT = "payment"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Flow:
    """A starter flow that writes to the visitor: which reasons start it, and what it gives away (0..1 of the order)."""

    name: str
    reason: Reason
    min_confidence: float
    needs_cart: bool
    gives: float

    def would_write(self, verdict: Verdict, *, cart: bool) -> bool:
        """Whether a visit that ended like this starts it and gets a message. ``cart``: something was left in one."""
        return (
            verdict.reason is self.reason
            and verdict.confidence >= self.min_confidence
            and (cart or not self.needs_cart)
        )


def mail_flows() -> tuple[Flow, ...]:
    """The flows of the starter set that send a message right after a visit."""
    return tuple(found for flow in starter_flows() if (found := _mail_flow(flow)) is not None)


def _mail_flow(flow: FlowDefinition) -> Flow | None:
    sends = [s for s in flow.steps.values() if isinstance(s, Send) and s.action == RecoveryAction.SEND_EMAIL.value]
    if not sends or not isinstance(flow.trigger, InsightTrigger) or flow.trigger.when is not None:
        # What waits for something outside (an error that gets fixed) reaches nobody by itself.
        return None
    percent = max(int(send.params.get("discount_percent", 0)) for send in sends)
    return Flow(
        flow.name,
        Reason(flow.trigger.reasons[0]),
        flow.trigger.min_confidence,
        isinstance(flow.steps[flow.start], Branch),
        percent / 100,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One visit. ``stage`` and ``place`` are those of its end; ``cart_minor`` is what it left behind, None if unknown.

    ``orders_minor``: what was ordered, by the currency of each order. ``pages``: the pages it saw. ``reason``: why it
    ended without an order; None when it has one, or nothing to go by. ``flow``: the flow that would have written;
    ``address``: there was one to write to, and no "no". ``actions``: the live actions that made sense at some moment of
    it.
    """

    visitor: str
    first_ms: int
    last_ms: int
    bought: bool
    orders_minor: Mapping[str, int]
    stage: Stage
    step: Step
    checkout: int
    pages: frozenset[str]
    place: str
    cart: bool
    cart_minor: int | None
    currency: str
    reason: Reason | None
    flow: Flow | None
    address: bool
    actions: frozenset[LiveAction]
    types: Mapping[str, int] = field(default_factory=dict)


def look(visit: Visit, flows: tuple[Flow, ...], *, threshold: float, plan: Plan = RULES_ONLY) -> Finding | None:
    """The finding of one visit of at least one happening; None for a machine's."""
    session = uuid7_from_key(visit.first_ms, f"{visit.visitor}:{visit.first_ms}")
    profile = Profile()
    actions: set[LiveAction] = set()
    types: dict[str, int] = {}
    events: list[TimelineEvent] = []
    pages: dict[str, None] = {}
    place = ""
    orders: list[Mapping[str, Any]] = []
    for number, one in enumerate(visit.happenings):
        types[one.type] = types.get(one.type, 0) + 1
        path = event_path(one.type, one.url, one.props.get("path"))
        identifier = UUID(int=number + 1)
        fold(
            profile,
            event_id=identifier,
            session_id=session,
            at_ms=one.at_ms,
            type=one.type,
            path=path,
            props=one.props,
        )
        events.append(TimelineEvent(identifier, ms_to_datetime(one.at_ms), one.type, url=one.url, props=one.props))
        if path:
            place = _page(path)
            pages[place] = None
        elif one.type == "product_viewed" and not pages and isinstance(shelf := one.props.get("category"), str):
            place = f"products in {shelf[:80]}"
        if one.type == "purchased":
            orders.append(one.props)
        if one.type not in NO_MOMENT and len(actions) < len(LiveAction) - 1:
            actions.update(_eligible(profile, one.type, path, one.at_ms, plan))
    if profile.bot:
        return None
    intent = score(profile, visit.last_ms)
    timeline = Timeline(_NOBODY, session, _NOBODY, tuple(events))
    cart_minor, cart_currency = cart_after(events)
    currency = cart_currency or profile.currency or _currency(events)
    reason = flow = None
    if not profile.bought:
        verdict = classify_by_evidence(timeline, threshold=threshold)
        reason = verdict.reason
        flow = next((flow for flow in flows if flow.would_write(verdict, cart=profile.has_cart)), None)
    return Finding(
        visitor=visit.visitor,
        first_ms=visit.first_ms,
        last_ms=visit.last_ms,
        bought=profile.bought,
        orders_minor=_worth(orders, currency),
        stage=stage_of(profile, intent),
        step=_step(types, profile),
        checkout=profile.checkout,
        pages=frozenset(pages),
        place=place,
        cart=profile.has_cart,
        cart_minor=cart_minor if profile.has_cart and cart_minor else None,
        currency=currency,
        reason=reason,
        flow=flow,
        address=profile.has_email and profile.marketing is not False,
        actions=frozenset(actions),
        types=types,
    )


def _eligible(profile: Profile, type: str, path: str, at_ms: int, plan: Plan) -> list[LiveAction]:
    intent = score(profile, at_ms)
    moment = moment_of(profile, intent, stage_of(profile, intent), now_ms=at_ms, event_type=type, path=path)
    if nobody_to_speak_to(moment):
        return []
    return [offer.action for offer in eligible(moment, plan.catalogue, _LIMITS)[0]]


@lru_cache(maxsize=8192)
def _page(path: str) -> str:
    """The page's address without anything that names a person; a product's or an order's own name becomes ``*``."""
    masked = redact_path(path) or "/"
    parts = masked.split("/")
    if len(parts) > 2 and parts[-2].lower() in _ONE_OF_MANY and parts[-1]:
        parts[-1] = "*"
    return "/".join(parts)[:120]


_ONE_OF_MANY: Final = frozenset(
    "product products p item items dp produkt produkte produit producto orders order blog news article".split()  # noqa: SIM905
)


def _step(types: Mapping[str, int], profile: Profile) -> Step:
    if "purchased" in types:
        return Step.ORDER
    if profile.checkout >= _CHECKOUT["payment"]:
        return Step.PAYMENT
    if "checkout_started" in types or "checkout_step" in types:
        return Step.CHECKOUT
    if "cart_added" in types:
        return Step.CART
    return Step.PRODUCT if "product_viewed" in types else Step.LOOKED


def _worth(orders: Iterable[Mapping[str, Any]], usual: str) -> Mapping[str, int]:
    """By currency; ``usual`` is that of orders that name none."""
    worth: Counter[str] = Counter()
    for props in orders:
        named = props.get("currency")
        if isinstance(value := props.get("value_minor"), int):
            worth[named if isinstance(named, str) else usual] += value
    return worth


def _currency(events: list[TimelineEvent]) -> str:
    for event in reversed(events):
        if isinstance(code := event.props.get("currency"), str):
            return code
    return ""
