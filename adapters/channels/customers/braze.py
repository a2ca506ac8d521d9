"""Braze: events, attributes, and an end to what is planned.

Reference (read 2026-11-21): https://www.braze.com/docs/api/endpoints/user_data/post_user_track and
…/subscription_groups/post_update_user_subscription_group_status_v2. A repeated event counts twice; errors of single
entries come inside a 201.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, Rate, Rejected, Result, SendIntent
from adapters.channels.customers.customer import QUIET, Customer, customer_of, properties_of, time_of, wanted
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, HttpChannel, text_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import short

MOST_NAME: Final = 255


class BrazeSettings(ChannelSettings):
    """Which instance."""

    instance: str = Field(
        description="The REST endpoint's host, such as rest.iad-01.braze.com or rest.fra-01.braze.eu.",
        pattern=r"^rest\.[a-z0-9-]+\.braze\.(com|eu)$",
    )
    subscription_group: str = Field(
        "", description="A subscription group that ends and resumes instead of all e-mail; its id.", max_length=60
    )


class BrazeCredentials(ChannelCredentials):
    """A REST key."""

    api_key: SecretStr = Field(description="A key with users.track and subscription.status.set.", min_length=8)


class Braze(HttpChannel[BrazeSettings, BrazeCredentials]):
    """POST /users/track, /v2/subscription/status/set."""

    kind = "braze"
    title = "Braze"
    word = "esp"
    settings_model = BrazeSettings
    credentials_model = BrazeCredentials
    rate: ClassVar[Rate] = Rate(100, 250)
    sample: ClassVar[Mapping[str, Any]] = {"do": "event", "event": "Whyleft Test"}

    def request(self, intent: SendIntent) -> Request:
        do, customer = wanted(intent, "event", "profile", "quiet", "suppress", "resume"), customer_of(intent)
        who = _who(customer)
        if do == "event":
            at = time_of(intent, "at", self.line.now()).isoformat()
            name = text_of(intent.content, "event", MOST_NAME)
            return self._post(
                "/users/track", {"events": [{**who, "name": name, "time": at, "properties": properties_of(intent)}]}
            )
        if do in ("profile", "quiet"):
            known = properties_of(intent)
            if do == "quiet":
                known[QUIET] = time_of(intent, "until", self.line.now()).isoformat()
            return self._post("/users/track", {"attributes": [{**who, **known}]})
        state = "unsubscribed" if do == "suppress" else "subscribed"
        if self.settings.subscription_group:
            group: dict[str, Any] = {
                "subscription_group_id": self.settings.subscription_group,
                "subscription_state": state,
            }
            group |= {"external_ids": [customer.user_id]} if customer.user_id else {"emails": [customer.email]}
            return self._post("/v2/subscription/status/set", {"subscription_groups": [group]})
        return self._post("/users/track", {"attributes": [{**who, "email_subscribe": state}]})

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status not in (200, 201) or answer.is_page or not answer.whole:
            return None
        errors = answer.object.get("errors")
        if errors:
            first = errors[0] if isinstance(errors, list) else errors
            words = first.get("type") if isinstance(first, dict) else first
            return Rejected(f"Braze took the request and refused what was in it ({short(words)}).")
        return Accepted() if answer.object.get("message") == "success" else None

    def _post(self, path: str, body: dict[str, Any]) -> Request:
        login = {"authorization": f"Bearer {self.credentials.api_key.get_secret_value()}"}
        return json_request("POST", f"https://{self.settings.instance}{path}", body, headers=login)


def _who(customer: Customer) -> dict[str, str]:
    """Braze takes one name of a user: its own first."""
    if customer.user_id:
        return {"external_id": customer.user_id}
    return {"email": customer.email} if customer.email else {"phone": customer.phone}
