"""How long a channel waits where its provider says so, each in its own way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters.channels.contract import Result, Retry, SendIntent
from adapters.channels.line import Answer, Line
from adapters.channels.verdict import judge_answer
from adapters.channels.work.github import Github, GithubCredentials, GithubSettings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
IN_TWO_MINUTES = str(int(NOW.timestamp()) + 120)


def _answer(status: int, message: str = "no", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"message": message}).encode()
    return Answer(status, {"content-type": "application/json", **named}, body, True, NOW)


def _pause(result: Result | None) -> timedelta | None:
    assert isinstance(result, Retry)
    return result.after


@pytest.mark.parametrize(
    "date",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2027 00:00:00 +99999999999999"],
)
def test_a_date_that_no_calendar_has_is_no_pause_and_breaks_nothing(date: str) -> None:
    assert _pause(judge_answer(_answer(429, retry_after=date))) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_ratelimit_reset": IN_TWO_MINUTES, "x_ratelimit_remaining": "0"}, timedelta(minutes=2)),
        ({"x_ratelimit_reset": IN_TWO_MINUTES}, timedelta(minutes=2)),
        ({"x_ratelimit_retry_after": "7", "x_ratelimit_reset": IN_TWO_MINUTES}, timedelta(seconds=7)),
        ({"retry_after": "5", "x_ratelimit_reset": IN_TWO_MINUTES}, timedelta(seconds=5)),
        ({"x_ratelimit_reset": IN_TWO_MINUTES, "x_ratelimit_remaining": "3"}, None),
        ({"x_ratelimit_reset": "9999999999"}, timedelta(hours=1)),
        ({"x_ratelimit_reset": "1000000000"}, timedelta(0)),
        ({"x_ratelimit_reset": "30"}, None),
        ({"x_ratelimit_reset": "soon"}, None),
    ],
)
def test_the_reset_that_braze_and_sendgrid_name_is_waited_for(
    headers: dict[str, str], expected: timedelta | None
) -> None:
    assert _pause(judge_answer(_answer(429, **headers))) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # Of its primary limit, which is not the one that was reached, much is left.
        (
            _answer(
                403,
                "You have exceeded a secondary rate limit.",
                retry_after="90",
                x_ratelimit_remaining="4000",
                x_ratelimit_reset=str(int(NOW.timestamp()) + 3000),
            ),
            timedelta(seconds=90),
        ),
        (_answer(403, "You have triggered an abuse detection mechanism.", retry_after="60"), timedelta(seconds=60)),
        (
            _answer(
                403,
                "You have exceeded a secondary rate limit.",
                x_ratelimit_remaining="4000",
                x_ratelimit_reset=str(int(NOW.timestamp()) + 3000),
            ),
            timedelta(minutes=1),
        ),
        (_answer(403, "No.", x_ratelimit_remaining="0", x_ratelimit_reset=IN_TWO_MINUTES), timedelta(minutes=2)),
    ],
)
def test_githubs_secondary_limit_is_waited_for_as_it_asks(answer: Answer, expected: timedelta) -> None:
    github = Github(
        GithubSettings.model_validate({"repository": "shop/web"}),
        GithubCredentials.model_validate({"token": "ghp_0123456789"}),
        Line(),
    )
    assert _pause(github.read(answer, SendIntent("key", None, {}))) == expected
