"""What starts a recovery flow: an insight, told as the facts that its conditions, tickets and mails may use.

Pure. The facts are stored with the run, so they are complete in themselves and bounded in size, and every text in
them was written by a stranger: cleaned here, escaped where it is shown.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from flows.ports import Trigger
from insights.recovery.cart import cart_items, viewed_products
from insights.recovery.kept import kept_fields
from insights.recovery.plain import currency, one_line, whole
from insights.recovery.worst_error import worst_error
from insights.timeline.assemble import cart_after
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.session_group import session_group

KIND: Final = "insight"


def insight_trigger(
    timeline: Timeline, *, insight_id: UUID, kind: str, reason: str, confidence: float, narrative: str
) -> Trigger:
    """The trigger of one insight over a timeline that has at least one event.

    An insight has its own key; successive insights of a session share their group, in which a flow that has reached
    the visitor starts no second run. Times in the facts are ISO 8601 in UTC, money is in minor units, ``confidence``
    is 0..1.
    """
    return Trigger(
        kind=KIND,
        key=f"insight:{insight_id}",
        group=session_group(timeline.session_id),
        visitor_id=timeline.visitor_id,
        occurred_at=timeline.events[-1].at,
        facts={
            "insight": {
                "id": str(insight_id),
                "session_id": str(timeline.session_id),
                "kind": kind,
                "reason": reason,
                "confidence": confidence,
                "narrative": one_line(narrative, 2000),
            },
            **visit_facts(timeline),
        },
    )


def visit_facts(timeline: Timeline) -> dict[str, Any]:
    """What a visit with at least one event tells: session, cart, products and error."""
    events = timeline.events
    cart_value, cart_currency = cart_after(events)
    items = cart_items(events)
    viewed = viewed_products(events)
    money = currency(cart_currency) or next((item["currency"] for item in viewed if item["currency"]), None)
    paths = [event.path for event in events if event.path]
    return {
        "session": {
            "landing_path": one_line(paths[0], 500) if paths else None,
            "exit_path": one_line(paths[-1], 500) if paths else None,
            "exit_url": _exit_url(events),
            "ended_at": events[-1].at.isoformat(),
            "currency": money,
        },
        "cart": {
            "value_minor": whole(cart_value),
            "currency": money,
            "count": sum(item["quantity"] for item in items),
            # A price is written in the cart's currency, so one in another would be wrong.
            "items": [
                {name: value for name, value in item.items() if name != "currency"}
                | {"price_minor": item["price_minor"] if item["currency"] in (None, money) else None}
                for item in items
            ],
        },
        "products": viewed,
        "error": worst_error(events),
        "form": kept_fields(events),
    }


def _exit_url(events: tuple[TimelineEvent, ...]) -> str | None:
    """Where they left, without user name, query and fragment: those carry tokens and lies."""
    for event in reversed(events):
        try:
            parts = urlsplit(event.url or "")
            host, port = parts.hostname, parts.port
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and host:
            place = f"[{host}]" if ":" in host else host
            return one_line(f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path}", 1000)
    return None
