"""Tickets as Jira issues (Cloud, REST v3).

Reference (read 2026-11-21): https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/. The marker
is a label: Jira finds labels by an index that may lag a few seconds behind.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, NotFound, Rate, Rejected, Result, SendIntent, Unsupported
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import short
from adapters.channels.work.report import LABEL, Report, change_of, marker_of, report_of
from adapters.channels.work.tracker import Tracker


class JiraSettings(ChannelSettings):
    """Where issues are opened."""

    leads_to: ClassVar[str | None] = "site"

    site: str = Field(description="https://NAME.atlassian.net", pattern="^https://[a-zA-Z0-9.-]+$", max_length=200)
    email: str = Field(description="The account that the token belongs to.", pattern=r"^[^@\s:]+@[^@\s]+$")
    project: str = Field(description="The project's key, such as SHOP.", pattern="^[A-Z][A-Z0-9_]{1,19}$")
    issue_type: str = Field("Bug", description="The type of a new issue.", min_length=1, max_length=60)


class JiraCredentials(ChannelCredentials):
    """An API token."""

    token: SecretStr = Field(description="An API token of that account.", min_length=8)


class Jira(Tracker[JiraSettings, JiraCredentials]):
    """POST /rest/api/3/issue."""

    kind = "jira"
    title = "Jira issues"
    settings_model = JiraSettings
    credentials_model = JiraCredentials
    rate: ClassVar[Rate] = Rate(2, 10)

    def request(self, intent: SendIntent) -> Request:
        change = change_of(intent)
        if change is not None:
            # Closing takes a transition whose id must be asked for first: see ``send``.
            return self._call("POST", f"/issue/{_key(change.ticket)}/comment", {"body": _words(change.comment)})
        report = report_of(intent)
        fields = {
            "project": {"key": self.settings.project},
            "issuetype": {"name": self.settings.issue_type},
            "summary": report.title,
            "description": _document(report),
            "labels": [LABEL, report.marker],
        }
        return self._call("POST", "/issue", {"fields": fields})

    async def send(self, intent: SendIntent) -> Result:
        try:
            change = change_of(intent)
            ticket = _key(change.ticket) if change is not None and change.closes else ""
        except ContentInvalid as error:
            return Rejected(str(error))
        if not ticket:
            return await super().send(intent)
        answer = await self.call(self._call("GET", f"/issue/{ticket}/transitions", None))
        if not isinstance(answer, Answer) or answer.status != 200:
            return self.judged(answer, intent)
        ways = answer.object.get("transitions")
        done = next((way["id"] for way in ways if _leads_to_done(way)), None) if isinstance(ways, list) else None
        if done is None:
            return Rejected(f"{ticket} cannot be closed from where it stands: no transition leads to a done status.")
        move = self._call("POST", f"/issue/{ticket}/transitions", {"transition": {"id": done}})
        return self.judged(await self.call(move), intent)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status == 204:
            return Accepted()
        if answer.status == 201:
            found = answer.object.get("key") or answer.object.get("id")
            return Accepted(found) if isinstance(found, str) else None
        if answer.status == 400 and not answer.is_page:
            wrong = answer.object.get("errors")
            fields = "; ".join(f"{name}: {why}" for name, why in wrong.items()) if isinstance(wrong, dict) else ""
            told = ", ".join(str(one) for one in answer.object.get("errorMessages") or ())
            return Rejected(f"Jira refuses the issue (400, {short(fields or told)}): check project and issue_type.")
        if answer.status == 404 and not answer.is_page:
            return Rejected("Jira does not know this (404): check site and project, and that the account may see them.")
        return None

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        query = urlencode({"jql": f'labels = "{marker_of(key)}"', "fields": "status", "maxResults": 1}, quote_via=quote)
        answer = await self.call(self._call("GET", f"/search/jql?{query}", None))
        found = answer.object.get("issues") if isinstance(answer, Answer) and answer.status == 200 else None
        if not isinstance(found, list):
            return Unsupported()
        return Accepted(str(found[0].get("key"))) if found and isinstance(found[0], dict) else NotFound()

    async def is_open(self, ticket: str) -> bool | None:
        answer = await self.call(self._call("GET", f"/issue/{_key(ticket)}?fields=status", None))
        found: Any = answer.json if isinstance(answer, Answer) and answer.status == 200 else None
        for name in ("fields", "status", "statusCategory", "key"):
            found = found.get(name) if isinstance(found, dict) else None
        return found != "done" if isinstance(found, str) else None

    def _call(self, method: str, path: str, body: object) -> Request:
        login = f"{self.settings.email}:{self.credentials.token.get_secret_value()}"
        headers = {
            "accept": "application/json",
            "authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
        }
        address = f"{self.settings.site}/rest/api/3{path}"
        if body is None:
            return Request(method, address, headers, harmless=True)
        return json_request(method, address, body, headers=headers)


def _leads_to_done(way: object) -> bool:
    if not isinstance(way, dict) or not isinstance(way.get("id"), str):
        return False
    target = way.get("to")
    category = target.get("statusCategory") if isinstance(target, dict) else None
    return isinstance(category, dict) and category.get("key") == "done"


def _key(ticket: str) -> str:
    """The ticket as it may stand in an address. Raises ContentInvalid."""
    if not ticket.replace("-", "").replace("_", "").isalnum() or not ticket.isascii():
        raise ContentInvalid("ticket is no Jira key.")
    return ticket


def _document(report: Report) -> dict[str, Any]:
    """The report in Jira's own form of text (ADF)."""
    parts: list[dict[str, Any]] = [_paragraph(report.what)] if report.what else []
    parts += [_paragraph(f"{name}: {value}") for name, value in report.facts.items()]
    if report.stack:
        parts.append({"type": "codeBlock", "content": [{"type": "text", "text": report.stack}]})
    if report.link:
        mark = {"type": "link", "attrs": {"href": report.link}}
        parts.append(
            {"type": "paragraph", "content": [{"type": "text", "text": "Look at the session", "marks": [mark]}]}
        )
    return {"type": "doc", "version": 1, "content": parts or [_paragraph(report.title)]}


def _words(text: str) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": [_paragraph(text)]}


def _paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}]}
