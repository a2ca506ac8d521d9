"""Puts one event into words: its label, its icon, one line of what happened, and what kind of mark it leaves.

Props are as a stranger sent them: only values of the expected type are read, and long ones are cut. Escaping is the
template's work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from unicodedata import bidirectional
from urllib.parse import urlsplit

from insights.events.kept import SAID
from insights.identity.proof import Verdict
from insights.timeline.timeline import TimelineEvent
from insights.viewer.props import Props, amount, counted, length, number, text
from insights.viewer.wording import label
from insights.vocabulary.shares import percent

_CLAIMED: Final = {"user_id": "user id", "email": "e-mail address", "phone": "phone number"}
KEPT_APART: Final = {SAID["email"]: "an e-mail address", SAID["phone"]: "a phone number"}
"""What stands in a timeline for who somebody is, in words."""

Mark = Literal["", "signal", "problem", "order", "action"]
"""How an event stands out: derived from behaviour, something broken, money moved, something of ours was on the page."""


@dataclass(frozen=True, slots=True)
class Words:
    """``text`` may be empty. ``icon`` names a symbol of the page's icon sheet."""

    label: str
    icon: str
    text: str
    mark: Mark


def words_of(event: TimelineEvent) -> Words:
    """The words of any event, known to the catalogue or not."""
    name, icon, mark, tell = _WORDS.get(event.type, (label(event.type), "dot", "", _named))
    return Words(name, icon, tell(event.props), mark)


def fields_of(event: TimelineEvent) -> tuple[tuple[str, str], ...]:
    """Every prop as (name, text), values that are no plain text as JSON."""
    return tuple((name, _shown(value)) for name, value in event.props.items())


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _joined(*parts: str, by: str = " · ") -> str:
    return by.join(map(_by_itself, filter(None, parts)))


def _by_itself(part: str) -> str:
    """A part between the marks that keep its direction from turning round what stands beside it."""
    rtl = any(bidirectional(letter) in ("R", "AL", "RLE", "RLO", "RLI") for letter in part)
    return f"\u2068{part}\u2069" if rtl else part


def _path(url: str) -> str:
    try:
        return urlsplit(url).path or url
    except ValueError:
        return url


def _page(props: Props) -> str:
    title = text(props, "title")
    return _joined("" if title == text(props, "path") else title, _came_from(props))


def _came_from(props: Props) -> str:
    source = props.get("source")
    if not isinstance(source, dict):
        return ""
    campaign = _joined(*(text(source, name, 60) for name in ("utm_source", "utm_medium", "utm_campaign")), by=" / ")
    origin = campaign or text(source, "referrer", 80)
    return f"from {origin}" if origin else ""


def _quick_back(props: Props) -> str:
    there, back = _path(text(props, "to")), _path(text(props, "from"))
    return _joined(f"to {there} and back to {back}" if there and back else "", _after(length(props, "ms")), by=" ")


def _after(time: str) -> str:
    return f"after {time}" if time else ""


def _element(props: Props) -> str:
    name = text(props, "label", 80)
    return _joined(f"“{name}”" if name else "", text(props, "selector", 80), _path(text(props, "href", 80)))


def _rage(props: Props) -> str:
    return _joined(counted(props, "count", "click", "clicks"), _element(props))


def _scroll(props: Props) -> str:
    depth = number(props, "depth")
    return _joined("" if depth is None else f"to {percent(depth)}", text(props, "section", 60))


def _field(props: Props) -> str:
    focused = length(props, "focused_ms")
    return _joined(
        _joined(text(props, "form", 60), text(props, "field", 60), by=" › "),
        f"{focused} in it" if focused else "",
        counted(props, "refocused", "return to it", "returns to it"),
    )


def _form(props: Props) -> str:
    filled, fields, last = number(props, "filled"), number(props, "fields"), text(props, "last_field", 60)
    share = f"{filled:g} of {fields:g} fields filled" if filled is not None and fields is not None else ""
    return _joined(text(props, "form", 60), share, f"last touched: {last}" if last else "")


def _hover(props: Props) -> str:
    return _joined(length(props, "ms"), text(props, "section", 60), text(props, "selector", 80))


def _away(props: Props) -> str:
    away = length(props, "away_ms")
    return f"after {away} away" if away else ""


def _exit(props: Props) -> str:
    kind = text(props, "kind", 20)
    return {"pointer": "pointer left towards the tab bar", "scroll": "fast scroll up"}.get(kind, kind)


def _failure(props: Props) -> str:
    status = number(props, "status")
    answer = "" if status is None else "no answer" if status == 0 else f"answered {status:g}"
    request = _joined(text(props, "method", 10), text(props, "path"), by=" ")
    return _joined(request, _joined(answer, _after(length(props, "ms")), by=" "))


def _script(props: Props) -> str:
    line = number(props, "line")
    place = _joined(text(props, "source", 80), "" if line is None else f"{line:g}", by=":")
    return _joined(text(props, "message"), place)


def _section(props: Props) -> str:
    return text(props, "section", 60)


def _product(props: Props) -> str:
    return _joined(
        text(props, "name", 80) or text(props, "product_id", 80),
        text(props, "category", 60),
        amount(props, "price_minor"),
    )


