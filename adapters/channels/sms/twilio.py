"""SMS through Twilio's Messages resource: a repeat is a second message, so a lost answer is never repeated.

Reference (read 2026-11-21): https://www.twilio.com/docs/messaging/api/message-resource, …/docs/api/errors and
…/docs/usage/webhooks/webhooks-security. The delivery's key travels in the address of the status callback, so that a
message whose answer was lost is found again when Twilio reports it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator

from adapters.channels.contract import (
    Accepted,
    Callback,
    CallbackRefused,
    EventKind,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Suppress,
)
from adapters.channels.erasing import Erased, Named
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel
from adapters.channels.line import Answer, Request
from adapters.channels.phone import PhoneInvalid, e164
from adapters.channels.sms.message import asks_to_start, asks_to_stop, recipient_of, told, words_of
from adapters.channels.verdict import said

KEY_NAME: Final = "delivery"
MOST_ERASED: Final = 100
_NO_NAMES: Final = ("+1",)
"""Where a sender may not be a name: North America."""
_SHORT_CODE: Final = re.compile(r"\d{3,8}")
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")
_SERVICE: Final = re.compile(r"MG[0-9a-f]{32}")

_STOPPED: Final = {21610}
_NOBODY: Final = {
    21211: "it is not a number",
    21214: "it cannot be reached",
    21217: "it is not a number",
    21614: "it is not a mobile number",
}
_SENDER: Final = {
    21212: "the sender is not one",
    21603: "there is no sender",
    21606: "this sender cannot send SMS",
    21608: "a trial account reaches verified numbers only",
    21611: "this sender's queue is full",
    21612: "this sender cannot reach this number",
    21659: "this sender is not a number of the account",
    21660: "this sender is of another account",
    21701: "the messaging service is unknown",
    21703: "the messaging service has no sender",
    21704: "the messaging service has no number",
}
_GONE: Final = frozenset({30003, 30005, 30006})
"""Callback errors: switched off for good, unknown, a landline."""


class TwilioSettings(ChannelSettings):
    """Whose messages these are."""

    account_sid: str = Field(description="The account: AC and 32 digits.", pattern="^AC[0-9a-f]{32}$")
    sender: str = Field(
        description="A number of yours (+49…), a short code, a messaging service (MG…), or a name of up to 11 letters.",
        max_length=40,
    )
    status_callback: str = Field(
        "",
        description="This channel's callback address, so that deliveries and opt-outs are reported.",
        pattern="^(https://[^ ]+)?$",
        max_length=500,
    )
    longest_wait_minutes: int = Field(240, description="How long Twilio may hold a message back.", ge=1, le=600)

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, text: str) -> str:
        if text.startswith("+"):
            try:
                return e164(text)
            except PhoneInvalid as error:
                raise ValueError(str(error).rstrip(".")) from None
        if _SERVICE.fullmatch(text) or _SHORT_CODE.fullmatch(text) or _NAME.fullmatch(text):
            return text
        raise ValueError("write +49…, a short code, MG…, or a name of up to 11 letters with one letter at least")


class TwilioCredentials(ChannelCredentials):
    """The token signs callbacks; with it alone messages can be sent too."""

    auth_token: SecretStr = Field(description="The account's auth token.", min_length=16, max_length=100)


class Twilio(HttpChannel[TwilioSettings, TwilioCredentials]):
    """POST …/Messages.json."""

    kind = "twilio"
    title = "Twilio SMS"
    word = "sms"
    sample: ClassVar[Mapping[str, Any]] = {"text": "A test of this channel that you sent yourself."}
    settings_model = TwilioSettings
    credentials_model = TwilioCredentials
    rate: ClassVar[Rate] = Rate(1, 10)
    when_erased: ClassVar[str] = "Twilio deleted every message to and from these numbers."

    def request(self, intent: SendIntent) -> Request:
        to = recipient_of(intent)
        text, _ = words_of(intent)
        sender = self.settings.sender
        if _NAME.fullmatch(sender) and not _SHORT_CODE.fullmatch(sender) and to.startswith(_NO_NAMES):
            raise ContentInvalid(f"A name as sender reaches nobody in {to[:2]}: set a number or a messaging service.")
        form = {"To": to, "Body": text, "ValidityPeriod": str(self.settings.longest_wait_minutes * 60)}
        form["MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From"] = sender
        if self.settings.status_callback:
            form["StatusCallback"] = _with_key(self.settings.status_callback, intent.key)
        headers = {**self._login(), "content-type": "application/x-www-form-urlencoded"}
        return Request("POST", f"{self._messages()}.json", headers, urlencode(form).encode())

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """DELETE …/Messages/{sid} for all that went to one of these numbers or came from it, as far as one page goes:
        what is left is found by the next attempt."""
        messages: set[str] = set()
        for phone in person.phones:
            for side in ("To", "From"):
                query = urlencode({side: phone, "PageSize": MOST_ERASED})
                asked = await self.asked(Request("GET", f"{self._messages()}.json?{query}", self._login()))
                if not isinstance(asked, Answer):
                    return asked
                found = asked.object.get("messages")
                if not isinstance(found, list):
                    return Retry("Twilio's answer is unreadable, and nothing was erased yet.")
                messages |= {str(one["sid"]) for one in found if isinstance(one, Mapping) and "sid" in one}
        return [Request("DELETE", f"{self._messages()}/{sid}.json", self._login()) for sid in sorted(messages)]

    async def erase(self, person: Named) -> Erased:
        result = await super().erase(person)
        if isinstance(result, Accepted) and result.detail == self.when_erased:
            left = await self.erasing(person)
            if isinstance(left, Retry | Rejected):
                return left
            if left:
                return Retry("There are more messages than were deleted at once.", after=timedelta(seconds=1))
        return result

    def _messages(self) -> str:
        return f"https://api.twilio.com/2010-04-01/Accounts/{self.settings.account_sid}/Messages"

    def _login(self) -> dict[str, str]:
        pair = f"{self.settings.account_sid}:{self.credentials.auth_token.get_secret_value()}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        found = answer.object
        if answer.status in (200, 201) and isinstance(found.get("sid"), str):
            _, size = words_of(intent)
            return Accepted(found["sid"], told(size))
        code = found.get("code")
        if not isinstance(code, int) or answer.status >= 500:
            return None
        words = f"({code}{said(answer)})"
        if code in _STOPPED:
            return Suppress(f"They replied STOP to this sender {words}: only they can start it again.")
        if code in _NOBODY:
            return Suppress(f"Twilio cannot write to this number {words}: {_NOBODY[code]}.")
        if code == 21611:
            return Retry(f"Twilio holds too many messages of this sender {words}.", after=timedelta(minutes=5))
        if code in _SENDER:
            return Rejected(f"Twilio refuses the sender {words}: {_SENDER[code]}; check Phone Numbers in its console.")
        if code == 21408:
            return Rejected(f"Twilio may not send to this country {words}: allow it under Messaging, Geo Permissions.")
        if code in (21617, 21602):
            return Rejected(f"Twilio refuses the text {words}.")
        if code in (63038, 20429):
            return Retry(f"Twilio's limit for this account is reached {words}.", after=timedelta(minutes=15))
        return None

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        pairs = parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
        signed = call.url + "".join(name + value for name, value in sorted(set(pairs)))
        secret = self.credentials.auth_token.get_secret_value().encode()
        # SHA-1 is Twilio's choice; as a MAC it still holds.
        expected = base64.b64encode(hmac.digest(secret, signed.encode(errors="replace"), hashlib.sha1))
        given = call.headers.get("x-twilio-signature", "").strip()
        if not hmac.compare_digest(expected, given.encode(errors="replace")):
            raise CallbackRefused(
                "X-Twilio-Signature does not fit: check auth_token, and that Twilio calls the very address shown here."
            )
        form = dict(pairs)
        key = parse_qs(urlsplit(call.url).query).get(KEY_NAME, [None])[0]
        event = _status(form, key, call) if form.get("MessageStatus") else _reply(form, call)
        return [event] if event is not None else []


def _status(form: dict[str, str], key: str | None, call: Callback) -> ProviderEvent | None:
    status, sid = form["MessageStatus"], form.get("MessageSid", "")
    error = form.get("ErrorCode", "")
    code = int(error) if error.isascii() and error.isdigit() else 0
    kind: EventKind
    if status in ("delivered", "read"):
        kind = "delivered"
    elif status in ("undelivered", "failed"):
        kind = "unsubscribed" if code in _STOPPED else "bounced" if code in _GONE else "rejected"
    else:
        return None
    detail = f"Twilio {code}" if code else None
    return ProviderEvent(f"{sid}:{status}", kind, call.at, key=key, provider_id=sid or None, detail=detail)


def _reply(form: dict[str, str], call: Callback) -> ProviderEvent | None:
    """A message that came in: the opt-out that Twilio or we recognise in it."""
    choice, text, sid = form.get("OptOutType", ""), form.get("Body", ""), form.get("MessageSid", "")
    if not form.get("From") or not sid:
        return None
    if choice == "STOP" or (not choice and asks_to_stop(text)):
        return ProviderEvent(sid, "unsubscribed", call.at, recipient=form["From"], detail="They replied STOP.")
    if choice == "START" or (not choice and asks_to_start(text)):
        return ProviderEvent(sid, "resubscribed", call.at, recipient=form["From"], detail="They replied START.")
    return None


def _with_key(url: str, key: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), (KEY_NAME, key)])))
