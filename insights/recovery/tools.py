"""What the shop's other tools are told by a flow: ad platforms, CRM, mail service, shop system, data platform.

Each function decides what one action of the registry says; the channel that the step names, or the first of its word,
says it in its provider's form. Consent to ads is asked for here and by the gate; the channel refuses without it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Composed, Done, SendRequest, Skip
from insights.conditions.consent import ADS, consents
from insights.identity.contact import Contact
from insights.models import ChannelSetup
from insights.recovery.message_render import MessageBroken
from insights.recovery.plain import currency, one_line, whole
from insights.recovery.rendering import Rendering
from insights.recovery.tool_params import MOST_QUIET_DAYS, QUIET_DAYS

_MODES: Final = ("quiet", "suppress", "resume")
_NOBODY: Final = Skip("no_address", "Nothing is known that another tool could know the visitor by.")


async def word_of(tx: AsyncSession, project_id: UUID, name: object) -> str | None:
    """The word of the project's channel of this name; None when there is none."""
    of = (ChannelSetup.project_id == project_id, ChannelSetup.name == str(name), ChannelSetup.enabled)
    return await tx.scalar(select(ChannelSetup.word).where(*of)) if name else None


async def has_channel(tx: AsyncSession, project_id: UUID, word: str) -> bool:
    """Whether the project has set one up."""
    of = (ChannelSetup.project_id == project_id, ChannelSetup.word == word, ChannelSetup.enabled)
    return await tx.scalar(select(ChannelSetup.id).where(*of).limit(1)) is not None


def retargeting(request: SendRequest, contact: Contact | None) -> Composed | Skip:
    """``params``: {"event": CartAbandoned, …}, or {"do": "add" | "remove"} for an audience."""
    params = request.params
    leaves = params.get("do") == "remove"
    who = _who(contact)
    if contact is None or not who:
        return _NOBODY
    if not leaves and not consents(contact.consent, ADS):
        return Skip("no_consent", "The visitor has not agreed to ads by name.")
    return Composed(
        channel=ADS, recipient=None, content=told_ads(request, who, dict(contact.consent)), needs_consent=not leaves
    )


def told_ads(request: SendRequest, who: Mapping[str, str], consent: Mapping[str, object]) -> dict[str, Any]:
    """What an ad platform is told of somebody: ``who`` they are to it, and what they agreed to."""
    params = request.params
    session, cart = _mapping(request.trigger, "session"), _mapping(request.trigger, "cart")
    content: dict[str, Any] = {
        **who,
        "do": "remove" if params.get("do") == "remove" else "add",
        "event": one_line(params.get("event"), 64) or "CartAbandoned",
        "event_id": f"{request.run_id}/{request.step_id}",
        "at": session.get("ended_at") or request.now.isoformat(),
        "consent": dict(consent),
    }
    value, money = whole(cart.get("value_minor")), currency(cart.get("currency"))
    if value is not None and money is not None:
        content |= {"value_minor": value, "currency": money, "items": whole(cart.get("count"))}
    if isinstance(session.get("exit_url"), str):
        content["source_url"] = session["exit_url"]
    return content


async def crm(
    rendering: Rendering, request: SendRequest, contact: Contact | None, values: Mapping[str, object]
) -> Composed | Skip:
    """``params``: {"title", "body", "priority", "due_hours", "due_at"} of a task, or {"properties": {…}} of the
    contact. Texts are Liquid; ``values``: what they may use."""
    email = contact.email.strip().lower() if contact is not None and contact.email else None
    params = request.params
    try:
        if isinstance(params.get("properties"), Mapping):
            if email is None:
                return Skip("no_address", "The visitor gave no e-mail address that the CRM could know them by.")
            given = params["properties"]
            texts = [name for name, value in given.items() if isinstance(value, str)]
            said = await rendering.texts(request.project_id, [given[name] for name in texts], values)
            rendered = {**given, **dict(zip(texts, said, strict=True))}
            properties = {one_line(name, 100): value for name, value in rendered.items()}
            return Composed(channel="crm", recipient=email, content={"do": "properties", "properties": properties})
        written = (
            _text(params, "title", "{{ who }} left: {{ reason }}"),
            _text(params, "body", "{{ narrative }}\n{{ session_url }}"),
        )
        title, body = await rendering.texts(request.project_id, written, values)
    except MessageBroken as error:
        return Skip("message_broken", f"The step's text {error}.")
    content = {
        "do": "task",
        "title": one_line(title, 240) or "Somebody left",
        "body": body,
        "priority": one_line(params.get("priority"), 20) or "normal",
    }
    if (hours := whole(params.get("due_hours"))) is not None:
        content["due_at"] = (request.now + timedelta(hours=hours)).isoformat()
    elif isinstance(params.get("due_at"), str):
        content["due_at"] = params["due_at"]
    return Composed(channel="crm", recipient=email, content=content)


