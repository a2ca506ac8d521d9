"""Braze: events, attributes, and an end to what is planned.

Reference (read 2026-11-21): https://www.braze.com/docs/api/endpoints/user_data/post_user_track and
…/subscription_groups/post_update_user_subscription_group_status_v2. A repeated event counts twice; errors of single
entries come inside a 201.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, Rate, Rejected, Result, Retry, SendIntent
from adapters.channels.customers.customer import QUIET, Customer, customer_of, properties_of, time_of, wanted
from adapters.channels.erasing import NOBODY, Named
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, HttpChannel, text_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import short

MOST_NAME: Final = 255
MOST_DELETED: Final = 50
_WHOSE: Final = (["identified", "most_recently_updated"], ["unidentified", "most_recently_updated"])
"""An address may be that of two profiles, with and without an id: both go."""


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

    api_key: SecretStr = Field(
        description="A key with users.track, subscription.status.set and users.delete.", min_length=8
    )


class Braze(HttpChannel[BrazeSettings, BrazeCredentials]):
    """POST /users/track, /v2/subscription/status/set."""

    kind = "braze"
    title = "Braze"
    word = "esp"
    settings_model = BrazeSettings
    credentials_model = BrazeCredentials
    rate: ClassVar[Rate] = Rate(100, 250)
    sample: ClassVar[Mapping[str, Any]] = {"do": "event", "event": "Whyleft Test"}
    when_erased: ClassVar[str] = "Braze deletes the profiles."

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

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST /users/delete, one kind of name a call (…/endpoints/user_data/post_user_delete)."""
        named: list[tuple[str, list[Any]]] = [("external_ids", list(person.user_ids))]
        for whose in _WHOSE:
            emails = [{"email": email, "prioritization": whose} for email in person.emails]
            phones = [{"phone": phone, "prioritization": whose} for phone in person.phones]
            named += [("email_addresses", emails), ("phone_numbers", phones)]
        return [
            self._post("/users/delete", {kind: names[start : start + MOST_DELETED]})
            for kind, names in named
            for start in range(0, len(names), MOST_DELETED)
        ]

    def read_erased(self, answer: Answer) -> Result | None:
        result = self.read(answer, SendIntent("erasure", None, {}))
        if isinstance(result, Accepted) and answer.object.get("deleted") == 0:
            return Accepted(detail=NOBODY)
        return result

    def _post(self, path: str, body: dict[str, Any]) -> Request:
        login = {"authorization": f"Bearer {self.credentials.api_key.get_secret_value()}"}
        return json_request("POST", f"https://{self.settings.instance}{path}", body, headers=login)


def _who(customer: Customer) -> dict[str, str]:
    """Braze takes one name of a user: its own first."""
    if customer.user_id:
        return {"external_id": customer.user_id}
    return {"email": customer.email} if customer.email else {"phone": customer.phone}
