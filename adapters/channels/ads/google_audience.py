"""Google audiences through the Data Manager API: people join and leave a customer list.

Reference (read 2026-11-21): https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest and
…/devguides/concepts/formatting. What is taken is worked on later; adding somebody twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from adapters.channels.ads.person import SAMPLE, person_of, removes, sha256, without_dots
from adapters.channels.contract import Accepted, Idempotency, Rate, Result, Retry, SendIntent
from adapters.channels.erasing import Erased, Named, by_removing
from adapters.channels.google_channel import GoogleChannel
from adapters.channels.http_channel import ChannelSettings, ContentInvalid
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import NEW_KEY_PAUSE, said

API: Final = "https://datamanager.googleapis.com/v1/audienceMembers"


class GoogleAudienceSettings(ChannelSettings):
    """Whose list, and which."""

    account_type: Literal["GOOGLE_ADS", "DISPLAY_VIDEO_ADVERTISER", "DISPLAY_VIDEO_PARTNER"] = Field(
        "GOOGLE_ADS", description="What kind of account owns the list."
    )
    account_id: str = Field(description="The account that owns the list, digits only.", pattern="^[0-9]{3,20}$")
    login_account_id: str = Field(
        "", description="The manager account that access goes through; empty for none.", pattern="^[0-9]*$"
    )
    audience_id: str = Field(description="The id of the customer list, digits only.", pattern="^[0-9]{1,20}$")


class GoogleAudience(GoogleChannel[GoogleAudienceSettings]):
    """POST /v1/audienceMembers:ingest and :remove."""

    kind = "google_audience"
    title = "Google audience (Data Manager)"
    word = "ads"
    scope = "https://www.googleapis.com/auth/datamanager"
    settings_model = GoogleAudienceSettings
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(5, 20)
    sample: ClassVar[Mapping[str, Any]] = SAMPLE

    async def erase(self, person: Named) -> Erased:
        return await by_removing(self.send, person, "email", "phone")

    def request(self, intent: SendIntent) -> Request:
        person = person_of(intent)
        known: list[dict[str, str]] = []
        if person.email:
            known.append({"emailAddress": sha256(without_dots(person.email, everywhere=False))})
        if person.phone:
            known.append({"phoneNumber": sha256(person.phone)})
        if not known:
            raise ContentInvalid("Google knows people by e-mail address or phone number, and neither is known.")
        owner = {"accountType": self.settings.account_type, "accountId": self.settings.account_id}
        destination: dict[str, Any] = {"operatingAccount": owner, "productDestinationId": self.settings.audience_id}
        if self.settings.login_account_id:
            destination["loginAccount"] = {**owner, "accountId": self.settings.login_account_id}
        body: dict[str, Any] = {
            "destinations": [destination],
            "audienceMembers": [{"userData": {"userIdentifiers": known}}],
            "encoding": "HEX",
        }
        if removes(intent):
            return json_request("POST", f"{API}:remove", body)
        # They agreed to both, or ``person_of`` had refused.
        body["consent"] = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
        body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
        return json_request("POST", f"{API}:ingest", body)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        found = answer.object.get("requestId")
        if answer.status == 200 and isinstance(found, str):
            return Accepted(found)
        if answer.status == 403 and not answer.is_page:
            return Retry(
                f"The service account may not change this audience (403{said(answer)}): add it to the account's users.",
                after=NEW_KEY_PAUSE,
            )
        return None
