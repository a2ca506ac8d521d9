"""Reads from Klaviyo and Braze who wants no more messages, or cannot get them. Pure.

Opens, clicks and deliveries of the provider's own campaigns are no part of a visit to the shop and say nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class OptOut:
    """Nothing more goes to ``recipient`` on ``channel`` (email or sms)."""

    channel: str
    recipient: str
    reason: str


def opt_outs(provider: str, document: object) -> tuple[list[OptOut], int]:
    """Who is to be left alone by a body of ``provider``, and how many of its events say nothing of that."""
    found: list[OptOut] = []
    others = 0
    for event in _EVENTS[provider](document):
        if event is None:
            others += 1
        elif event not in found:
            found.append(event)
    return found, others


_LONGEST: Final = 320


def _recipient(*values: object) -> str | None:
    for value in values:
        if isinstance(value, str) and value.strip() and len(value) <= _LONGEST and value.isprintable():
            return value.strip()
    return None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# --- Klaviyo: system webhooks, {"meta": …, "data": [{"topic": …, "payload": {"data": …, "included": […]}}]} ---------


def _klaviyo(document: object) -> Iterator[OptOut | None]:
    for item in _list(_dict(document).get("data")):
        entry = _dict(item)
        topic = entry.get("topic")
        meaning = _klaviyo_meaning(topic) if isinstance(topic, str) else None
        payload = _dict(entry.get("payload"))
        attributes = _dict(_dict(payload.get("data")).get("attributes"))
        properties = _dict(attributes.get("event_properties"))
        profiles = [
            _dict(_dict(part).get("attributes"))
            for part in _list(payload.get("included"))
            if _dict(part).get("type") == "profile"
        ]
        profile = profiles[0] if profiles else {}
        if meaning is None or str(properties.get("Bounce Type")).lower() == "soft":
            # A mailbox that is full today is not lost.
            yield None
        elif meaning[0] == "sms":
            number = _recipient(profile.get("phone_number"), properties.get("phone_number"))
            yield OptOut("sms", number, meaning[1]) if number else None
        else:
            address = _recipient(
                profile.get("email"), properties.get("email"), properties.get("Recipient Email Address")
            )
            yield OptOut("email", address, meaning[1]) if address else None


def _klaviyo_meaning(topic: str) -> tuple[str, str] | None:
    """A shop's own metrics are topics, too (``event:api.unsubscribed_from_plan``), and so is what became of a push."""
    source, _, name = topic.lower().rpartition(".")
    if source != "event:klaviyo" or "push" in name or "whatsapp" in name:
        return None
    if "unsubscribed" in name or "manually_suppressed" in name:
        return ("sms" if "sms" in name else "email", "unsubscribed at Klaviyo")
    if "spam" in name:
        return ("email", "marked as spam at Klaviyo")
    if "bounced" in name:
        return ("email", "bounced at Klaviyo")
    return None


# --- Braze: Currents' custom HTTP connector, {"events": [{"event_type": …, "user": …, "properties": …}]} ---------

_BRAZE: Final[Mapping[str, tuple[str, str]]] = {
    "users.messages.email.unsubscribe": ("email", "unsubscribed at Braze"),
    "users.messages.email.markasspam": ("email", "marked as spam at Braze"),
    "users.messages.email.bounce": ("email", "bounced at Braze"),
}
_BRAZE_STATE: Final = "users.behaviors.subscription.globalstatechange"
"""Who leaves by a preference centre, a list-unsubscribe header or somebody's hand is told by this alone."""


def _braze(document: object) -> Iterator[OptOut | None]:
    for item in _list(_dict(document).get("events")):
        event = _dict(item)
        kind, properties = event.get("event_type"), _dict(event.get("properties"))
        meaning = _braze_meaning(kind.lower(), properties) if isinstance(kind, str) else None
        address = _recipient(properties.get("email_address"), _dict(event.get("user")).get("email"))
        yield OptOut(meaning[0], address, meaning[1]) if meaning is not None and address is not None else None


def _braze_meaning(kind: str, properties: Mapping[str, object]) -> tuple[str, str] | None:
    if kind != _BRAZE_STATE:
        return _BRAZE.get(kind)
    status, channel = (str(properties.get(name)).lower() for name in ("subscription_status", "channel"))
    # What it says of push and the like is said of no address.
    return ("email", "unsubscribed at Braze") if (status, channel) in _BRAZE_LEFT else None


_BRAZE_LEFT: Final = {("unsubscribed", "email"), ("unsubscribed", "none")}


_EVENTS: Final[Mapping[str, Callable[[Any], Iterator[OptOut | None]]]] = {"klaviyo": _klaviyo, "braze": _braze}
