"""Reddit: conversions and custom audiences (Ads API v3).

Reference (read 2026-11-21): https://ads-api.reddit.com/docs/v3/. A conversion id tells copies apart; nothing older than
seven days is taken. Audiences need an OAuth token, which lasts a day and is fetched with a refresh token.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from adapters.channels.ads.person import SAMPLE, happening_of, person_of, removes, sha256, without_dots
from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent
from adapters.channels.erasing import Erased, Named, by_removing
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel
from adapters.channels.line import Answer, Broken, Request, json_request
from adapters.channels.verdict import NEW_KEY_PAUSE, judge_answer, said

API: Final = "https://ads-api.reddit.com/api/v3"
TOKEN_URL: Final = "https://www.reddit.com/api/v1/access_token"  # noqa: S105  (an address)
MOST_KEPT: Final = 500
_NAMES: Final = {
    "Purchase": "PURCHASE",
    "AddToCart": "ADD_TO_CART",
    "ViewContent": "VIEW_CONTENT",
    "Search": "SEARCH",
    "Lead": "LEAD",
    "CompleteRegistration": "SIGN_UP",
    "PageView": "PAGE_VISIT",
}
"""The common names of what happens → Reddit's; anything else is a custom event of its own name."""
_WITHOUT_VALUE: Final = frozenset({"PAGE_VISIT", "VIEW_CONTENT", "SEARCH"})
_COUNTED: Final = frozenset({"PURCHASE", "ADD_TO_CART", "CUSTOM"})


class RedditConversionsSettings(ChannelSettings):
    """Which pixel is told."""

    pixel_id: str = Field(description="The pixel's id, as Events Manager shows it.", pattern="^[A-Za-z0-9_]{3,40}$")
    test_id: str = Field("", description="A test id: what is sent counts for nothing.", max_length=60)


class RedditConversionsCredentials(ChannelCredentials):
    """A conversion access token."""

    access_token: SecretStr = Field(description="Events Manager, Conversions API, Generate Access Token.", min_length=8)


class RedditConversions(HttpChannel[RedditConversionsSettings, RedditConversionsCredentials]):
    """POST /pixels/{pixel}/conversion_events."""

    kind = "reddit_conversions"
    title = "Reddit conversions"
    word = "ads"
    settings_model = RedditConversionsSettings
    credentials_model = RedditConversionsCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(10, 20)
    sample: ClassVar[Mapping[str, Any]] = SAMPLE
    by_hand: ClassVar[str] = (
        "Reddit has no call that deletes one person's events; it holds them as hashes. Ask its support: "
        "https://www.reddithelp.com."
    )

    def request(self, intent: SendIntent) -> Request:
        happened, person = happening_of(intent, self.line.now()), person_of(intent)
        name = _NAMES.get(happened.event, "CUSTOM")
        kind = {"tracking_type": name} | ({"custom_event_name": happened.event} if name == "CUSTOM" else {})
        metadata: dict[str, Any] = {"conversion_id": happened.event_id}
        if happened.value is not None and name not in _WITHOUT_VALUE:
            metadata |= {"value": happened.value, "currency": happened.currency}
        if happened.items is not None and name in _COUNTED:
            metadata["item_count"] = happened.items
        known = {
            "email": sha256(without_dots(person.email, everywhere=True)) if person.email else "",
            "phone_number": sha256(person.phone) if person.phone else "",
            "external_id": sha256(person.user_id) if person.user_id else "",
        }
        event: dict[str, Any] = {
            "event_at": int(happened.at.timestamp() * 1000),
            "action_source": "WEBSITE",
            "type": kind,
            "metadata": metadata,
            "user": {name: value for name, value in known.items() if value},
        }
        if happened.source_url:
            event["event_source_url"] = happened.source_url
        address = f"{API}/pixels/{self.settings.pixel_id}/conversion_events"
        if self.settings.test_id:
            address += "?" + urlencode({"test_id": self.settings.test_id})
        login = {"authorization": f"Bearer {self.credentials.access_token.get_secret_value()}"}
        return json_request("POST", address, {"data": {"events": [event]}}, headers=login)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        return _read(answer)


