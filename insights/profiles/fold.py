"""Folds events into a profile: pure, total, and once only.

Props are hostile until checked: a value of the wrong type, not finite or out of range counts as absent. Nothing here
raises on any JSON. An event that was folded before changes nothing; neither does one of an older session, which only
a profile that is built again can take in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from insights.profiles import behaviour, shopping
from insights.profiles.pages import LONGEST_PATH
from insights.profiles.profile import EVENT_ID_BYTES, REMEMBERED_EVENTS, Profile
from insights.profiles.props import LARGEST, Props
from insights.vocabulary.events import AFTERWARDS


class Happened(Protocol):
    """An event as it is folded. ``t``: the visitor's corrected clock in epoch milliseconds."""

    @property
    def id(self) -> UUID: ...
    @property
    def t(self) -> float: ...
    @property
    def type(self) -> str: ...
    @property
    def props(self) -> Props: ...


H = TypeVar("H", bound=Happened)


class _Event(Struct, gc=False):
    id: UUID
    t: float
    type: str
    props: Props


_RING: Final = REMEMBERED_EVENTS * EVENT_ID_BYTES
_ID_MASK: Final = (1 << (8 * EVENT_ID_BYTES)) - 1
_NONE: Final[Mapping[str, Any]] = {}


def fold(profile: Profile, event_id: UUID, session_id: UUID, at_ms: int, type: str, path: str, props: Props) -> bool:
    """Adds one event to ``profile``; False when it was folded before, is of an older session, or no part of a visit.

    ``at_ms`` is the visitor's corrected clock in epoch milliseconds. ``path`` is the page's path without its query.
    """
    return bool(fold_all(profile, session_id, (_Event(event_id, at_ms, type, props),), lambda event: path))


def fold_all(profile: Profile, session_id: UUID, events: Iterable[H], path_of: Callable[[H], str]) -> int:
    """Adds events of one session in their order; how many of them were new. ``path_of``: the path of an event's page.

    The profile's time never goes backwards. The last ``REMEMBERED_EVENTS`` events are told apart by id.
    """
    session = session_id.int
    if session < profile.session:
        return 0
    recent, before = profile.recent, profile.folded
    # Kept here and written down at the end: no handler looks at them.
    folded, last_at, event_at = before, profile.last_at, profile.event_at
    for event in events:
        type = event.type
        if type in AFTERWARDS:
            continue
        at = int(event.t)
        if not 0 <= at <= LARGEST:
            at = 0
        mark = (event.id.int & _ID_MASK).to_bytes(EVENT_ID_BYTES, "little")
        # What happened after all that was folded is not among it, and need not be looked for.
        if at <= last_at and mark in recent:
            continue
        if len(recent) < _RING:
            recent += mark
        else:
            place = folded % REMEMBERED_EVENTS * EVENT_ID_BYTES
            recent[place : place + EVENT_ID_BYTES] = mark
        folded += 1
        event_at = at
        if at < last_at:
            at = last_at
        else:
            last_at = at
        if session != profile.session:
            _begin_session(profile, session, at)
        props = event.props
        if props.__class__ is not dict and not isinstance(props, Mapping):
            props = _NONE
        if (handler := _HANDLERS.get(type)) is not None:
            handler(profile, at, props)
        elif (of_page := _OF_PAGES.get(type)) is not None:
            # One more than a link may have: what was cut must not pass for a whole address.
            of_page(profile, at, path_of(event).partition("?")[0][: LONGEST_PATH + 1], props)
    profile.folded, profile.last_at, profile.event_at = folded, last_at, event_at
    return folded - before


def remembers(profile: Profile, event_id: UUID) -> bool:
    """Whether this event is among the last ``REMEMBERED_EVENTS`` that were folded."""
    return (event_id.int & _ID_MASK).to_bytes(EVENT_ID_BYTES, "little") in profile.recent


def _begin_session(p: Profile, session: int, at: int) -> None:
    if p.sessions == 0:
        p.first_at = at
    else:
        if p.cart_items > 0:
            p.carts_left += 1
        for name, value in _FRESH:
            setattr(p, name, value)
    p.sessions += 1
    p.session = session
    p.session_at = at


def _session_fields() -> list[tuple[str, Any]]:
    """The fields that start again with a session, as they start."""
    names = Profile.__struct_fields__
    blank = Profile()
    first, last = names.index("session_at"), names.index("quiet_at")
    return [(name, getattr(blank, name)) for name in names[first : last + 1]]


_FRESH: Final = _session_fields()

_OF_PAGES: Final[dict[str, Callable[[Profile, int, str, Props], None]]] = {
    "page_viewed": behaviour.page_viewed,
    "request_failed": behaviour.request_failed,
    "rage_click": behaviour.rage_click,
    "dead_click": behaviour.dead_click,
}
"""Of which it matters on what page they happened."""

_HANDLERS: Final[dict[str, Callable[[Profile, int, Props], None]]] = {
    "quick_back": behaviour.quick_back,
    "clicked": behaviour.clicked,
    "scrolled": behaviour.scrolled,
    "engaged": behaviour.engaged,
    "hover_hesitation": behaviour.hover_hesitation,
    "text_copied": behaviour.text_noticed,
    "text_selected": behaviour.text_noticed,
    "exit_intent": behaviour.exit_intent,
    "tab_hidden": behaviour.tab_hidden,
    "tab_returned": behaviour.tab_returned,
    "searched": behaviour.searched,
    "reviews_viewed": behaviour.reviews_viewed,
    "promo_seen": behaviour.promo_seen,
    "form_field": behaviour.form_field,
    "form_abandoned": behaviour.form_abandoned,
    "form_submitted": behaviour.form_submitted,
    "js_error": behaviour.js_error,
    "identified": behaviour.identified,
    "consent_changed": behaviour.consent_changed,
    "action_shown": behaviour.action_shown,
    "action_clicked": behaviour.action_clicked,
    "action_dismissed": behaviour.action_dismissed,
    "product_viewed": shopping.product_viewed,
    "cart_added": shopping.cart_added,
    "cart_removed": shopping.cart_removed,
    "checkout_started": shopping.checkout_started,
    "checkout_step": shopping.checkout_step,
    "coupon_tried": shopping.coupon_tried,
    "purchased": shopping.purchased,
}
