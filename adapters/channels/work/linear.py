"""Tickets as Linear issues: the issue's id is made of the delivery's key, so that a repeat is the same issue.

Reference (read 2026-11-21): https://linear.app/developers/graphql and …/rate-limiting. Errors come inside a 200, limits
inside a 400.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

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
from adapters.channels.graphql import codes_of, data_of, errors_of, graphql
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid
from adapters.channels.line import Answer, Request
from adapters.channels.verdict import NEW_KEY_PAUSE, said
from adapters.channels.work.report import change_of, markdown, report_of
from adapters.channels.work.tracker import Tracker

URL: Final = "https://api.linear.app/graphql"
_TAKEN: Final = ("already exist", "duplicate", "conflict", "unique")
_PRIORITIES: Final = {"high": 2, "normal": 3, "low": 4}
_CREATE: Final = (
    "mutation ($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { id identifier } } }"
)
_FIND: Final = "query ($id: String!) { issue(id: $id) { id identifier state { type } } }"
_COMMENT: Final = "mutation ($input: CommentCreateInput!) { commentCreate(input: $input) { success comment { id } } }"
_CLOSE: Final = (
    "mutation ($id: String!, $input: IssueUpdateInput!) "
    "{ issueUpdate(id: $id, input: $input) { success issue { id } } }"
)
_DONE: Final = (
    'query ($team: ID!) { workflowStates(first: 1, filter: {team: {id: {eq: $team}}, type: {eq: "completed"}}) '
    "{ nodes { id } } }"
)


class LinearSettings(ChannelSettings):
    """Whose issues these are."""

    team_id: UUID = Field(description="The team's id (a UUID; Linear's command menu: Copy model UUID).")
    label_ids: list[UUID] = Field([], description="Labels of a new issue, by id.", max_length=10)


class LinearCredentials(ChannelCredentials):
    """A key or a token."""

    api_key: SecretStr = Field(description="A personal API key (lin_api_…) or an OAuth token.", min_length=8)


class Linear(Tracker[LinearSettings, LinearCredentials]):
    """issueCreate."""

    kind = "linear"
    title = "Linear issues"
    settings_model = LinearSettings
    credentials_model = LinearCredentials
    rate: ClassVar[Rate] = Rate(0.5, 10)

    def request(self, intent: SendIntent) -> Request:
        change = change_of(intent)
        if change is not None:
            made = {"id": str(id_of(intent.key)), "issueId": change.ticket, "body": change.comment}
            return self._ask(_COMMENT, {"input": made})
        report = report_of(intent)
        wanted: dict[str, Any] = {
            "id": str(id_of(intent.key)),
            "teamId": str(self.settings.team_id),
            "title": report.title,
            "description": markdown(report),
            "priority": _PRIORITIES.get(report.priority, 3),
        }
        if self.settings.label_ids:
            wanted["labelIds"] = [str(label) for label in self.settings.label_ids]
        return self._ask(_CREATE, {"input": wanted})

    async def send(self, intent: SendIntent) -> Result:
        try:
            change = change_of(intent)
        except ContentInvalid as error:
            return Rejected(str(error))
        if change is not None and change.closes:
            return await self._close(change.ticket, intent)
        return await super().send(intent)

    async def _close(self, ticket: str, intent: SendIntent) -> Result:
        states = await self.call(self._ask(_DONE, {"team": str(self.settings.team_id)}, harmless=True))
        nodes = data_of(states, "workflowStates", "nodes") if isinstance(states, Answer) else None
        if not isinstance(states, Answer) or not isinstance(nodes, list) or not nodes:
            return (
                self.judged(states, intent)
                if not isinstance(states, Answer)
                else Rejected("The team has no completed state that an issue could be moved to.")
            )
        move = self._ask(_CLOSE, {"id": ticket, "input": {"stateId": nodes[0].get("id")}})
        return self.judged(await self.call(move), intent)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        errors = errors_of(answer)
        if errors:
            codes, words = codes_of(errors), said(answer)
            if codes & {"RATELIMITED"}:
                return Retry(f"Linear's limit is reached{words}.", after=timedelta(minutes=5))
            if codes & {"AUTHENTICATION_ERROR", "AUTHENTICATION ERROR", "FORBIDDEN"}:
                return Retry(f"Linear refuses the key{words}: make a new one.", after=NEW_KEY_PAUSE)
            if codes & {"INTERNAL_SERVER_ERROR", "INTERNAL ERROR", "LOCK_TIMEOUT", "LOCK TIMEOUT"}:
                return Retry(f"Linear failed{words}.")
            if any(word in words.lower() for word in _TAKEN):
                # It may be our own first try: whoever asks for it by its id finds out.
                return Unknown(f"Linear has an issue of this id already{words}.")
            return Rejected(f"Linear refuses this{words or ', without a reason'}: check team_id and label_ids.")
        if answer.status != 200:
            return None
        for name in ("issueCreate", "commentCreate", "issueUpdate"):
            made = data_of(answer, name)
            if isinstance(made, dict) and made.get("success") is True:
                issue = made.get("issue")
                return Accepted(str(issue["id"])) if isinstance(issue, dict) and "id" in issue else Accepted()
        if isinstance(data_of(answer), dict):
            return Rejected("Linear says that it did not work, without a reason.")
        return None

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        answer = await self.call(self._ask(_FIND, {"id": str(id_of(key))}, harmless=True))
        if not isinstance(answer, Answer) or answer.is_page or answer.status >= 500:
            return Unsupported()
        issue = data_of(answer, "issue")
        if isinstance(issue, dict):
            return Accepted(str(issue.get("id")))
        errors = errors_of(answer)
        if errors and any("not found" in str(error.get("message", "")).lower() for error in errors):
            return NotFound()
        return NotFound() if answer.status == 200 and not errors and "data" in answer.object else Unsupported()

    async def is_open(self, ticket: str) -> bool | None:
        answer = await self.call(self._ask(_FIND, {"id": ticket}, harmless=True))
        state = data_of(answer, "issue", "state", "type") if isinstance(answer, Answer) else None
        return state not in ("completed", "canceled") if isinstance(state, str) else None

    def _ask(self, document: str, variables: dict[str, Any], *, harmless: bool = False) -> Request:
        key = self.credentials.api_key.get_secret_value()
        login = key if key.startswith("lin_api_") else f"Bearer {key}"
        return graphql(URL, document, variables, {"authorization": login}, harmless=harmless)


def id_of(key: str) -> UUID:
    """The UUID (version 4 in form, as Linear wants it) of what is made for ``key``."""
    return UUID(bytes=hashlib.sha256(f"linear {key}".encode("utf-8", "surrogatepass")).digest()[:16], version=4)