def quiet(request: SendRequest, contact: Contact | None) -> Composed | Skip:
    """``params``: {"mode": "quiet" | "suppress" | "resume", "days": 7}. Quiet: nothing is to be planned for them there
    until then; suppress: all marketing there ends."""
    who = _who(contact)
    if not who:
        return _NOBODY
    mode = request.params.get("mode", "quiet")
    days = whole(request.params.get("days", QUIET_DAYS))
    if mode not in _MODES or days is None or not 1 <= days <= MOST_QUIET_DAYS:
        return Skip(
            "bad_step", f"mode must be one of {', '.join(_MODES)}, and days a number from 1 to {MOST_QUIET_DAYS}."
        )
    until = request.now + timedelta(days=days)
    return Composed(channel="esp", recipient=None, content={**who, "do": mode, "until": until.isoformat()})


async def tagged(tx: AsyncSession, request: SendRequest, contact: Contact | None, done: Done) -> Composed | Done:
    """What follows a tag that was put on here: it goes on the shop's own customer too, where a shop is connected."""
    email = contact.email.strip().lower() if contact is not None and contact.email else None
    named = request.params.get("channel")
    word = await word_of(tx, request.project_id, named) if named else "shop"
    if email is None or word != "shop" or not await has_channel(tx, request.project_id, "shop"):
        return done
    put_on, take_off = (_listed(request.params.get(name)) for name in ("set", "remove"))
    if isinstance(request.params.get("tag"), str):
        put_on.append(request.params["tag"])
    return Composed(
        channel="shop", recipient=None, content={"do": "tag", "email": email, "set": put_on, "remove": take_off}
    )


async def in_audience(
    tx: AsyncSession, request: SendRequest, contact: Contact | None, done: Done
) -> Composed | Done | Skip:
    """What follows an addition to a segment: where the step names a channel, the visitor joins there too: an audience
    of ads, or a property in the mail service."""
    named = request.params.get("channel")
    if not named:
        return done
    word = await word_of(tx, request.project_id, named)
    if word == ADS:
        return retargeting(request, contact)
    who = _who(contact)
    if word != "esp" or not who:
        return (
            _NOBODY if word == "esp" else Skip("channel_not_configured", f"There is no ads or esp channel {named!r}.")
        )
    name = "".join(letter if letter.isalnum() else "_" for letter in one_line(request.params.get("segment"), 60))
    content = {**who, "do": "profile", "properties": {f"whyleft_segment_{name.lower()}": True}}
    return Composed(channel="esp", recipient=None, content=content)


def told_platform(request: SendRequest, contact: Contact | None) -> Composed:
    """``params``: {"type": the event's name}: the run's facts as an event of a data platform, without addresses."""
    facts = {name: request.trigger.get(name) for name in ("insight", "session", "cart", "products")}
    content = {
        "event": one_line(request.params.get("type"), 80) or "Recovery Step",
        "properties": {name: fact for name, fact in facts.items() if fact is not None},
        "user_id": (contact.user_id if contact is not None else None) or "",
        "anonymous_id": str(request.visitor_id),
        "at": request.now.isoformat(),
    }
    return Composed(channel="cdp", recipient=None, content=content)


def _who(contact: Contact | None) -> dict[str, str]:
    if contact is None:
        return {}
    known = {"email": contact.email, "phone": contact.phone, "user_id": contact.user_id}
    return {name: value for name, value in known.items() if value}


def _mapping(facts: Mapping[str, object], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(params: Mapping[str, object], name: str, otherwise: str) -> str:
    found = params.get(name)
    return found if isinstance(found, str) and found.strip() else otherwise


def _listed(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
