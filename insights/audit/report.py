"""Tells an audit as one document: what ``--json`` prints and the page is drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from insights.audit.audit import Audit
from insights.audit.finding import Step, mail_flows
from insights.audit.stakes import Money
from insights.audit.tally import ELSEWHERE, Lost, Tally
from insights.profiles.profile import STEP_NUMBER
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import ms_to_datetime
from insights.vocabulary.stages import Stage

MOST_PAGES: Final = 20
_DAY_MS: Final = 86_400_000
_CHECKOUT: Final = {1: "started"} | {number: name for name, number in STEP_NUMBER.items()}
_SIGNALS: Final = ("exit_intent", "hover_hesitation", "engaged", "scrolled", "tab_hidden", "quick_back")


def document(audit: Audit) -> dict[str, Any]:
    """The whole audit as plain values. Money is in minor units by currency, shares are 0..1."""
    tally, reading = audit.tally, audit.reading
    knows_orders = bool(tally.types["purchased"])
    days = max(1, round((tally.last_ms - tally.first_ms) / _DAY_MS))
    return {
        "files": [path.name for path in audit.wish.paths],
        "format": audit.format.value,
        "period": {
            "from": ms_to_datetime(tally.first_ms).isoformat(timespec="seconds"),
            "to": ms_to_datetime(tally.last_ms).isoformat(timespec="seconds"),
            "days": days,
        },
        "reading": {
            "events": reading.happenings,
            "duplicates": reading.duplicates,
            "unread": reading.unread,
            "unread_problems": dict(reading.problems.most_common(10)),
            "unread_examples": [{"file": u.file, "line": u.line, "problem": u.problem} for u in reading.examples],
            "left_out": reading.left_out,
            "sorted_first": reading.sorted,
            "most_visits_open_at_once": reading.open_most,
        },
        "visits": tally.visits,
        "machines": tally.bots,
        "visits_with_an_order": tally.bought if knows_orders else None,
        "orders_value_minor": _by_currency(tally.orders_minor) if knows_orders else None,
        "visits_without_an_order": tally.lost.visits if knows_orders else None,
        "left_in_carts": _lost(tally.lost, tally.visits) if knows_orders else None,
        "steps": _steps(tally),
        "stages": [
            {"stage": stage.value, **_lost(tally.stages[stage], tally.lost.visits)}
            for stage in Stage
            if stage in tally.stages
        ],
        "checkout": [
            {"step": _CHECKOUT[number], **_lost(tally.checkout[number], tally.lost.visits)}
            for number in sorted(tally.checkout)
        ],
        "pages_are": "pages" if tally.by_page else "product categories",
        "pages": _pages(tally),
        "reasons": [
            {"reason": reason.value, **_lost(lost, tally.lost.visits)}
            for reason, lost in sorted(tally.reasons.items(), key=lambda item: -item[1].visits)
        ],
        "flows": _flows(tally) if knows_orders else None,
        "actions": [
            {"action": action.value, **_lost(tally.actions[action], tally.lost.visits)}
            for action in LiveAction
            if action in tally.actions
        ],
        "any_action": _lost(tally.any_action, tally.lost.visits),
        "came_back": _came_back(audit),
        "money": [_money(money, days) for money in audit.stakes.money],
        "money_untold": audit.stakes.untold,
        "assumptions": [a.as_dict() for a in audit.stakes.assumptions],
        "margin": audit.wish.given.margin,
        "gap_minutes": audit.wish.gap_ms / 60_000,
        "cannot_tell": cannot_tell(audit),
    }


def cannot_tell(audit: Audit) -> list[str]:
    """What this export leaves open, in sentences."""
    types = audit.tally.types
    said = []
    if not types["purchased"]:
        said.append("Who ordered: it has no orders. Buyers are among the visits below, so none of them is called lost.")
    if not types["cart_added"] and not types["checkout_started"]:
        said.append("What was in the carts: it has no cart events, so visits end at a product at the furthest.")
    elif not types["checkout_started"] and not types["checkout_step"]:
        said.append("How far the checkout got: it has no checkout events, so those visits end at the cart.")
    if not audit.tally.by_page:
        said.append("On which page visits ended: it has no page addresses; product categories stand in for them.")
    if not any(types[name] for name in _SIGNALS):
        said.append(
            "Signs of leaving, hesitating and reading: these come from the browser SDK. Reasons rest on products, carts"
            " and pages alone, many stay unclear, and live actions that wait for such a sign count as never reached."
        )
    if not types["request_failed"] and not types["js_error"]:
        said.append("What broke: it has neither failed requests nor script errors.")
    if not types["coupon_tried"]:
        said.append("Whether a code was tried and refused.")
    if not types["identified"]:
        said.append("Whom the shop can write to: it has no addresses. A share is assumed, see below.")
    if audit.tally.lost.carts and not audit.tally.lost.priced:
        said.append("What carts were worth: it has no prices.")
    if audit.tally.cases and any(not currency for currency, *_ in audit.tally.cases):
        said.append("In which currency its prices are: name it with --currency. Two decimals are supposed.")
    said.append("What a visitor did in earlier visits: each visit is looked at for itself.")
    return said


def _lost(lost: Lost, of: int) -> dict[str, Any]:
    return {
        "visits": lost.visits,
        "share": lost.visits / of if of else 0.0,
        "carts": lost.carts,
        "carts_with_prices": lost.priced,
        "cart_value_minor": _by_currency(lost.cart_minor),
    }


def _by_currency(minor: Counter[str]) -> dict[str, int]:
    return {currency or "unknown": value for currency, value in minor.most_common() if value}


def _steps(tally: Tally) -> list[dict[str, Any]]:
    """How many visits came at least this far: an order counts for every step before it."""
    found, reached = [], tally.visits
    for step in Step:
        found.append({"step": step.value, "reached": reached, "ended": tally.steps[step]})
        reached -= tally.steps[step]
    return found


def _pages(tally: Tally) -> list[dict[str, Any]]:
    ranked = sorted(tally.places.items(), key=lambda item: (item[0] == ELSEWHERE, -item[1].lost.visits))
    pages = []
    for name, place in ranked[:MOST_PAGES]:
        if place.lost.visits == 0:
            continue
        reason, count = next(iter(place.reasons.most_common(1)), (None, 0))
        pages.append(
            {
                "page": name,
                "seen": max(place.seen, place.lost.visits),
                "main_reason": reason.value if reason is not None else None,
                "main_reason_share": count / place.lost.visits,
                **_lost(place.lost, tally.lost.visits),
            }
        )
    return pages


def _flows(tally: Tally) -> list[dict[str, Any]]:
    return [
        {
            "flow": flow.name,
            "gives_share": flow.gives,
            "with_address": tally.flows_with_address[flow.name],
            **_lost(tally.flows[flow.name], tally.lost.visits),
        }
        for flow in mail_flows()
    ]


def _came_back(audit: Audit) -> Mapping[str, Any] | None:
    if audit.back is None:
        return None
    back, watched, low, high = audit.back
    return {"came_back": back, "watched": watched, "low": low, "high": high, "within_days": 7}


def _money(money: Money, days: int) -> dict[str, Any]:
    a_month = None
    if days >= 7:
        a_month = {"low": round(money.low * 30 / days), "high": round(money.high * 30 / days)}
    return {
        "currency": money.currency or "unknown",
        "left_in_carts_minor": money.carts,
        "at_stake_minor": {"low": money.low, "high": money.high},
        "by_mail_minor": {"low": money.mail[0], "high": money.mail[1]},
        "by_live_action_minor": {"low": money.live[0], "high": money.live[1]},
        "margin_at_stake_minor": {"low": money.margin[0], "high": money.margin[1]} if money.margin else None,
        "at_stake_in_30_days_minor": a_month,
    }
