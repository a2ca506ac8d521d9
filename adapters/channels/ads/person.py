"""Whom an ad platform is told of, never by name: identifiers normalised as each platform does, then hashed (SHA-256).

Content: email, phone, user_id (any of them); event, at, value_minor, currency, items, source_url, event_id for what
happened; do "add" or "remove" for an audience. ``consent``: what the person agreed to, "ads" among its channels; a
channel refuses to say anything of somebody without it, whoever asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.channels.amounts import units
from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ContentInvalid, text_of
from adapters.channels.phone import PhoneInvalid, e164

SAMPLE: Final[Mapping[str, Any]] = {
    "event": "WhyleftTest",
    "do": "add",
    # Whoever tests it is told of themselves.
    "consent": {"marketing": True, "channels": ["ads"]},
}
OLDEST: Final = timedelta(days=7)
_AHEAD: Final = timedelta(minutes=5)
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Person:
    """As they were told: trimmed, small letters, the phone in E.164. "" for what is not known."""

    email: str
    phone: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Happening:
    """``value`` in units of ``currency``; None where it is not known. ``event_id``: the same at every repeat."""

    event: str
    event_id: str
    at: datetime
    value: float | None
    currency: str
    items: int | None
    source_url: str


def person_of(intent: SendIntent) -> Person:
    """Raises ContentInvalid where nothing is known of the person, or they did not agree."""
    content = intent.content
    _check_consent(content)
    email = "".join(text_of(content, "email", 320, required=False).split()).lower()
    phone = text_of(content, "phone", 60, required=False)
    if phone:
        try:
            phone = e164(phone)
        except PhoneInvalid:
            phone = ""
    person = Person(email if "@" in email else "", phone, text_of(content, "user_id", 512, required=False).strip())
    if not (person.email or person.phone or person.user_id):
        raise ContentInvalid("Nothing is known that an ad platform could know them by: no e-mail, phone or user id.")
    return person


def happening_of(intent: SendIntent, now: datetime) -> Happening:
    """What happened. Raises ContentInvalid, also for what lies back too far: some platforms refuse a whole request
    for one such event."""
    content = intent.content
    at = _time(content.get("at"), now)
    if at < now - OLDEST:
        raise ContentInvalid(
            f"It happened at {at:%Y-%m-%d %H:%M} UTC; ad platforms take nothing older than seven days."
        )
    if at > now + _AHEAD:
        raise ContentInvalid("It happens in the future: check the clock of whoever told it.")
    currency = text_of(content, "currency", 3, required=False).upper()
    minor = content.get("value_minor")
    value = None
    if isinstance(minor, int) and not isinstance(minor, bool) and len(currency) == 3:
        value = units(minor, currency)
    items = content.get("items")
    return Happening(
        event=text_of(content, "event", 64),
        event_id=text_of(content, "event_id", 200, required=False) or intent.key,
        at=at,
        value=value,
        currency=currency if value is not None else "",
        items=items if isinstance(items, int) and not isinstance(items, bool) and items >= 0 else None,
        source_url=text_of(content, "source_url", 2_000, required=False).partition("?")[0],
    )


def removes(intent: SendIntent) -> bool:
    """Whether somebody leaves an audience. Raises ContentInvalid."""
    wanted = intent.content.get("do") or "add"
    if wanted not in ("add", "remove"):
        raise ContentInvalid("do must be add or remove.")
    return bool(wanted == "remove")


def sha256(text: str) -> str:
    """The hash of a normalised identifier, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def without_dots(email: str, *, everywhere: bool) -> str:
    """The mailbox behind an address: without dots and +tags of the local part; unless ``everywhere``, at Gmail only."""
    local, _, domain = email.rpartition("@")
    if not everywhere and domain not in _GMAIL:
        return email
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _check_consent(content: Mapping[str, object]) -> None:
    # Leaving an audience needs no consent: it is what somebody gets who took it back.
    if content.get("do") == "remove":
        return
    consent = content.get("consent")
    channels = consent.get("channels") if isinstance(consent, Mapping) else None
    agreed = isinstance(consent, Mapping) and consent.get("marketing") is True
    if not agreed or not isinstance(channels, list | tuple) or "ads" not in channels:
        raise ContentInvalid(
            'They did not agree to ads: consent must hold marketing true and "ads" among its channels.'
        )


def _time(given: object, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        raise ContentInvalid("at must be a time such as 2026-11-21T12:00:00+00:00.") from None
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
