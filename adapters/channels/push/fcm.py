"""Firebase Cloud Messaging, HTTP v1: to apps, and to browsers that an app of yours registered with Firebase.

Reference (read 2026-11-21): https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and
…/docs/cloud-messaging/error-codes. A repeat has the same collapse key and takes the place of the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field

from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent, Suppress
from adapters.channels.google_channel import GoogleChannel
from adapters.channels.http_channel import ChannelSettings, ContentInvalid
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.push.note import note_of, subscription_of
from adapters.channels.verdict import retry_after, said

MOST_TOKEN: Final = 4_000


class FcmSettings(ChannelSettings):
    """Which Firebase project."""

    project: str = Field(description="The Firebase project's id.", pattern="^[a-z][a-z0-9-]{4,29}$")


class Fcm(GoogleChannel[FcmSettings]):
    """POST …/messages:send, with a token of the service account."""

    kind = "fcm"
    title = "Firebase Cloud Messaging"
    word = "push"
    scope = "https://www.googleapis.com/auth/firebase.messaging"
    settings_model = FcmSettings
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(100, 500)
    sample: ClassVar[Mapping[str, Any]] = {"title": "A test of this channel", "body": "You sent it yourself."}
    by_hand: ClassVar[str] = (
        "Firebase knows no names, only the token of the app, which is forgotten here; the app ends it with deleteToken."
    )

    def request(self, intent: SendIntent) -> Request:
        note = note_of(intent)
        token = subscription_of(intent).get("token")
        if not isinstance(token, str) or not 0 < len(token) <= MOST_TOKEN:
            raise ContentInvalid("The subscription has no registration token.")
        notification = {"title": note.title, "body": note.body} | ({"image": note.icon} if note.icon else {})
        message: dict[str, Any] = {
            "token": token,
            "notification": notification,
            "data": note.shown(),
            "android": {"collapse_key": note.topic, "ttl": f"{note.seconds}s"},
            "apns": {"headers": {"apns-collapse-id": note.topic}},
            "webpush": {"headers": {"TTL": str(note.seconds), "Topic": note.topic}},
        }
        if note.url.startswith("https://"):
            message["webpush"]["fcm_options"] = {"link": note.url}
        address = f"https://fcm.googleapis.com/v1/projects/{self.settings.project}/messages:send"
        return json_request("POST", address, {"message": message})

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        name = answer.object.get("name")
        if answer.status == 200 and isinstance(name, str):
            return Accepted(name)
        code = _code(answer)
        words = f"({answer.status} {code}{said(answer)})"
        if code == "UNREGISTERED" or (answer.status == 404 and code):
            return Suppress(f"The app was removed or the token is over {words}.")
        if code == "SENDER_ID_MISMATCH":
            return Suppress(f"The token is of another Firebase project {words}.")
        if code == "INVALID_ARGUMENT" and "token" in answer.text.casefold():
            return Suppress(f"Firebase does not know this token {words}.")
        if code == "THIRD_PARTY_AUTH_ERROR":
            return Rejected(
                f"Firebase may not reach Apple or the browser {words}: renew the APNs key or the VAPID key."
            )
        if code in ("QUOTA_EXCEEDED", "UNAVAILABLE"):
            return Retry(
                f"Firebase asks to wait {words}.", after=retry_after(answer.headers.get("retry-after"), answer.at)
            )
        return None


def _code(answer: Answer) -> str:
    """FCM's own error code, else the status of the error."""
    error = answer.object.get("error")
    if not isinstance(error, dict):
        return ""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and isinstance(detail.get("errorCode"), str):
            return str(detail["errorCode"])[:60]
    return str(error.get("status", ""))[:60]
