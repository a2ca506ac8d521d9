"""Trackers, chats and CRMs."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any, Final

from adapters.channels.contract import Accepted, Rejected, Retry, Unknown
from adapters.channels.work.linear import id_of
from adapters.channels.work.report import marker_of
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.far_side import Call, Reply

CANARY: Final = "canary-c0ffee-token"
KEY: Final = "7b1f6a34-6c0e-4f0e-9d4e-0a4f7a0c1b11"
MARKER: Final = marker_of(KEY)
TICKET: Final[dict[str, Any]] = {
    "title": "POST /api/cart answers 500",
    "priority": "high",
    "fingerprint": "f00d",
    "what": "They tried three times.",
    "request": {"method": "POST", "path": "/api/cart", "status": 500},
    "script": None,
    "count": 3,
    "sessions": 7,
    "page": "/cart",
    "seen_at": "2026-11-21T12:00:00+00:00",
    "session_url": "https://whyleft.example/app/sessions/1",
}
TODAY: Final = date(2026, 11, 21)


def _github(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.github.com"
        and call.path == "/repos/shop/web/issues"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and body["title"] == TICKET["title"]
        and body["labels"] == ["whyleft"]
        and f"<!-- {MARKER} -->" in body["body"]
        and "**Sessions that met it:** `7`" in body["body"]
        and "https://whyleft.example/app/sessions/1" in body["body"]
    )


def _jira(call: Call) -> bool:
    login = base64.b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
    fields = call.json["fields"]
    return (
        call.host == "shop.atlassian.net"
        and login == f"bot@shop.example:{CANARY}"
        and fields["project"] == {"key": "SHOP"}
        and fields["summary"] == TICKET["title"]
        and MARKER in fields["labels"]
        and fields["description"]["type"] == "doc"
    )


def _linear(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.linear.app"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and "issueCreate" in body["query"]
        and body["variables"]["input"]["id"] == str(id_of(KEY))
        and body["variables"]["input"]["priority"] == 2
    )


def _slack(call: Call) -> bool:
    body = call.json
    return (
        call.host == "slack.com"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and body["channel"] == "C0123456789"
        and body["metadata"]["event_payload"] == {"marker": MARKER}
        and TICKET["title"] in body["text"]
    )


def _hubspot(call: Call) -> bool:
    body = call.json
    return (
        call.host == "api.hubapi.com"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and body["properties"]["hs_task_subject"] == "Call Anna"
        and MARKER in body["properties"]["hs_task_body"]
        and body["associations"][0]["to"] == {"id": "501"}
        and body["associations"][0]["types"][0]["associationTypeId"] == 204
    )


def _graphql(**error: Any) -> Reply:
    return Reply(200, {"errors": [{"message": error.pop("message", "no"), "extensions": error}]})


CREATED: Final = {"success": True, "issue": {"id": "c0de", "identifier": "SHO-1"}}

EXAMPLES: Final = (
    Example(
        kind="github",
        reference="https://docs.github.com/en/rest/issues/issues#create-an-issue",
        read_on=TODAY,
        settings={"repository": "shop/web"},
        credentials={"token": CANARY},
        recipient=None,
        content=TICKET,
        impossible={"title": ""},
        send="POST /repos/shop/web/issues",
        accepted=Reply(201, {"number": 1347, "id": 1, "html_url": "https://github.com/shop/web/issues/1347"}),
        provider_id="1347",
        sent=_github,
        beside={
            "GET /repos/shop/web/issues": Reply(200, [{"number": 1, "body": "another"}, {"number": 2, "body": None}])
        },
        found={"GET /repos/shop/web/issues": Reply(200, [{"number": 9, "body": f"x <!-- {MARKER} -->"}])},
        cases={
            "no such repository": Case(Reply(404, {"message": "Not Found"}), Rejected, "Issues: read and write"),
            "issues are turned off": Case(Reply(410, {"message": "Issues are disabled"}), Rejected, "turn them on"),
            "the limit is reached": Case(
                Reply(403, {"message": "API rate limit exceeded"}, {"X-RateLimit-Remaining": "0"}), Retry, "limit"
            ),
            "a field is wrong": Case(Reply(422, {"message": "Validation Failed"}), Rejected, "Validation Failed"),
        },
    ),
    Example(
        kind="jira",
        reference="https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post",
        read_on=TODAY,
        settings={"site": "https://shop.atlassian.net", "email": "bot@shop.example", "project": "SHOP"},
        credentials={"token": CANARY},
        recipient=None,
        content=TICKET,
        impossible={"title": None},
        send="POST /rest/api/3/issue",
        accepted=Reply(
            201, {"id": "10000", "key": "SHOP-24", "self": "https://shop.atlassian.net/rest/api/3/issue/10000"}
        ),
        provider_id="SHOP-24",
        sent=_jira,
        beside={"GET /rest/api/3/search/jql": Reply(200, {"issues": []})},
        found={"GET /rest/api/3/search/jql": Reply(200, {"issues": [{"key": "SHOP-24"}]})},
        cases={
            "no such issue type": Case(
                Reply(400, {"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}}),
                Rejected,
                "issuetype",
            ),
            "no such project": Case(Reply(404, {"errorMessages": ["No project"]}), Rejected, "site and project"),
        },
    ),
    Example(
        kind="linear",
        reference="https://linear.app/developers/graphql",
        read_on=TODAY,
        settings={"team_id": "9cfb482a-81e3-4154-b5b9-2c805e70a02d"},
        credentials={"api_key": CANARY},
        recipient=None,
        content=TICKET,
        impossible={"title": 7},
        send="POST /graphql",
        accepted=Reply(200, {"data": {"issueCreate": CREATED}}),
        provider_id="c0de",
        sent=_linear,
        beside={"POST /graphql": Reply(200, {"data": {"issue": None}})},
        found={"POST /graphql": Reply(200, {"data": {"issue": {"id": "c0de", "identifier": "SHO-1"}}})},
        cases={
            "an error inside success": Case(_graphql(message="bad team", type="invalid input"), Rejected, "team_id"),
            "the key is old": Case(_graphql(type="AUTHENTICATION_ERROR"), Retry, "make a new one"),
            "too fast": Case(
                Reply(400, {"errors": [{"message": "slow", "extensions": {"code": "RATELIMITED"}}]}), Retry, "limit"
            ),
            "the id is taken": Case(
                _graphql(message="Entity already exists", type="invalid input"), Unknown, "already"
            ),
            "no success": Case(Reply(200, {"data": {"issueCreate": {"success": False}}}), Rejected, "did not work"),
        },
    ),
    Example(
        kind="slack",
        reference="https://docs.slack.dev/reference/methods/chat.postMessage",
        read_on=TODAY,
        settings={"channel": "C0123456789"},
        credentials={"bot_token": CANARY},
        recipient=None,
        content=TICKET,
        impossible={"title": " "},
        send="POST /api/chat.postMessage",
        accepted=Reply(200, {"ok": True, "channel": "C0123456789", "ts": "1503435956.000247"}),
        provider_id="1503435956.000247",
        sent=_slack,
        beside={"GET /api/conversations.history": Reply(200, {"ok": True, "messages": [{"ts": "1"}]})},
        found={
            "GET /api/conversations.history": Reply(
                200, {"ok": True, "messages": [{"ts": "2", "metadata": {"event_payload": {"marker": MARKER}}}]}
            )
        },
        cases={
            "the token is over": Case(Reply(200, {"ok": False, "error": "token_expired"}), Retry, "make a new one"),
            "not invited": Case(Reply(200, {"ok": False, "error": "not_in_channel"}), Rejected, "invite"),
            "too fast": Case(Reply(200, {"ok": False, "error": "ratelimited"}), Retry, "wait"),
            "it broke inside": Case(Reply(200, {"ok": False, "error": "internal_error"}), Unknown, "all the same"),
            "too long": Case(Reply(200, {"ok": False, "error": "msg_too_long"}), Rejected, "msg_too_long"),
        },
    ),
    Example(
        kind="hubspot",
        reference="https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide",
        read_on=TODAY,
        settings={},
        credentials={"token": CANARY},
        recipient="anna@example.com",
        content={"do": "task", "title": "Call Anna", "body": "Her card was refused twice.", "priority": "high"},
        impossible={"due_at": "tomorrow"},
        send="POST /crm/v3/objects/tasks",
        accepted=Reply(201, {"id": "7001", "properties": {}}),
        provider_id="7001",
        sent=_hubspot,
        beside={
            "POST /crm/v3/objects/contacts/search": Reply(200, {"total": 1, "results": [{"id": "501"}]}),
            "POST /crm/v3/objects/tasks/search": Reply(200, {"total": 0, "results": []}),
        },
        found={"POST /crm/v3/objects/tasks/search": Reply(200, {"total": 1, "results": [{"id": "7001"}]})},
        cases={
            "a scope is missing": Case(Reply(403, {"message": "requires scopes"}), Retry, "make a new key"),
            "a property is wrong": Case(Reply(400, {"message": "Property x does not exist"}), Rejected, "Property"),
            "success of another form": Case(Reply(201, "[]"), Accepted, ""),
        },
    ),
)
