"""Tasks and properties in HubSpot's CRM.

Reference (read 2026-11-21): https://developers.hubspot.com/docs/api-reference/crm-tasks-v3 and …/crm-contacts-v3.
Content of a task: do "task", title, body, priority (low, normal, high), due_at (ISO 8601), email; of properties:
do "properties", properties {name: value}. The recipient is the contact's e-mail address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pydantic import Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    Idempotency,
    NotFound,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unsupported,
)
from adapters.channels.erasing import Named
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel, text_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.work.report import marker_of

API: Final = "https://api.hubapi.com"
_TO_CONTACT: Final = 204
"""HubSpot's own association: task to contact."""
_PRIORITIES: Final = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH"}
MOST_PROPERTIES: Final = 50


class HubspotSettings(ChannelSettings):
    """What a new task looks like."""

    owner_id: str = Field(
        "", description="Whose tasks these are: the owner's id; empty for nobody's.", pattern="^[0-9]*$"
    )
    due_hours: int = Field(24, description="When a task is due, in hours from now.", ge=0, le=24 * 90)


class HubspotCredentials(ChannelCredentials):
    """A private app's token."""

    token: SecretStr = Field(description="pat-…, with crm.objects.contacts.read and .write.", min_length=8)


class Hubspot(HttpChannel[HubspotSettings, HubspotCredentials]):
    """POST /crm/v3/objects/tasks, PATCH /crm/v3/objects/contacts/{email}."""

    kind = "hubspot"
    title = "HubSpot"
    word = "crm"
    settings_model = HubspotSettings
    credentials_model = HubspotCredentials
    idempotency: ClassVar[Idempotency] = "lookup"
    when_erased: ClassVar[str] = "HubSpot deleted the contact for good, with what hangs on it."
    rate: ClassVar[Rate] = Rate(8, 50)
    sample: ClassVar[Mapping[str, Any]] = {
        "do": "task",
        "title": "A test of this channel",
        "body": "You sent it yourself.",
    }

    def request(self, intent: SendIntent) -> Request:
        return self._properties(intent) if _wants(intent) == "properties" else self._task(intent, None)

    async def send(self, intent: SendIntent) -> Result:
        try:
            request = self.request(intent)
            if _wants(intent) == "properties" or not intent.recipient:
                return self.judged(await self.call(request), intent)
            asked = await self.call(self._search("contacts", "email", "EQ", intent.recipient))
            if (
                not isinstance(asked, Answer)
                or asked.status != 200
                or not isinstance(asked.object.get("results"), list)
            ):
                return self.judged(asked, intent) if not _is_odd(asked) else Rejected("HubSpot's answer is unreadable.")
            found = asked.object["results"]
            contact = found[0].get("id") if found and isinstance(found[0], dict) else None
            return self.judged(await self.call(self._task(intent, contact)), intent)
        except (ContentInvalid, TypeError, ValueError) as error:
            return Rejected(
                str(error) if isinstance(error, ContentInvalid) else "The content cannot be written as JSON."
            )

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status in (200, 201):
            found = answer.object.get("id")
            return Accepted(found) if isinstance(found, str) else None
        if answer.status == 404 and not answer.is_page and _wants(intent) == "properties":
            return Rejected(
                "HubSpot has no contact with this address (404): it is made when they first fill in a form."
            )
        return None

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        answer = await self.call(self._search("tasks", "hs_task_body", "CONTAINS_TOKEN", marker_of(key)))
        found = answer.object.get("results") if isinstance(answer, Answer) and answer.status == 200 else None
        if not isinstance(found, list):
            return Unsupported()
        return Accepted(str(found[0].get("id"))) if found and isinstance(found[0], dict) else NotFound()

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST …/contacts/gdpr-delete. By the contact's id: an address that HubSpot does not know would be
        blocked there for ever."""
        contacts: set[str] = set()
        for email in person.emails:
            asked = await self.asked(self._search("contacts", "email", "EQ", email))
            if not isinstance(asked, Answer):
                return asked
            results = asked.object.get("results")
            if not isinstance(results, list):
                return Retry("HubSpot's answer is unreadable, and nothing was erased yet.")
            contacts |= {str(one["id"]) for one in results if isinstance(one, Mapping) and "id" in one}
        path = "/crm/v3/objects/contacts/gdpr-delete"
        return [self._call("POST", path, {"objectId": contact}) for contact in sorted(contacts)]

    def _task(self, intent: SendIntent, contact: str | None) -> Request:
        content = intent.content
        body = text_of(content, "body", 20_000, required=False)
        due = _time(content.get("due_at")) or self.line.now() + timedelta(hours=self.settings.due_hours)
        properties = {
            "hs_task_subject": text_of(content, "title", 240),
            "hs_task_body": f"{_html(body)}<br>{marker_of(intent.key)}",
            "hs_timestamp": str(int(due.timestamp() * 1000)),
            "hs_task_status": "NOT_STARTED",
            "hs_task_priority": _PRIORITIES.get(str(content.get("priority")), "MEDIUM"),
            "hs_task_type": "TODO",
        }
        if self.settings.owner_id:
            properties["hubspot_owner_id"] = self.settings.owner_id
        wanted: dict[str, Any] = {"properties": properties}
        if contact is not None:
            kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": _TO_CONTACT}
            wanted["associations"] = [{"to": {"id": contact}, "types": [kind]}]
        return self._call("POST", "/crm/v3/objects/tasks", wanted)

    def _properties(self, intent: SendIntent) -> Request:
        given = intent.content.get("properties")
        if not intent.recipient:
            raise ContentInvalid("There is no e-mail address that HubSpot could know the contact by.")
        if not isinstance(given, dict) or not 0 < len(given) <= MOST_PROPERTIES:
            raise ContentInvalid(f"properties must be 1 to {MOST_PROPERTIES} names with their values.")
        values = {str(name): "" if value is None else str(value)[:5_000] for name, value in given.items()}
        path = f"/crm/v3/objects/contacts/{quote(intent.recipient, safe='')}?idProperty=email"
        return self._call("PATCH", path, {"properties": values})

    def _search(self, what: str, name: str, operator: str, value: str) -> Request:
        filters = [{"propertyName": name, "operator": operator, "value": value}]
        wanted = {"filterGroups": [{"filters": filters}], "limit": 1}
        return self._call("POST", f"/crm/v3/objects/{what}/search", wanted, harmless=True)

    def _call(self, method: str, path: str, body: dict[str, Any], *, harmless: bool = False) -> Request:
        headers = {"authorization": f"Bearer {self.credentials.token.get_secret_value()}"}
        return json_request(method, API + path, body, headers=headers, harmless=harmless)


def _wants(intent: SendIntent) -> str:
    return "properties" if intent.content.get("do") == "properties" else "task"


def _is_odd(asked: object) -> bool:
    """A success that says nothing of contacts: no task was made yet, whatever it means."""
    return isinstance(asked, Answer) and 200 <= asked.status < 300


def _time(given: object) -> datetime | None:
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        raise ContentInvalid("due_at must be a time such as 2026-11-21T12:00:00+00:00.") from None
    if at.tzinfo is None:
        raise ContentInvalid("due_at needs its zone, such as +00:00.")
    return at


def _html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "<br>")
