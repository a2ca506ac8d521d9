"""How far a replay came: never further than what was acknowledged without a gap."""

from __future__ import annotations

import os
from pathlib import Path

from insights.replay.formats import Format
from insights.replay.position import Position, StateFile, Tally, Watermark, replay_name


def test_the_position_waits_for_the_batch_that_is_still_on_its_way() -> None:
    mark = Watermark()
    mark.finish(1, Tally(accepted=2))
    mark.finish(2, Tally(accepted=3, closed=1))
    assert mark.position == Position()
    assert mark.tally == Tally(accepted=5, closed=1)
    mark.finish(0, Tally(duplicates=1))
    assert mark.position == Position(3, Tally(accepted=5, duplicates=1, closed=1))


def test_a_saved_position_is_taken_up_and_forgotten_at_the_end(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "deep" / "state.json", "this replay")
    assert state.load() == Position()
    position = Position(7, Tally(accepted=9))
    state.save(position)
    assert StateFile(state.path, "this replay").load() == position
    assert [path.name for path in state.path.parent.iterdir()] == ["state.json"]
    state.forget()
    assert state.load() == Position()


def test_a_position_of_another_replay_or_a_torn_file_is_the_start(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.json", "this replay")
    state.save(Position(7))
    assert StateFile(state.path, "another replay").load() == Position()
    state.path.write_bytes(state.path.read_bytes()[:9])
    assert state.load() == Position()
    state.path.write_bytes(b'{"replay": "this replay", "done": -1, "tally": {}}')
    assert state.load() == Position()


def test_a_changed_file_another_server_or_another_key_is_another_replay(tmp_path: Path) -> None:
    file = tmp_path / "clicks"
    file.write_text("1\t2\t3")
    name = replay_name(file, Format.YOOCHOOSE, "http://a", "key", None)
    assert name == replay_name(file, Format.YOOCHOOSE, "http://a", "key", None)
    assert "key" not in name
    others = {
        replay_name(file, Format.YOOCHOOSE, "http://b", "key", None),
        replay_name(file, Format.YOOCHOOSE, "http://a", "another", None),
        replay_name(file, Format.YOOCHOOSE, "http://a", "key", 5),
    }
    os.utime(file, (1, 1))
    others.add(replay_name(file, Format.YOOCHOOSE, "http://a", "key", None))
    assert name not in others
    assert len(others) == 4
