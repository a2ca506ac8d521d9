"""The profile: what is known of one visitor while they are here, in a few flat fields.

``fold`` alone writes what events say; ``mark_*`` write what we did ourselves. Times are epoch milliseconds: those of
events by the visitor's (corrected) clock, those of our own doings by the server's. The two are never subtracted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct, field

from insights.vocabulary.actions import LiveAction
from insights.vocabulary.checkout import CHECKOUT_STEPS
from insights.vocabulary.stages import Stage

REMEMBERED_EVENTS: Final = 96
EVENT_ID_BYTES: Final = 5
MOST_SESSIONS: Final = 20
"""A profile is built from so many visits, the latest; of the older ones only their number and their orders count."""
PRODUCTS: Final = 10
CATEGORIES: Final = 6

ACTION_BIT: Final = {action: 1 << index for index, action in enumerate(LiveAction)}
STAGE_BIT: Final = {stage: 1 << index for index, stage in enumerate(Stage)}
STEP_NUMBER: Final = {step: number for number, step in enumerate(CHECKOUT_STEPS, 2)}
"""Step → how far the checkout is; 1 is "started", 0 "not started"."""

PRODUCT_BYTES: Final = 8
CATEGORY_BYTES: Final = 4
ORDERS: Final = 8
ORDER_BYTES: Final = 4
NO_CATEGORY: Final = bytes(CATEGORY_BYTES)


class Compared(NamedTuple):
    """Distinct products; most of them in one category, whose key is ``category``."""

    products: int
    same_category: int
    category: bytes


class Profile(Struct, gc=False):
    """Counters and marks of a visitor. Hidden from the garbage collector: it must never refer to anything cyclic.

    ``person``: 16 bytes, the id of the visitor who was first of several that are one person; empty for who is alone.
    Everything from ``session_at`` to ``quiet_at`` belongs to the current session and starts again with the next.
    ``recent`` are the ends of the last ids folded; ``products`` are keys of the products seen, ``orders`` of the latest
    orders: each counts once, however often it is told. ``event_at`` is when the last event folded happened, by its own
    clock; unlike ``last_at`` it may lie before that of an earlier session. ``mixed``: things in several currencies are
    in the cart, so its value is not known: ``cart_minor`` is 0 and ``currency`` empty.
    """

    # Over the visitor's whole history, as far as it was read.
    person: bytes = b""
    first_at: int = 0
    last_at: int = 0
    sessions: int = 0
    purchases: int = 0
    orders: bytes = b""
    carts_left: int = 0
    has_email: bool = False
    bot: bool = False
    analytics: bool | None = None
    marketing: bool | None = None
    dismissed: int = 0
    folded: int = 0
    recent: bytearray = field(default_factory=bytearray)
    affinity: dict[str, float] = field(default_factory=dict)
    contact_link: str = ""
    policy_link: str = ""
    tags: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    session: int = 0

    session_at: int = 0
    event_at: int = 0
    page_at: int = 0
    progress_at: int = 0
    exit_at: int = 0
    return_at: int = 0
    price_at: int = 0
    hesitation_at: int = 0
    policy_at: int = 0
    trouble_at: int = 0
    form_at: int = 0

    page_path: str = ""
    page_link: str = ""
    page_is_product: bool = False
    previous_link: str = ""
    shelf: str = ""
    shelf_link: str = ""
    cart_link: str = ""

    pages: int = 0
    quick_backs: int = 0
    engaged_ms: int = 0
    page_engaged_ms: int = 0
    depth: float = 0.0
    hides: int = 0
    away_ms: int = 0
    exits: int = 0
    clicks: int = 0
    copies: int = 0
    hesitations: int = 0
    searches: int = 0
    empty_searches: int = 0
    reviews: int = 0
    promos: int = 0
    paid_click: bool = False

    products: bytes = b""
    products_seen: int = 0
    repeats: int = 0
    last_price: int = 0
    last_category: str = ""
    cheaper: int = 0
    price_hovers: int = 0
    coupons_refused: int = 0
    coupons_accepted: int = 0
    policies: int = 0

    cart_items: int = 0
    cart_minor: int = 0
    currency: str = ""
    mixed: bool = False
    cart_adds: int = 0
    cart_removes: int = 0
    checkout: int = 0
    bought: bool = False

    failures: int = 0
    js_errors: int = 0
    rage_clicks: int = 0
    dead_clicks: int = 0
    cart_trouble: int = 0
    refocused: int = 0
    forms_left: int = 0

    served: int = 0
    served_stages: int = 0
    shown: int = 0
    clicked: int = 0
    quiet: int = 0
    quiet_open: int = 0
    quiet_at: int = 0

    # Survive the session: a gap between two actions does not start again with a new visit.
    served_at: int = 0
    stage: Stage = Stage.ANONYMOUS

    def mark_served(self, action: LiveAction, at_ms: int, stage: Stage | None = None) -> None:
        """``action`` is on its way to the visitor, by the server's clock ``at_ms``.

        ``stage`` is the stage it was chosen in; left out, the stage of the last decision.
        """
        stage = self.stage if stage is None else stage
        self.served |= ACTION_BIT[action]
        self.served_stages |= STAGE_BIT[stage]
        self.served_at = max(self.served_at, at_ms)

    def mark_quiet(self, eligible: int, drawn_from: int, at_ms: int, stage: Stage) -> None:
        """Doing nothing was chosen over the actions of the bit mask ``eligible``, of which those of ``drawn_from`` had
        a chance."""
        self.quiet = eligible
        self.quiet_open = drawn_from
        self.quiet_at = at_ms
        self.stage = stage

    def was_served(self, action: LiveAction) -> bool:
        """In this session."""
        return bool(self.served & ACTION_BIT[action])

    @property
    def served_count(self) -> int:
        """Actions served in this session: each at most once."""
        return self.served.bit_count()

    @property
    def has_cart(self) -> bool:
        """Something is in the cart, as far as this session's events tell."""
        return self.cart_items > 0

    def compared(self) -> Compared:
        """What was looked at side by side in this session; counts up to ``PRODUCTS``, older ones are forgotten."""
        return _compared(self.products)


@lru_cache(maxsize=4096)
def _compared(products: bytes) -> Compared:
    # Remembered, because it is asked for several times a moment and rarely changes from one to the next.
    counts: dict[bytes, int] = {}
    most, most_seen = 0, b""
    for end in range(PRODUCT_BYTES, len(products) + 1, PRODUCT_BYTES):
        category = products[end - CATEGORY_BYTES : end]
        if category != NO_CATEGORY:
            count = counts[category] = counts.get(category, 0) + 1
            if count > most:
                most, most_seen = count, category
    return Compared(len(products) // PRODUCT_BYTES, most, most_seen)