class RedditAudienceSettings(ChannelSettings):
    """Which audience people join and leave."""

    audience_id: str = Field(description="The id of a customer-list audience.", pattern="^[A-Za-z0-9_-]{3,60}$")


class RedditAudienceCredentials(ChannelCredentials):
    """An app of yours, and the advertiser's permanent consent to it."""

    client_id: SecretStr = Field(description="The app's client id.", min_length=4)
    client_secret: SecretStr = Field(description="The app's secret.", min_length=8)
    refresh_token: SecretStr = Field(description="A refresh token with adsedit.", min_length=8)


_kept: OrderedDict[bytes, tuple[str, datetime]] = OrderedDict()


class RedditAudience(HttpChannel[RedditAudienceSettings, RedditAudienceCredentials]):
    """PATCH /custom_audiences/{audience}/users, with a token of the app."""

    kind = "reddit_audience"
    title = "Reddit custom audience"
    word = "ads"
    settings_model = RedditAudienceSettings
    credentials_model = RedditAudienceCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(1, 2)
    sample: ClassVar[Mapping[str, Any]] = SAMPLE

    async def erase(self, person: Named) -> Erased:
        return await by_removing(self.send, person, "email")

    def request(self, intent: SendIntent) -> Request:
        person = person_of(intent)
        if not person.email:
            raise ContentInvalid("Reddit's audiences know people by e-mail address, and none is known.")
        data = {
            "action_type": "REMOVE" if removes(intent) else "ADD",
            "column_order": ["EMAIL_SHA256"],
            "user_data": [[sha256(without_dots(person.email, everywhere=True))]],
        }
        return json_request("PATCH", f"{API}/custom_audiences/{self.settings.audience_id}/users", {"data": data})

    async def send(self, intent: SendIntent) -> Result:
        try:
            request = self.request(intent)
        except (ContentInvalid, TypeError, ValueError) as error:
            return Rejected(str(error) if isinstance(error, ContentInvalid) else "The content is not JSON.")
        token = await self._token()
        if not isinstance(token, str):
            return self.judged(token, intent)
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        answer = await self.call(Request(request.method, request.url, headers, request.content))
        if isinstance(answer, Answer) and answer.status == 401:
            _kept.pop(self._place(), None)
        return self.judged(answer, intent)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        return _read(answer)

    def _place(self) -> bytes:
        secrets = (self.credentials.client_id, self.credentials.client_secret, self.credentials.refresh_token)
        return hashlib.sha256("\0".join(secret.get_secret_value() for secret in secrets).encode()).digest()

    async def _token(self) -> str | Broken:
        now, place = self.line.now(), self._place()
        known = _kept.get(place)
        if known is not None and known[1] > now:
            return known[0]
        app = f"{self.credentials.client_id.get_secret_value()}:{self.credentials.client_secret.get_secret_value()}"
        form = {"grant_type": "refresh_token", "refresh_token": self.credentials.refresh_token.get_secret_value()}
        headers = {
            "authorization": f"Basic {base64.b64encode(app.encode()).decode()}",
            "content-type": "application/x-www-form-urlencoded",
        }
        answer = await self.call(Request("POST", TOKEN_URL, headers, urlencode(form).encode(), harmless=True))
        if not isinstance(answer, Answer):
            return answer
        text, seconds = answer.object.get("access_token"), answer.object.get("expires_in")
        if answer.status == 200 and isinstance(text, str) and isinstance(seconds, int):
            _kept[place] = (text, now + timedelta(seconds=max(0, seconds - 60)))
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
            return text
        if answer.status in (200, 400, 401, 403) and not answer.is_page:
            return Retry(f"Reddit gives no token{said(answer)}: make a new refresh token.", after=NEW_KEY_PAUSE)
        result = judge_answer(answer)
        return result if isinstance(result, Rejected | Retry) else Retry("Reddit's token answer is unreadable.")


def _read(answer: Answer) -> Result | None:
    if 200 <= answer.status < 300 and not answer.is_page and answer.whole:
        error = answer.object.get("error")
        if error:
            return Rejected(f"Reddit refuses this{said(answer)}.")
        return Accepted() if answer.status == 204 or isinstance(answer.json, dict) else None
    return None
