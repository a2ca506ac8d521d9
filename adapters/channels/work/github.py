"""Tickets as GitHub issues.

Reference (read 2026-11-21): https://docs.github.com/en/rest/issues/issues, version 2022-11-28. The marker stands in a
comment of the body; the last hundred issues are searched for it by listing them, for GitHub's search lags behind.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, NotFound, Rate, Rejected, Result, Retry, SendIntent, Unsupported
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.verdict import pause_asked, said
from adapters.channels.work.report import LABEL, change_of, markdown, marker_of, report_of
from adapters.channels.work.tracker import Tracker

_SECONDARY_PAUSE: Final = timedelta(minutes=1)


class GithubSettings(ChannelSettings):
    """Where issues are opened."""

    leads_to: ClassVar[str | None] = "api"

    repository: str = Field(description="owner/name", pattern=r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$")
    labels: list[str] = Field(
        [LABEL], description="Labels of a new issue; those that do not exist are made.", max_length=10
    )
    api: str = Field(
        "https://api.github.com",
        description="Where the API is, for GitHub Enterprise: https://HOST/api/v3.",
        pattern="^https://[^ ]+$",
        max_length=200,
    )


class GithubCredentials(ChannelCredentials):
    """A fine-grained token."""

    token: SecretStr = Field(description="A token with Issues: read and write on that repository.", min_length=8)


class Github(Tracker[GithubSettings, GithubCredentials]):
    """POST /repos/{owner}/{repo}/issues."""

    kind = "github"
    title = "GitHub issues"
    settings_model = GithubSettings
    credentials_model = GithubCredentials
    rate: ClassVar[Rate] = Rate(1, 5)

    def request(self, intent: SendIntent) -> Request:
        change = change_of(intent)
        if change is not None:
            if change.closes:
                body = {"state": "closed", "state_reason": "completed"}
                return self._call("PATCH", f"/issues/{_number(change.ticket)}", body)
            return self._call("POST", f"/issues/{_number(change.ticket)}/comments", {"body": change.comment})
        report = report_of(intent)
        body_of: dict[str, Any] = {"title": report.title, "body": markdown(report), "labels": self.settings.labels}
        return self._call("POST", "/issues", body_of)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status in (200, 201):
            number = answer.object.get("number") or answer.object.get("id")
            return Accepted(str(number)) if isinstance(number, int) else None
        spent = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
        if answer.status in (403, 429) and (spent or "rate limit" in said(answer)):
            # Its secondary limits tell of no reset, and whoever comes back within a minute waits longer.
            return Retry(f"GitHub's limit is reached{said(answer)}.", after=pause_asked(answer) or _SECONDARY_PAUSE)
        if answer.status == 404 and not answer.is_page:
            return Rejected(
                f"GitHub does not know {self.settings.repository} for this token (404): check the name, and that the "
                "token has Issues: read and write there."
            )
        if answer.status == 410:
            return Rejected("Issues are turned off in this repository (410): turn them on in its settings.")
        return None

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        listing = self._call("GET", "/issues?state=all&sort=created&direction=desc&per_page=100", None)
        answer = await self.call(listing)
        found = answer.json if isinstance(answer, Answer) and answer.status == 200 else None
        if not isinstance(found, list):
            return Unsupported()
        marker = marker_of(key)
        for issue in found:
            if isinstance(issue, dict) and marker in str(issue.get("body")):
                return Accepted(str(issue.get("number")))
        return NotFound()

    async def is_open(self, ticket: str) -> bool | None:
        answer = await self.call(self._call("GET", f"/issues/{_number(ticket)}", None))
        state = answer.object.get("state") if isinstance(answer, Answer) and answer.status == 200 else None
        return state == "open" if isinstance(state, str) else None

    def _call(self, method: str, path: str, body: object) -> Request:
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {self.credentials.token.get_secret_value()}",
            "x-github-api-version": "2022-11-28",
        }
        address = f"{self.settings.api.rstrip('/')}/repos/{self.settings.repository}{path}"
        if body is None:
            return Request(method, address, headers, harmless=True)
        return json_request(method, address, body, headers=headers)


def _number(ticket: str) -> int:
    return int(ticket) if ticket.isascii() and ticket.isdigit() else 0
