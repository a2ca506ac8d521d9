"""Tickets as messages in a Slack channel.

Reference (read 2026-11-21): https://docs.slack.dev/reference/methods/chat.postMessage and
…/conversations.history. Every answer is a 200 with ``ok``; the marker travels in the message's metadata, unseen.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    NotFound,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unknown,
    Unsupported,
)
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import NEW_KEY_PAUSE, retry_after
from adapters.channels.work.report import change_of, marker_of, plain, report_of
from adapters.channels.work.tracker import Tracker

_EVENT: Final = "whyleft_ticket"
_LOGIN: Final = frozenset(
    {
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "no_permission",
        "missing_scope",
        "org_login_required",
        "ekm_access_denied",
        "not_allowed_token_type",
    }
)
_BUSY: Final = frozenset({"ratelimited", "rate_limited", "request_timeout", "service_unavailable"})
_LOST: Final = frozenset(("fatal_error", "internal_error"))


class SlackSettings(ChannelSettings):
    """Where it is said."""

    channel: str = Field(
        description="The channel's id (C…); the app must be a member.", pattern="^[CGD][A-Z0-9]{6,20}$"
    )


class SlackCredentials(ChannelCredentials):
    """A bot's token."""

    bot_token: SecretStr = Field(
        description="xoxb-…, with chat:write and channels:history (groups:history for private channels).", min_length=8
    )


class Slack(Tracker[SlackSettings, SlackCredentials]):
    """POST /api/chat.postMessage."""

    kind = "slack"
    title = "Slack"
    settings_model = SlackSettings
    credentials_model = SlackCredentials
    rate: ClassVar[Rate] = Rate(1, 1)
    says_when_closing: ClassVar[bool] = True

    def request(self, intent: SendIntent) -> Request:
        change = change_of(intent)
        body: dict[str, Any] = {"channel": self.settings.channel, "unfurl_links": False, "unfurl_media": False}
        if change is not None:
            sign = ":white_check_mark: " if change.closes else ""
            body |= {"thread_ts": change.ticket, "text": sign + _text(change.comment)}
        else:
            report = report_of(intent)
            body["text"] = f"*{_text(report.title)}*\n{_text(plain(report))}"[:39_000]
        body["metadata"] = {"event_type": _EVENT, "event_payload": {"marker": marker_of(intent.key)}}
        return self._call("chat.postMessage", body)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status != 200 or answer.is_page or not isinstance(answer.object.get("ok"), bool):
            return None if answer.status != 200 or answer.is_page else Unknown("Slack's answer cannot be read.")
        if answer.object["ok"]:
            stamp = answer.object.get("ts")
            return Accepted(stamp) if isinstance(stamp, str) else Unknown("Slack names no message.")
        error = str(answer.object.get("error", "unknown_error"))[:80]
        if error in _LOGIN:
            return Retry(
                f"Slack refuses the token ({error}): make a new one, or give it the scopes of the channel's page.",
                after=NEW_KEY_PAUSE,
            )
        if error in _BUSY:
            return Retry(
                f"Slack asks to wait ({error}).", after=retry_after(answer.headers.get("retry-after"), answer.at)
            )
        if error in _LOST:
            return Unknown(f"Slack failed ({error}): the message may stand there all the same.")
        if error in ("channel_not_found", "not_in_channel", "is_archived"):
            return Rejected(f"Slack cannot write there ({error}): invite the app to the channel, or set another one.")
        return Rejected(f"Slack refuses this ({error}).")

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        address = (
            f"https://slack.com/api/conversations.history?channel={self.settings.channel}&limit=200"
            "&include_all_metadata=true"
        )
        answer = await self.call(Request("GET", address, self._login(), harmless=True))
        found = (
            answer.object.get("messages") if isinstance(answer, Answer) and answer.object.get("ok") is True else None
        )
        if not isinstance(found, list):
            return Unsupported()
        marker = marker_of(key)
        for message in found:
            metadata = message.get("metadata") if isinstance(message, dict) else None
            payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
            if isinstance(payload, dict) and payload.get("marker") == marker:
                return Accepted(str(message.get("ts")))
        return NotFound()

    async def is_open(self, ticket: str) -> bool | None:
        # A message in a chat has no state.
        return None

    def _call(self, method: str, body: dict[str, Any]) -> Request:
        return json_request("POST", f"https://slack.com/api/{method}", body, headers=self._login())

    def _login(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.credentials.bot_token.get_secret_value()}"}


def _text(text: str) -> str:
    # Slack's own three escapes: without them a path could mention a channel or hide a link.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