def _cart(props: Props) -> str:
    quantity, total = number(props, "quantity"), amount(props, "cart_value_minor")
    times = f"{quantity:g} × " if quantity is not None and quantity != 1 else ""
    return _joined(times + _product(props), f"cart now {total}" if total else "")


def _checkout(props: Props) -> str:
    return _joined(_items(props), amount(props, "cart_value_minor"))


def _items(props: Props) -> str:
    items = props.get("items")
    return counted({"items": len(items)} if isinstance(items, list) else props, "items", "item", "items")


def _coupon(props: Props) -> str:
    accepted = props.get("accepted")
    if not isinstance(accepted, bool):
        return ""
    return "accepted" if accepted else "refused"


def _order(props: Props) -> str:
    order = text(props, "order_id", 60)
    return _joined(amount(props, "value_minor"), _items(props), f"order {order}" if order else "")


def _reviews(props: Props) -> str:
    return _joined(text(props, "product_id", 80), counted(props, "count", "review", "reviews"))


def _promo(props: Props) -> str:
    return _joined(text(props, "kind", 30).replace("_", " "), text(props, "text"))


def _search(props: Props) -> str:
    query = text(props, "query")
    return _joined(f"“{query}”" if query else "", counted(props, "results", "result", "results"))


def _person(props: Props) -> str:
    said = (text(props, name, longest) for name, longest in (("email", 160), ("user_id", 80), ("phone", 40)))
    return _joined(*(KEPT_APART.get(value, value) for value in said), *doubts_of(props))


def doubts_of(props: Props) -> list[str]:
    """What of an identification was not signed as it should be, if the project looks at that."""
    thought = props.get("proof")
    said = {Verdict.UNSIGNED: "not signed", Verdict.WRONG: "wrongly signed"}
    pairs = thought.items() if isinstance(thought, dict) else ()
    return [f"{_CLAIMED[name]} {said[verdict]}" for name, verdict in pairs if name in _CLAIMED and verdict in said]


def _consent(props: Props) -> str:
    said = {True: "yes", False: "no"}
    return _joined(
        *(f"{name}: {said[props[name]]}" for name in ("analytics", "marketing") if isinstance(props.get(name), bool))
    )


def _action(props: Props) -> str:
    answer = text(props, "answer", 120)
    return label(text(props, "action", 60)) + (f": “{answer}”" if answer else "")


def _ended(props: Props) -> str:
    reason = text(props, "reason", 40)
    return {"closed": "tab or browser closed", "navigated": "went to another site"}.get(reason, reason)


def _named(props: Props) -> str:
    return text(props, "name", 80)


def _nothing(props: Props) -> str:
    return ""


_WORDS: dict[str, tuple[str, str, Mark, Callable[[Props], str]]] = {
    "page_viewed": ("Page viewed", "page", "", _page),
    "quick_back": ("Quick back", "back", "signal", _quick_back),
    "clicked": ("Clicked", "click", "", _element),
    "dead_click": ("Dead click", "click", "signal", _element),
    "rage_click": ("Rage click", "click", "signal", _rage),
    "scrolled": ("Scrolled", "scroll", "", _scroll),
    "form_field": ("Form field", "form", "", _field),
    "form_submitted": ("Form submitted", "form", "", _form),
    "form_abandoned": ("Form abandoned", "form", "signal", _form),
    "hover_hesitation": ("Hesitated", "eye", "signal", _hover),
    "engaged": ("Active", "clock", "", lambda props: length(props, "ms")),
    "tab_hidden": ("Tab hidden", "tab", "", _nothing),
    "tab_returned": ("Tab returned", "tab", "", _away),
    "exit_intent": ("Exit intent", "exit", "signal", _exit),
    "request_failed": ("Request failed", "alert", "problem", _failure),
    "js_error": ("Script error", "alert", "problem", _script),
    "text_copied": ("Text copied", "copy", "signal", _section),
    "text_selected": ("Text selected", "copy", "signal", _section),
    "product_viewed": ("Product viewed", "eye", "", _product),
    "cart_added": ("Added to cart", "cart", "order", _cart),
    "cart_removed": ("Removed from cart", "cart", "order", _cart),
    "checkout_started": ("Checkout started", "card", "order", _checkout),
    "checkout_step": ("Checkout step", "card", "order", lambda props: text(props, "step", 20)),
    "coupon_tried": ("Coupon tried", "tag", "order", _coupon),
    "purchased": ("Purchased", "check", "order", _order),
    "refunded": ("Refunded", "check", "order", _order),
    "reviews_viewed": ("Reviews viewed", "eye", "", _reviews),
    "promo_seen": ("Promotion seen", "tag", "", _promo),
    "searched": ("Searched", "search", "", _search),
    "identified": ("Identified", "person", "", _person),
    "consent_changed": ("Consent changed", "person", "", _consent),
    "action_shown": ("Action shown", "spark", "action", _action),
    "action_clicked": ("Action clicked", "spark", "action", _action),
    "action_dismissed": ("Action dismissed", "spark", "action", _action),
    "session_ended": ("Session ended", "exit", "", _ended),
    "custom": ("Custom event", "dot", "", _named),
}
