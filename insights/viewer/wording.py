"""The words and number formats of the pages: labels of reasons, stages and actions, money, times, durations."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from insights.identity.links import Kind as NameKind
from insights.identity.masks import mask
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.money import minor_digits
from insights.vocabulary.reasons import Kind, Reason
from insights.vocabulary.stages import Stage

REASONS: dict[Reason, tuple[str, str]] = {
    Reason.PRICE_HESITATION: ("Price hesitation", "They wanted it and stopped at the price."),
    Reason.UX_FRICTION: ("UX friction", "The page stood in their way: dead buttons, rage clicks, a form too long."),
    Reason.TRUST_CONCERN: ("Trust concern", "They looked for returns, security or delivery and were not reassured."),
    Reason.COMPARISON_SHOPPING: ("Comparison shopping", "They weighed products against each other, or against others."),
    Reason.DISTRACTION: ("Distraction", "Something else took them away in the middle of it."),
    Reason.TECHNICAL_ERROR: ("Technical error", "Something broke: a failing request or a script error."),
    Reason.UNCLEAR: ("Unclear", "Nothing in the visit says why clearly enough."),
    Reason.VALUE_FIT: ("Value fit", "The product was what they came for, at a price they took."),
    Reason.URGENCY: ("Urgency", "A deadline or low stock moved them."),
    Reason.SOCIAL_PROOF: ("Social proof", "Reviews convinced them."),
    Reason.CLEAR_CTA: ("Clear call to action", "They went straight from the product to the order."),
    Reason.RETURNING_INTENT: ("Returning intent", "They came back to finish what they had begun before."),
    Reason.RECOMMENDATION_MATCH: ("Recommendation match", "They bought what was recommended to them."),
}
"""Reason → (label, what it means)."""

COLOURS: dict[str, str] = {
    "price_hesitation": "#d99a1e",
    "ux_friction": "#e0702f",
    "trust_concern": "#c64f78",
    "comparison_shopping": "#8a5bc4",
    "distraction": "#7288b8",
    "technical_error": "#c9352c",
    "unclear": "#9aa3ab",
    "value_fit": "#2c8f5b",
    "urgency": "#7aa93c",
    "social_proof": "#2a9d93",
    "clear_cta": "#3a9cc7",
    "returning_intent": "#3b6fc4",
    "recommendation_match": "#1f5f6b",
}
"""Reason → its colour on white, for pictures that are saved; pages have them in the stylesheet."""

KINDS: dict[Kind, str] = {Kind.ABANDONED: "Left without buying", Kind.CONVERTED: "Bought"}

STAGES: dict[Stage, str] = {
    Stage.ANONYMOUS: "Anonymous",
    Stage.BROWSER: "Browser",
    Stage.CART_ADDER: "Cart adder",
    Stage.HIGH_INTENT: "High intent",
    Stage.CUSTOMER: "Customer",
}

LIVE_ACTIONS: dict[LiveAction, str] = {
    LiveAction.DISCOUNT_POPUP: "Discount popup",
    LiveAction.RECOMMENDATION_CAROUSEL: "Recommendations",
    LiveAction.FREE_SHIPPING_BANNER: "Free shipping banner",
    LiveAction.IDENTITY_CAPTURE: "E-mail capture",
    LiveAction.CART_SAVE: "Save the cart",
    LiveAction.COMPARISON_CARD: "Comparison card",
    LiveAction.TRUST_CARD: "Trust card",
    LiveAction.SHORT_FORM: "Short form",
    LiveAction.CHAT_INVITE: "Chat invite",
    LiveAction.DO_NOTHING: "Do nothing",
}

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "BRL": "R$", "CHF": "CHF "}


def label(word: str) -> str:
    """A word of ours for people: the label of a reason, stage, action or kind, or the word itself with spaces."""
    if word in _LABELS:
        return _LABELS[word]
    return word.replace("_", " ").strip().capitalize()


def masked(name: str) -> str:
    """A name of a person as it may be shown to everyone who looks: ada@example.org → a•••@example.org."""
    return mask(NameKind.USER_ID, name) if name else ""


def money(minor: int, currency: str | None) -> str:
    """An amount of integer minor units, e.g. 1990 EUR → €19.90. Without a currency: the number in hundredths."""
    exponent = minor_digits(currency)
    sign = "−" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**exponent)
    digits = f"{whole:,}" + (f".{rest:0{exponent}d}" if exponent else "")
    if currency is None:
        return sign + digits
    return sign + _SYMBOLS.get(currency, currency + " ") + digits


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 180 ms, 2.6 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 9.95 and round(seconds % 1, 1) not in (0.0, 1.0):
        return f"{seconds:.1f} s"
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    sizes = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    first = next(i for i, (size, _) in enumerate(sizes) if total >= size)
    parts = []
    for size, unit in sizes[first : first + 2]:
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def offset(seconds: float) -> str:
    """Time since the start of a session as a clock: +0:07, +12:30, +1:02:03."""
    total = max(0, int(seconds))
    hours, rest = divmod(total, 3600)
    minutes, secs = divmod(rest, 60)
    return f"+{hours}:{minutes:02d}:{secs:02d}" if hours else f"+{minutes}:{secs:02d}"


def moment(at: datetime) -> str:
    """A point in time in full, in UTC: 21 Nov 2026, 14:05:12 UTC."""
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def short_moment(at: datetime, now: datetime) -> str:
    """A point in time as short as it can be understood: 14:05 today, 21 Nov 14:05 this year, 21 Nov 2025 before."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at:%-d %b %H:%M}" if at.year == now.year else f"{at:%-d %b %Y}"


def ago(at: datetime, now: datetime) -> str:
    """How long before (or after) ``now``: 3 min ago, in 12 min, just now."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    size = duration(abs(seconds)).split(" ")
    rough = " ".join(size[:2])
    return f"{rough} ago" if seconds > 0 else f"in {rough}"


def short_id(value: UUID) -> str:
    """The eight characters by which people tell ids apart. The end: ids made together begin alike."""
    return value.hex[-8:]


_LABELS: dict[str, str] = {
    **{str(word): text for word, (text, _) in REASONS.items()},
    **{str(word): text for word, text in KINDS.items()},
    **{str(word): text for word, text in STAGES.items()},
    **{str(word): text for word, text in LIVE_ACTIONS.items()},
    "send_email": "Send e-mail",
    "send_sms": "Send SMS",
    "create_crm_task": "Create CRM task",
}
