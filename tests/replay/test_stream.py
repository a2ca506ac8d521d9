"""A replay over real sockets to a server that fails, hangs up and restarts: nothing is lost, nothing out of order."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from insights.cli import app
from insights.replay.batches import Plan, plan_replay
from insights.replay.client import ReplayStopped, Target
from insights.replay.formats import Click, Format, read_clicks
from insights.replay.position import StateFile, Tally
from insights.replay.stream import Result, Watch, due_seconds, stream
from tests.replay.api import SECRET_KEY, WRITE_KEY, FaultyApi

SESSIONS = 40
START = 1_396_437_466


def _log(tmp_path: Path) -> Path:
    """Sessions of five clicks, one an hour, so that each session is five batches; every click is there twice."""
    file = tmp_path / "clicks.txt"
    rows = [f"{s}\t{s}{n}\t{START + n * 3600 + s}.5" for s in range(SESSIONS) for n in (3, 1, 0, 4, 2)]
    file.write_text("SessionId\tItemId\tTime\n" + "\n".join(rows + rows) + "\n")
    return file


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    clicks = [row for row in read_clicks(_log(tmp_path), Format.YOOCHOOSE) if isinstance(row, Click)]
    return plan_replay(clicks, Format.YOOCHOOSE)


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state.json", "test")


async def _stream(plan: Plan, api: FaultyApi, state: StateFile, **changes: Any) -> Result:
    target = Target(api.url, changes.get("write_key", WRITE_KEY), changes.get("secret_key", SECRET_KEY), 20)
    return await stream(plan, target, speed=0, state=state, watch=changes.get("watch", Watch()))


def _holds_all_in_order(api: FaultyApi, plan: Plan) -> None:
    expected: dict[str, list[str]] = {}
    for batch in plan.batches:
        expected.setdefault(str(batch.session), []).extend(event["id"] for event in batch.events)
    # A dict keeps the order of arrival.
    assert {session: list(events) for session, events in api.stored.items()} == expected
    assert sorted(set(api.closed)) == sorted(expected)
    assert api.closed_early == []


async def test_every_event_arrives_in_order_whatever_the_server_does(plan: Plan, state: StateFile) -> None:
    faults = {3: "unavailable", 10: "hang_up", 20: "forgets_to_answer", 40: "crash", 41: "hang_up", 90: "crash"}
    async with FaultyApi(faults) as api:
        result = await _stream(plan, api, state)
    _holds_all_in_order(api, plan)
    assert result.tally.events == plan.events == SESSIONS * 5
    assert result.tally.rejected == 0
    assert result.tally.closed == SESSIONS
    # What was stored without an answer is known when it comes again.
    assert result.tally.duplicates >= 1
    assert not state.path.exists()


async def test_a_stopped_replay_goes_on_behind_what_was_acknowledged(plan: Plan, state: StateFile) -> None:
    async with FaultyApi() as api:
        first = asyncio.create_task(_stream(plan, api, state))
        api.on_batch = lambda number: first.cancel() if number == 80 else None
        with pytest.raises(asyncio.CancelledError):
            await first
        api.on_batch = lambda _: None
        done = state.load()
        assert 0 < done.done < len(plan.batches)
        arrived = api.arrived
        result = await _stream(plan, api, state)
        assert api.arrived - arrived == len(plan.batches) - done.done
    _holds_all_in_order(api, plan)
    assert result.resumed_events == done.tally.events
    assert result.tally.events == plan.events
    assert result.tally.closed == SESSIONS


async def test_a_finished_replay_starts_over_and_stores_nothing_twice(plan: Plan, state: StateFile) -> None:
    async with FaultyApi() as api:
        await _stream(plan, api, state)
        again = await _stream(plan, api, state)
    assert again.tally == Tally(duplicates=plan.events, closed=SESSIONS)


async def test_a_refused_batch_is_counted_and_told_and_the_rest_goes_on(plan: Plan, state: StateFile) -> None:
    refusals: list[str] = []
    async with FaultyApi({1: "refuse"}) as api:
        result = await _stream(plan, api, state, watch=Watch(refused=refusals.append))
    assert refusals == ["session: is not to its liking."]
    assert (result.tally.rejected, result.tally.accepted) == (1, plan.events - 1)


@pytest.mark.parametrize("kind", ["write", "secret"])
async def test_a_wrong_key_ends_it_before_anything_is_sent(plan: Plan, state: StateFile, kind: str) -> None:
    async with FaultyApi() as api:
        with pytest.raises(ReplayStopped, match=f"does not take the {kind} key .*Make another one"):
            await _stream(plan, api, state, **{f"{kind}_key": "wl_wrong"})
    assert api.arrived == 0


async def test_a_server_that_stays_away_ends_it_with_the_position_kept(plan: Plan, state: StateFile) -> None:
    async with FaultyApi(dict.fromkeys(range(60, 10_000), "unavailable")) as api:
        target = Target(api.url, WRITE_KEY, SECRET_KEY, give_up_seconds=0)
        with pytest.raises(ReplayStopped, match="run the same command again"):
            await stream(plan, target, speed=0, state=state, watch=Watch())
    assert state.load().done > 0


async def test_a_server_that_is_something_else_is_named_so(plan: Plan, state: StateFile) -> None:
    class Other(FaultyApi):
        def _answer(self, *_: object) -> tuple[int, dict[str, Any]] | None:
            return 404, {}

    async with Other() as api:
        with pytest.raises(ReplayStopped, match="check --url"):
            await _stream(plan, api, state)


async def test_keys_of_two_projects_are_told_apart_from_a_session_without_events(plan: Plan, state: StateFile) -> None:
    class Elsewhere(FaultyApi):
        def _answer(self, method: str, path: str, key: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
            return (404, {}) if path.endswith("/close") else super()._answer(method, path, key, body)

    async with Elsewhere() as api:
        with pytest.raises(ReplayStopped, match="two keys of one project"):
            await _stream(plan, api, state)


async def test_a_position_that_cannot_be_kept_ends_it_before_anything_is_sent(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder is needed")
    async with FaultyApi() as api:
        with pytest.raises(OSError):
            await _stream(plan, api, StateFile(tmp_path / "taken" / "state.json", "test"))
    assert api.arrived == 0


def test_speed_is_event_time_over_wall_time(plan: Plan) -> None:
    first = plan.batches[0]
    later = next(batch for batch in plan.batches if batch.at_ms == first.at_ms + 3_600_000)
    assert due_seconds(later, first.at_ms, 1000) == pytest.approx(3.6)
    assert due_seconds(later, first.at_ms, 0) == 0


async def test_the_command_ends_with_one_json_object(tmp_path: Path) -> None:
    file = _log(tmp_path)
    with file.open("a") as log:
        log.write("not a row\n")
    async with FaultyApi() as api:
        ran = await asyncio.to_thread(_command, file, api.url, tmp_path)
    assert ran.exit_code == 0, ran.stderr
    report = json.loads(ran.stdout.splitlines()[-1])
    assert report.pop("seconds") >= 0
    assert report == {
        "file": str(file),
        "format": "yoochoose",
        "rows": SESSIONS * 10 + 1,
        "broken_rows": 1,
        "distinct_events": SESSIONS * 5,
        "accepted": SESSIONS * 5,
        "duplicates": 0,
        "rejected": 0,
        "sessions": SESSIONS,
        "closed": SESSIONS,
        "resumed_events": 0,
    }
    assert f"clicks.txt:{SESSIONS * 10 + 2}: has 1 tab-separated columns" in ran.stderr.replace("\n", " ")


@pytest.mark.parametrize("content", [None, "", "not a row\n"])
def test_a_file_without_a_row_ends_in_one_sentence(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "clicks.txt"
    if content is not None:
        file.write_text(content)
    ran = _command(file, "http://127.0.0.1:9", tmp_path)
    assert ran.exit_code == 1
    assert "whyleft: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert isinstance(ran.exception, SystemExit)


def test_a_place_where_nothing_listens_ends_in_one_sentence(tmp_path: Path) -> None:
    ran = _command(_log(tmp_path), "http://127.0.0.1:9", tmp_path, "--give-up", "0")
    assert ran.exit_code == 1
    assert "No API answers" in ran.stderr


def _command(file: Path, url: str, tmp_path: Path, *more: str) -> Any:
    options = ["--format", "yoochoose", "--url", url, "--state", str(tmp_path / "position.json"), "--json", *more]
    keys = ["--write-key", WRITE_KEY, "--secret-key", SECRET_KEY]
    return CliRunner().invoke(app, ["replay", str(file), *options, *keys])
