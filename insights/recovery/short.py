"""Short messages and pushes: what a step says in a few words, and to which number or browser.

A step brings its own words (Liquid, the values of a mail) or names one of the texts below.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import String, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.phone import PhoneInvalid, e164
from flows.models import Suppression
from flows.ports import Composed, SendRequest, Skip
from insights.identity.together import person_of
from insights.models import ChannelSetup, PushSubscription
from insights.recovery.message_render import MessageBroken
from insights.recovery.plain import one_line, whole
from insights.recovery.rendering import Rendering

SMS: Final = "sms"
PUSH: Final = "push"
CARRIES: Final[Mapping[str, str]] = {"web_push": "web", "fcm": "app"}
"""Kind of channel → kind of subscription."""

TEXTS: Final[Mapping[str, str]] = {
    "cart_reminder": "{{ shop }}: what you picked is still in your cart: {{ link }}",
    "discount_24h": "{{ shop }}: {{ code.percent }} % off with {{ code.text }}, for {{ code.hours }} hours: {{ link }}",
    "saved_cart_help": "{{ shop }}: that did not go as it should. Your cart is here: {{ link }}",
    "trust_answers": "{{ shop }}: how delivery, returns and payment work here: {{ link }}",
    "value_comparison": "{{ shop }}: what you looked at, side by side: {{ link }}",
    "it_is_fixed": "{{ shop }}: what went wrong at your visit is mended: {{ link }}",
}
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "cart_reminder": ("{{ shop }}", "What you picked is still in your cart."),
    "discount_24h": ("{{ code.percent }} % off at {{ shop }}", "{{ code.text }}, for {{ code.hours }} hours."),
    "saved_cart_help": ("{{ shop }}", "That did not go as it should. Your cart is kept."),
    "trust_answers": ("{{ shop }}", "How delivery, returns and payment work here."),
    "value_comparison": ("{{ shop }}", "What you looked at, side by side."),
    "it_is_fixed": ("{{ shop }}", "What went wrong at your visit is mended."),
}
WAY_OUT: Final = " Reply STOP to end."


def number_of(phone: str | None, params: Mapping[str, object]) -> str | Skip:
    """The number to write to; ``region`` of ``params``: where a number without a country code is dialled."""
    if not phone:
        return Skip("no_address", "The visitor gave no phone number.")
    region = params.get("region")
    try:
        return e164(phone, region.upper() if isinstance(region, str) else None)
    except PhoneInvalid as error:
        return Skip("no_address", f"What the visitor gave cannot be written to: {error}")


async def sms_of(
    rendering: Rendering, request: SendRequest, number: str, values: Mapping[str, object]
) -> Composed | Skip:
    """``params``: {"text": words} or {"message": name}, "region"?."""
    source = _words(request.params, "text", TEXTS)
    if isinstance(source, Skip):
        return source
    try:
        [text] = await rendering.texts(request.project_id, [source], values)
    except MessageBroken as error:
        return Skip("message_broken", f"The step's text {error}.")
    if not text:
        return Skip("message_broken", "The step's text is empty.")
    # Who can be written to must be told how to end it, in every message.
    if "STOP" not in text and str(values["unsubscribe_url"]) not in text:
        text += WAY_OUT
    return Composed(channel=SMS, recipient=number, content={"text": text}, needs_consent=True)


async def push_of(
    tx: AsyncSession, rendering: Rendering, request: SendRequest, values: Mapping[str, object]
) -> Composed | Skip:
    """``params``: {"title", "body"} or {"message": name}, "url"?, "hours"?."""
    ways = await _ways(tx, request)
    found = await _subscription(tx, request.project_id, request.visitor_id, ways)
    if found is None:
        return Skip("no_address", "The visitor subscribed to no pushes that a channel of the project carries.")
    content = await _push_content(rendering, request, values)
    if isinstance(content, Skip):
        return content
    content["subscription"] = told_of(found)
    return Composed(
        channel=PUSH, recipient=str(found.id), content=content, needs_consent=True, via=ways.get(found.kind)
    )


async def push_to(
    tx: AsyncSession,
    rendering: Rendering,
    request: SendRequest,
    values: Mapping[str, object],
    subscription: PushSubscription,
) -> Composed | Skip:
    """As ``push_of``, to this one subscription."""
    content = await _push_content(rendering, request, values)
    if isinstance(content, Skip):
        return content
    ways = await _ways(tx, request)
    content["subscription"] = told_of(subscription)
    return Composed(channel=PUSH, recipient=str(subscription.id), content=content, via=ways.get(subscription.kind))


async def _push_content(
    rendering: Rendering, request: SendRequest, values: Mapping[str, object]
) -> dict[str, Any] | Skip:
    named = _words(request.params, "title", {name: title for name, (title, _) in TITLES.items()})
    if isinstance(named, Skip):
        return named
    body = request.params.get("body")
    if not isinstance(body, str):
        body = TITLES[request.params["message"]][1] if "title" not in request.params else ""
    try:
        title, body = await rendering.texts(request.project_id, [named, body], values)
    except MessageBroken as error:
        return Skip("message_broken", f"The step's text {error}.")
    url = request.params.get("url")
    content: dict[str, Any] = {
        "title": one_line(title, 120),
        "body": one_line(body, 400),
        "url": url if isinstance(url, str) else values["link"],
        "topic": f"{request.project_id}/{one_line(request.params.get('topic'), 60) or 'recovery'}",
    }
    if (hours := whole(request.params.get("hours"))) is not None:
        content["hours"] = hours
    return content


async def _ways(tx: AsyncSession, request: SendRequest) -> dict[str, str]:
    """Kind of subscription → the channel that carries it: the one that the step names, else the first set up."""
    of = (ChannelSetup.project_id == request.project_id, ChannelSetup.word == PUSH, ChannelSetup.enabled)
    rows = await tx.execute(
        select(ChannelSetup.name, ChannelSetup.kind).where(*of).order_by(ChannelSetup.created_at, ChannelSetup.id)
    )
    named = request.params.get("channel")
    ways: dict[str, str] = {}
    for name, kind in rows:
        if named in (None, name) and kind in CARRIES:
            ways.setdefault(CARRIES[kind], name)
    return ways


async def _subscription(
    tx: AsyncSession, project_id: UUID, visitor_id: UUID, kinds: Collection[str]
) -> PushSubscription | None:
    """Where the person subscribed last, of these kinds (any, where none is set up). What is gone is deleted."""
    person = await person_of(tx, project_id, visitor_id)
    theirs = (PushSubscription.project_id == project_id, PushSubscription.visitor_id.in_(person))
    gone = select(Suppression.recipient).where(Suppression.project_id == project_id, Suppression.channel == PUSH)
    await tx.execute(delete(PushSubscription).where(*theirs, cast(PushSubscription.id, String).in_(gone)))
    found: PushSubscription | None = await tx.scalar(
        select(PushSubscription)
        .where(*theirs, PushSubscription.kind.in_(kinds or CARRIES.values()))
        .order_by(PushSubscription.told_at.desc(), PushSubscription.id)
        .limit(1)
    )
    return found


def told_of(found: PushSubscription) -> dict[str, Any]:
    """A subscription as a push's content holds it."""
    if found.kind == "app":
        return {"token": found.address}
    return {"endpoint": found.address, "keys": {"p256dh": found.p256dh, "auth": found.auth}}


def _words(params: Mapping[str, object], field: str, texts: Mapping[str, str]) -> str | Skip:
    own, name = params.get(field), params.get("message")
    if isinstance(own, str) and own.strip():
        return own
    if isinstance(name, str) and name in texts:
        return texts[name]
    known = ", ".join(sorted(texts))
    return Skip(
        "no_such_message", f'The step says nothing: give it {{"{field}": words}}, or "message": one of {known}.'
    )
