"""Segment's own way of telling what happened, outwards: any customer data platform that speaks it takes it.

Reference (read 2026-11-21): https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api.
A message id makes a repeat harmless. Content: event, properties, at, user_id or anonymous_id; or ``events``, a list.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent
from adapters.channels.erasing import CannotErase, Erased, Named
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel, text_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import said

MOST_EVENTS: Final = 100
MOST_BYTES: Final = 450_000


class SegmentOutSettings(ChannelSettings):
    """Where it is told."""

    leads_to: ClassVar[str | None] = "api"

    api: str = Field(
        "https://api.segment.io/v1",
        description="https://events.eu1.segmentapis.com/v1 for Europe, or that of another platform of this dialect.",
        pattern="^https://[^ ]+$",
        max_length=200,
    )


class SegmentOutCredentials(ChannelCredentials):
    """The source's key."""

    write_key: SecretStr = Field(description="The write key of an HTTP API source.", min_length=8)
    public_api_token: SecretStr | None = Field(
        None, description="A token of the Public API (Workspace Owner), so that people can be erased.", min_length=8
    )


class SegmentOut(HttpChannel[SegmentOutSettings, SegmentOutCredentials]):
    """POST /batch."""

    kind = "segment"
    title = "Segment"
    word = "cdp"
    settings_model = SegmentOutSettings
    credentials_model = SegmentOutCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(50, 100)
    sample: ClassVar[Mapping[str, Any]] = {"event": "Whyleft Test", "anonymous_id": "whyleft-test"}
    knows_visitors: ClassVar[bool] = True
    when_erased: ClassVar[str] = "Segment took the request, and passes it on to the destinations that support it."

    async def erase(self, person: Named) -> Erased:
        if self.credentials.public_api_token is None:
            return CannotErase(
                "Segment erases by a token of its Public API alone, and this channel has none (public_api_token): "
                "ask for it there, under Privacy, Deletion and Suppression, or in the other platform of this dialect."
            )
        if person.visitors and not person.user_ids:
            return CannotErase(
                "Segment erases by user id alone, and these visitors were told to it by their anonymous ids: ask the "
                "destinations behind it to erase those ids."
            )
        return await super().erase(person)

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST /regulations (https://docs.segmentapis.com/tag/Deletion-and-Suppression): by user id alone."""
        if not person.user_ids or self.credentials.public_api_token is None:
            return []
        host = "eu1.api.segmentapis.com" if ".eu1." in self.settings.api else "api.segmentapis.com"
        wanted = {"regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": list(person.user_ids)}
        login = {"authorization": f"Bearer {self.credentials.public_api_token.get_secret_value()}"}
        return [json_request("POST", f"https://{host}/regulations", wanted, headers=login)]

    def request(self, intent: SendIntent) -> Request:
        given = intent.content.get("events") or [intent.content]
        if not isinstance(given, list) or not 0 < len(given) <= MOST_EVENTS:
            raise ContentInvalid(f"events must be 1 to {MOST_EVENTS}.")
        now = self.line.now()
        batch = [_track(one, f"{intent.key}/{place}", now) for place, one in enumerate(given)]
        login = base64.b64encode(f"{self.credentials.write_key.get_secret_value()}:".encode()).decode()
        request = json_request(
            "POST",
            f"{self.settings.api.rstrip('/')}/batch",
            {"batch": batch},
            headers={"authorization": f"Basic {login}"},
        )
        if len(request.content) > MOST_BYTES:
            raise ContentInvalid(f"The events are larger than {MOST_BYTES} bytes.")
        return request

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status == 200 and not answer.is_page and answer.whole:
            if answer.object.get("success") is False:
                return Rejected(f"Segment refuses this{said(answer)}.")
            return Accepted() if isinstance(answer.json, dict) else None
        return None


def _track(given: object, key: str, now: datetime) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ContentInvalid("Each of events must be an object.")
    properties = given.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise ContentInvalid("properties must be an object.")
    user, anonymous = (text_of(given, name, 255, required=False) for name in ("user_id", "anonymous_id"))
    if not (user or anonymous):
        raise ContentInvalid("Each event needs user_id or anonymous_id.")
    told = {
        "type": "track",
        "messageId": text_of(given, "message_id", 100, required=False) or key,
        "event": text_of(given, "event", 255),
        "properties": dict(properties),
        "timestamp": text_of(given, "at", 40, required=False) or now.isoformat(),
        "userId": user,
        "anonymousId": anonymous,
        "context": {"library": {"name": "whyleft"}},
    }
    return {name: value for name, value in told.items() if value != ""}
