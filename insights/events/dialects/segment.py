"""Segment's messages in our words: identify, track, page, screen, group, alias. Pure.

After https://segment.com/docs/connections/spec/ . A name that its e-commerce spec does not know is kept as custom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from insights.events.dialects import segment_commerce
from insights.events.dialects.commerce import props_of
from insights.events.dialects.translation import (
    Envelope,
    Translated,
    Untranslatable,
    Who,
    clock_of,
    content_key,
    epoch_ms,
    mapping,
    text,
)

TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")


def translate(message: object, envelope: Envelope) -> list[Translated]:
    """One message in our words. Raises Untranslatable, naming the field."""
    message = mapping(message, "message")
    if not message:
        raise Untranslatable("message: must be a JSON object with type, and userId or anonymousId")
    kind = envelope.type or message.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Untranslatable(f"type: must be one of {', '.join(TYPES)}")
    context = {**mapping(envelope.context, "context"), **mapping(message.get("context"), "context")}
    page = mapping(context.get("page"), "context.page")
    type_, props, who = _READERS[kind](message, context, page)
    at_ms, behind_ms = _at(message, envelope)
    said = Translated(
        key=_key(message, envelope),
        type=type_,
        props=props,
        who=who,
        at_ms=at_ms,
        url=_url(message, page),
        session=_session(message, context),
        behind_ms=behind_ms,
        signatures=mapping(context.get("signatures"), "context.signatures"),
        says_who=kind in ("identify", "alias"),
    )
    return [said]


def _at(message: Mapping[str, object], envelope: Envelope) -> tuple[int, int]:
    """When it happened, and how far the clock that says so is behind ours: not at all where it is far off, for then
    its times were moved."""
    said = next((name for name in ("originalTimestamp", "timestamp") if message.get(name) is not None), None)
    if said is None:
        return envelope.received_ms, 0
    at = epoch_ms(message[said], said)
    sent_at, received_ms = envelope.sent_at, envelope.received_ms
    if message.get("sentAt") is not None:
        sent_at = message["sentAt"]
        # Who passes messages on says when they had it: what they tell a week later is a week old.
        received_ms = (
            received_ms if message.get("receivedAt") is None else epoch_ms(message["receivedAt"], "receivedAt")
        )
    skew_ms, behind_ms = clock_of(sent_at, received_ms, "sentAt")
    return at + skew_ms, behind_ms


def _key(message: Mapping[str, object], envelope: Envelope) -> str:
    identifier = text(message.get("messageId"), "messageId")
    if identifier is not None:
        return identifier
    dated = any(message.get(name) is not None for name in ("originalTimestamp", "timestamp"))
    return content_key(message, envelope, dated=dated)


def _who(message: Mapping[str, object]) -> Who:
    who = Who(
        anonymous_id=text(message.get("anonymousId"), "anonymousId"), user_id=text(message.get("userId"), "userId")
    )
    if who.anonymous_id is None and who.user_id is None:
        raise Untranslatable("userId: is missing; send userId or anonymousId")
    return who


def _session(message: Mapping[str, object], context: Mapping[str, object]) -> str | None:
    said = message.get("properties")
    for source in (context, said if isinstance(said, dict) else {}):
        for name in ("sessionId", "session_id"):
            value = source.get(name)
            if value not in (None, "") and not isinstance(value, bool) and isinstance(value, str | int):
                return str(value)[:200]
    return None


def _url(message: Mapping[str, object], page: Mapping[str, object]) -> str | None:
    said = message.get("properties")
    for value in (said.get("url") if isinstance(said, dict) else None, page.get("url")):
        if isinstance(value, str) and value:
            return value if len(value) <= 4096 else value.partition("?")[0][:4096]
    return None


_NONE: Final = "$direct"
"""What RudderStack's script for pages calls the referrer of whoever has none."""

_Reader = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], tuple[str, dict[str, Any], Who]]


def _identify(message: Mapping[str, object], context: Mapping[str, object], page: Mapping[str, object]) -> Any:
    # RudderStack's clients put them into the context.
    traits = {**mapping(context.get("traits"), "context.traits"), **mapping(message.get("traits"), "traits")}
    who = _who(message)
    known = {
        "user_id": who.user_id,
        "email": text(traits.get("email"), "traits.email"),
        "phone": text(traits.get("phone"), "traits.phone"),
        "traits": traits or None,
    }
    return "identified", {name: value for name, value in known.items() if value is not None}, who


def _alias(message: Mapping[str, object], context: Mapping[str, object], page: Mapping[str, object]) -> Any:
    previous = text(message.get("previousId"), "previousId")
    user_id = text(message.get("userId"), "userId")
    if previous is None or user_id is None:
        raise Untranslatable(f"{'previousId' if previous is None else 'userId'}: is missing; alias needs both")
    return "identified", {"user_id": user_id, "previous_id": previous}, Who(anonymous_id=previous, user_id=user_id)


def _page(message: Mapping[str, object], context: Mapping[str, object], page: Mapping[str, object]) -> Any:
    said = mapping(message.get("properties"), "properties")
    known: dict[str, Any] = {
        name: text(said.get(name) if said.get(name) is not None else page.get(name), f"properties.{name}")
        for name in ("url", "path", "title", "referrer")
    }
    if known["referrer"] == _NONE:
        known["referrer"] = None
    known["name"] = text(message.get("name"), "name")
    known["category"] = text(message.get("category"), "category")
    known["source"] = _source(context, page)
    known["client"] = _client(context)
    return "page_viewed", props_of("page_viewed", said, (), known), _who(message)


def _source(context: Mapping[str, object], page: Mapping[str, object]) -> dict[str, Any] | None:
    campaign = mapping(context.get("campaign"), "context.campaign")
    names = {"name": "campaign"}
    return {f"utm_{names.get(name, name)}": value for name, value in campaign.items()} or None


def _client(context: Mapping[str, object]) -> dict[str, Any] | None:
    client = {
        ours: context[theirs]
        for ours, theirs in (("language", "locale"), ("time_zone", "timezone"))
        if isinstance(context.get(theirs), str)
    }
    return client or None


def _named(kind: str) -> _Reader:
    """A call that shops have no word for: kept whole as a custom event of the call's name."""

    def read(message: Mapping[str, object], context: Mapping[str, object], page: Mapping[str, object]) -> Any:
        kept = {
            "screen": ("name", "category", "properties"),
            "group": ("groupId", "traits"),
        }[kind]
        return kind, {name: message[name] for name in kept if message.get(name) is not None}, _who(message)

    return read


def _track(message: Mapping[str, object], context: Mapping[str, object], page: Mapping[str, object]) -> Any:
    name = text(message.get("event"), "event")
    if name is None:
        raise Untranslatable("event: is missing; track needs the event's name")
    if len(name) > 200:
        raise Untranslatable("event: must be 1 to 200 characters")
    said = mapping(message.get("properties"), "properties")
    type_, props = segment_commerce.read(name, said, message) or ("custom", {"name": name, "props": dict(said)})
    return type_, props, _who(message)


_READERS: Final[dict[str, _Reader]] = {
    "identify": _identify,
    "track": _track,
    "page": _page,
    "screen": _named("screen"),
    "group": _named("group"),
    "alias": _alias,
}
