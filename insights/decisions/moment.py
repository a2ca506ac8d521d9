"""A moment: what a decision looks at, with the questions that conditions ask of it answered once."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from insights.intents.intent import Intent
from insights.profiles.pages import PageKind, page_kind
from insights.profiles.profile import Compared, Profile
from insights.profiles.shopping import category_key
from insights.vocabulary.stages import Stage

LEAVING_MS: Final = 10_000
STALLED_MS: Final = 45_000
AWAY_MS: Final = 30_000
PRICE_MS: Final = 60_000
TROUBLE_MS: Final = 60_000
POLICY_MS: Final = 300_000
FLOW_MS: Final = 20_000
TYPING_MS: Final = 5_000

PAYMENT: Final = 4
"""Profile.checkout from the payment step on."""


class Moment(Struct, frozen=True):
    """A visitor right after an event. All ages are by the visitor's own clock, up to their last event."""

    profile: Profile
    intent: Intent
    stage: Stage
    event_type: str
    now_ms: int
    page: PageKind
    compared: Compared
    leaving: bool
    stalled: bool
    trouble: bool
    pricing: bool
    policy: bool
    in_flow: bool
    typing: bool

    @property
    def at_payment(self) -> bool:
        """They got as far as the payment step and nothing was ordered yet."""
        return self.profile.checkout >= PAYMENT

    @property
    def top_category(self) -> str:
        """What interests them most; "" when unknown."""
        return next(iter(self.intent.affinity), "")

    @property
    def compared_category(self) -> str:
        """The category of which they saw most products; "" when it has no name we still know."""
        key = self.compared.category
        return next((name for name in self.intent.affinity if category_key(name) == key), "")


def moment_of(profile: Profile, intent: Intent, stage: Stage, *, now_ms: int, event_type: str, path: str) -> Moment:
    """The moment after an event of ``event_type`` on the page at ``path`` ("": the last page viewed)."""
    p = profile
    last, progress = p.last_at, p.progress_at
    page = page_kind((path or p.page_path).partition("?")[0])
    buying = page is PageKind.CART or page is PageKind.CHECKOUT
    leaving = p.exits > 0 and last - p.exit_at <= LEAVING_MS and p.exit_at >= progress
    stalled = p.cart_items > 0 and (
        (buying and last - max(progress, p.page_at, p.form_at) >= STALLED_MS)
        or (buying and p.hesitations > 0 and p.hesitation_at >= progress and last - p.hesitation_at <= LEAVING_MS)
        or (p.away_ms >= AWAY_MS and last - p.return_at <= LEAVING_MS)
    )
    trouble = p.cart_trouble >= 2 and last - p.trouble_at <= TROUBLE_MS
    return Moment(
        profile=p,
        intent=intent,
        stage=stage,
        event_type=event_type,
        now_ms=now_ms,
        page=page,
        compared=p.compared(),
        leaving=leaving,
        stalled=stalled,
        trouble=trouble,
        pricing=p.price_at > 0 and last - p.price_at <= PRICE_MS,
        policy=p.policies > 0 and last - p.policy_at <= POLICY_MS,
        in_flow=progress > 0
        and last - progress <= FLOW_MS
        and max(p.exit_at, p.price_at, p.trouble_at, p.hesitation_at, p.policy_at) <= progress,
        typing=p.form_at > 0 and last - p.form_at <= TYPING_MS,
    )
