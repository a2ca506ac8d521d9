"""Klaviyo: events, profiles, and an end to what is planned.

Reference (read 2026-11-21): https://developers.klaviyo.com/en/reference/api_overview, revision 2026-04-15. An event's
unique_id and a profile's address make a repeat harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from adapters.channels.amounts import units
from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent
from adapters.channels.customers.customer import QUIET, Customer, customer_of, properties_of, time_of, wanted
from adapters.channels.erasing import Named
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel, text_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import NEW_KEY_PAUSE, said

API: Final = "https://a.klaviyo.com/api"
REVISION: Final = "2026-04-15"
_NO_SEND: Final = SendIntent("erasure", None, {})


class KlaviyoSettings(ChannelSettings):
    """Nothing but the key says which account it is."""


class KlaviyoCredentials(ChannelCredentials):
    """A private key."""

    private_key: SecretStr = Field(
        description="pk_…, with full access to events, profiles, subscriptions and data privacy.", min_length=8
    )


class Klaviyo(HttpChannel[KlaviyoSettings, KlaviyoCredentials]):
    """POST /events, /profile-import, /profile-suppression-bulk-create-jobs."""

    kind = "klaviyo"
    title = "Klaviyo"
    word = "esp"
    settings_model = KlaviyoSettings
    credentials_model = KlaviyoCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(10, 75)
    sample: ClassVar[Mapping[str, Any]] = {"do": "event", "event": "Whyleft Test"}
    speaks_json: ClassVar[bool] = False
    when_erased: ClassVar[str] = "Klaviyo took the request and erases the profile for good."

    def request(self, intent: SendIntent) -> Request:
        do, customer = wanted(intent, "event", "profile", "quiet", "suppress", "resume"), customer_of(intent)
        if do == "event":
            return self._post("events", "event", self._event(intent, customer))
        if do in ("profile", "quiet"):
            properties = properties_of(intent)
            if do == "quiet":
                properties[QUIET] = time_of(intent, "until", self.line.now()).isoformat()
            return self._post("profile-import", "profile", {**_profile(customer), "properties": properties})
        if not customer.email:
            raise ContentInvalid("Klaviyo ends and resumes marketing by e-mail address, and none is known.")
        job = f"profile-suppression-bulk-{'create' if do == 'suppress' else 'delete'}-job"
        profiles = {"data": [{"type": "profile", "attributes": {"email": customer.email}}]}
        return self._post(f"{job}s", job, {"profiles": profiles})

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status in (200, 201, 202) and not answer.is_page and answer.whole:
            data = answer.object.get("data")
            found = data.get("id") if isinstance(data, dict) else None
            return Accepted(found if isinstance(found, str) else None)
        if 200 <= answer.status < 300:
            return Retry("A page or half an answer came instead of Klaviyo's: a repeat does no harm.")
        if answer.status in (401, 403) and not answer.is_page:
            return Retry(
                f"Klaviyo refuses the key ({answer.status}{said(answer)}): make one with access to events, "
                "profiles, subscriptions and data privacy.",
                after=NEW_KEY_PAUSE,
            )
        if answer.status == 410:
            return Rejected(f"Klaviyo has retired revision {REVISION} (410): update Whyleft.")
        return None

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST /data-privacy-deletion-jobs, which knows people by address, number or its own id alone."""
        found = [{"email": email} for email in person.emails]
        found += [{"phone_number": phone} for phone in person.phones]
        for user_id in person.user_ids:
            quoted = user_id.replace("\\", "\\\\").replace('"', '\\"')
            query = urlencode({"filter": f'equals(external_id,"{quoted}")', "fields[profile]": "external_id"})
            asked = await self.asked(Request("GET", f"{API}/profiles?{query}", self._headers()))
            if not isinstance(asked, Answer):
                return asked
            data = asked.object.get("data")
            profiles = data if isinstance(data, list) else []
            found += [{"id": str(one["id"])} for one in profiles if isinstance(one, Mapping) and "id" in one]
        job = "data-privacy-deletion-job"
        return [
            self._post(f"{job}s", job, {"profile": {"data": {"type": "profile", **_named(name)}}}) for name in found
        ]

    def read_erased(self, answer: Answer) -> Result | None:
        return self.read(answer, _NO_SEND)

    def _event(self, intent: SendIntent, customer: Customer) -> dict[str, Any]:
        content = intent.content
        attributes: dict[str, Any] = {
            "metric": {"data": {"type": "metric", "attributes": {"name": text_of(content, "event", 128)}}},
            "profile": {"data": {"type": "profile", "attributes": _profile(customer)}},
            "properties": properties_of(intent),
            "time": time_of(intent, "at", self.line.now()).isoformat(),
            "unique_id": intent.key,
        }
        minor, currency = content.get("value_minor"), content.get("currency")
        if isinstance(minor, int) and not isinstance(minor, bool) and isinstance(currency, str) and len(currency) == 3:
            attributes |= {"value": units(minor, currency.upper()), "value_currency": currency}
        return attributes

    def _post(self, path: str, kind: str, attributes: dict[str, Any]) -> Request:
        body = {"data": {"type": kind, "attributes": attributes}}
        return json_request("POST", f"{API}/{path}", body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "authorization": f"Klaviyo-API-Key {self.credentials.private_key.get_secret_value()}",
            "accept": "application/vnd.api+json",
            "revision": REVISION,
        }


def _named(name: dict[str, str]) -> dict[str, Any]:
    """A profile by Klaviyo's own id, or by what it is called."""
    return name if "id" in name else {"attributes": name}


def _profile(customer: Customer) -> dict[str, str]:
    known = {"email": customer.email, "phone_number": customer.phone, "external_id": customer.user_id}
    return {name: value for name, value in known.items() if value}
