"""Meta: the Conversions API and custom audiences.

Reference (read 2026-11-21): https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event,
…/parameters/customer-information-parameters and …/audiences/guides/custom-audiences. Event id and name together tell
copies apart; one event older than seven days would fail its whole request, so it never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.ads.person import SAMPLE, Person, happening_of, person_of, removes, sha256
from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent, Unknown
from adapters.channels.erasing import Erased, Named, by_removing
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, HttpChannel, S
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import NEW_KEY_PAUSE, said

API: Final = "https://graph.facebook.com/v24.0"
_LOGIN: Final = frozenset({10, 102, 190, 200, 294})
_BUSY: Final = frozenset({2, 4, 17, 32, 341, 368, 613, *range(80_000, 80_015)})


class MetaCredentials(ChannelCredentials):
    """A system user's token."""

    access_token: SecretStr = Field(description="A system user's token with ads_management.", min_length=8)


class MetaConversionsSettings(ChannelSettings):
    """Which dataset is told."""

    pixel_id: str = Field(description="The pixel or dataset id, digits only.", pattern="^[0-9]{5,30}$")
    test_event_code: str = Field(
        "", description="A code of Events Manager's Test Events: what is sent counts for nothing.", max_length=40
    )


class MetaAudienceSettings(ChannelSettings):
    """Which audience people join and leave."""

    audience_id: str = Field(description="The id of a customer-list audience, digits only.", pattern="^[0-9]{5,30}$")


class _Meta(HttpChannel[S, MetaCredentials]):
    word = "ads"
    credentials_model = MetaCredentials
    idempotency: ClassVar[Idempotency] = "natural"

    def _call(self, method: str, path: str, body: dict[str, Any]) -> Request:
        login = {"authorization": f"Bearer {self.credentials.access_token.get_secret_value()}"}
        return json_request(method, f"{API}/{path}", body, headers=login)

    def _refused(self, answer: Answer) -> Result | None:
        error = answer.object.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if not isinstance(error, dict) or not isinstance(code, int):
            return None
        words = f"({code}{said(answer)})"
        if code in _LOGIN:
            return Retry(f"Meta refuses the token {words}: make a new one with ads_management.", after=NEW_KEY_PAUSE)
        if code in _BUSY or error.get("is_transient") is True:
            return Retry(f"Meta asks to wait {words}.", after=timedelta(minutes=5))
        if code == 1:
            return Unknown(f"Meta failed {words}.")
        told = error.get("error_user_msg")
        return Rejected(f"Meta refuses this {words}{': ' + told[:200] if isinstance(told, str) else ''}.")


class MetaConversions(_Meta[MetaConversionsSettings]):
    """POST /{pixel}/events."""

    kind = "meta_conversions"
    title = "Meta Conversions API"
    settings_model = MetaConversionsSettings
    rate: ClassVar[Rate] = Rate(20, 50)
    sample: ClassVar[Mapping[str, Any]] = SAMPLE
    by_hand: ClassVar[str] = (
        "Meta has no call that deletes one person's events; it holds them as hashes. They can be erased with the "
        "whole dataset alone: Events Manager, Settings."
    )

    def request(self, intent: SendIntent) -> Request:
        happened = happening_of(intent, self.line.now())
        event: dict[str, Any] = {
            "event_name": happened.event,
            "event_time": int(happened.at.timestamp()),
            "event_id": happened.event_id,
            # "website" would have to carry the browser's address and name, which nobody gave us for this.
            "action_source": "system_generated",
            "user_data": _hashed(person_of(intent)),
        }
        if happened.source_url:
            event["event_source_url"] = happened.source_url
        if happened.value is not None:
            event["custom_data"] = {"value": happened.value, "currency": happened.currency}
        body: dict[str, Any] = {"data": [event]}
        if self.settings.test_event_code:
            body["test_event_code"] = self.settings.test_event_code
        return self._call("POST", f"{self.settings.pixel_id}/events", body)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status != 200:
            return self._refused(answer)
        received = answer.object.get("events_received")
        if received == 1:
            trace = answer.object.get("fbtrace_id")
            return Accepted(trace if isinstance(trace, str) else None)
        if isinstance(received, int):
            return Rejected(f"Meta took {received} of one event{said(answer)}: see Events Manager, Diagnostics.")
        return self._refused(answer) or Unknown("Meta's answer does not say whether the event was taken.")


class MetaAudience(_Meta[MetaAudienceSettings]):
    """POST and DELETE /{audience}/users."""

    kind = "meta_audience"
    title = "Meta custom audience"
    settings_model = MetaAudienceSettings
    rate: ClassVar[Rate] = Rate(2, 10)
    sample: ClassVar[Mapping[str, Any]] = SAMPLE

    async def erase(self, person: Named) -> Erased:
        return await by_removing(self.send, person, "email", "phone", "user_id")

    def request(self, intent: SendIntent) -> Request:
        person = person_of(intent)
        known = {
            "EMAIL": sha256(person.email) if person.email else "",
            "PHONE": sha256(person.phone.removeprefix("+")) if person.phone else "",
            "EXTERN_ID": person.user_id,
        }
        columns = [name for name, value in known.items() if value]
        payload = {"schema": columns, "data": [[known[name] for name in columns]]}
        method = "DELETE" if removes(intent) else "POST"
        return self._call(method, f"{self.settings.audience_id}/users", {"payload": payload})

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status != 200:
            return self._refused(answer)
        received, invalid = answer.object.get("num_received"), answer.object.get("num_invalid_entries")
        if received == 1 and not invalid:
            session = answer.object.get("session_id")
            return Accepted(str(session) if isinstance(session, str | int) else None)
        if isinstance(received, int):
            return Rejected(f"Meta took nobody ({received} received, {invalid} invalid): the identifier is no good.")
        return self._refused(answer) or Unknown("Meta's answer does not say whether the audience changed.")


def _hashed(person: Person) -> dict[str, list[str]]:
    known = {
        "em": sha256(person.email) if person.email else "",
        "ph": sha256(person.phone.removeprefix("+")) if person.phone else "",
        "external_id": sha256(person.user_id) if person.user_id else "",
    }
    return {name: [value] for name, value in known.items() if value}
