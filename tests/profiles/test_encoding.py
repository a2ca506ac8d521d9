from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from insights.profiles.encoding import ProfileUnreadable, decode, encode, layout
from insights.profiles.profile import Profile
from insights.profiles.props import LARGEST
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from tests.profiles.visit import Visit


def same(profile: Profile) -> None:
    back = decode(encode(profile))
    assert back == profile
    before, after = msgspec.structs.asdict(profile), msgspec.structs.asdict(back)
    assert {name: type(value) for name, value in after.items()} == {n: type(v) for n, v in before.items()}


def test_a_blank_profile_and_one_of_a_whole_visit_come_back_as_they_were() -> None:
    same(Profile())
    visit = Visit().shelf("beans").product("p1").product("p2", price=990).add().page("/cart").event("exit_intent")
    visit.gets()
    visit.event("identified", email="ada@example.org").event("consent_changed", marketing=False)
    same(visit.later().shelf("cups").profile)


@pytest.mark.parametrize("seed", range(20))
def test_any_values_of_the_fields_come_back(seed: int) -> None:
    chance = random.Random(seed)

    def other(value: Any) -> Any:
        match value:
            case bool() | None:
                return chance.choice([True, False])
            case LiveAction() | Stage():
                return chance.choice(list(type(value)))
            case int():
                return chance.choice([0, 1, 127, 128, 65_536, LARGEST])
            case float():
                return chance.choice([0.0, 1.0, 0.1, 1e-300])
            case str():
                return chance.choice(["", "ü", "x" * 300])
            case bytearray():
                return bytearray(chance.randbytes(480))
            case bytes():
                return chance.randbytes(80)
            case tuple():
                return tuple(f"tag-{n}" for n in range(chance.randint(0, 5)))
            case dict():
                return {f"c{n}": chance.random() for n in range(6)}
        raise AssertionError(f"a field of another type: {value!r}")

    profile = Profile(*(other(value) for value in msgspec.structs.astuple(Profile())))
    profile.session = chance.choice([0, 1, (1 << 128) - 1])
    same(profile)
    assert len(encode(profile)) < 4_000


@pytest.mark.parametrize(
    "data", [b"", b"\x90", b"\xc0", encode(Profile())[:-1], encode(Profile()) + b"\x00", b"x" * 99]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProfileUnreadable):
        decode(data)


def test_a_layout_has_one_name() -> None:
    assert layout() == layout()
    assert len(layout()) == 12
