"""Stored secrets: what opens them, what does not, and keys that change while processes run."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from insights.sealing import CannotOpen, Purpose, Sealer, key_source
from insights.settings import SettingInvalid

OLD, NEW, SERVER = b"o" * 32, b"n" * 32, b"s" * 32
PROJECT, OWNER = uuid4(), uuid4()


def test_a_secret_opens_only_for_what_it_was_sealed_for() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal("re_canary", Purpose.CHANNEL, PROJECT, OWNER)
    assert b"canary" not in sealed
    assert sealer.open(sealed, Purpose.CHANNEL, PROJECT, OWNER) == "re_canary"
    for purpose, project, owner in (
        (Purpose.WEBHOOK_SOURCE, PROJECT, OWNER),
        (Purpose.CHANNEL, uuid4(), OWNER),
        (Purpose.CHANNEL, PROJECT, uuid4()),
    ):
        with pytest.raises(CannotOpen):
            sealer.open(sealed, purpose, project, owner)
    for damaged in (b"", sealed[:-1], sealed[:9] + bytes(20), bytes(len(sealed)), b"\x01" + sealed[1:]):
        with pytest.raises(CannotOpen):
            sealer.open(damaged, Purpose.CHANNEL, PROJECT, OWNER)
    assert "nnn" not in repr(Sealer([NEW]).__dict__)


def test_the_newest_key_seals_and_all_open() -> None:
    before = Sealer([OLD]).seal("a", Purpose.CHANNEL, PROJECT, OWNER)
    both = Sealer([NEW, OLD])
    assert both.open(before, Purpose.CHANNEL, PROJECT, OWNER) == "a"
    assert not both.is_newest(before)
    after = both.seal("b", Purpose.CHANNEL, PROJECT, OWNER)
    assert both.is_newest(after)
    assert Sealer([NEW]).open(after, Purpose.CHANNEL, PROJECT, OWNER) == "b"
    with pytest.raises(CannotOpen):
        Sealer([NEW]).open(before, Purpose.CHANNEL, PROJECT, OWNER)


def test_a_running_process_reads_the_file_again_when_it_meets_a_new_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD.decode() + "\n")
    read = key_source("", str(file), SERVER)
    running = Sealer(read(), read)
    file.write_text(f"{NEW.decode()}\n{OLD.decode()}\n")
    elsewhere = Sealer(read(), read)
    assert running.open(elsewhere.seal("x", Purpose.CHANNEL, PROJECT, OWNER), Purpose.CHANNEL, PROJECT, OWNER) == "x"
    # And from then on it seals with it too.
    assert elsewhere.is_newest(running.seal("y", Purpose.CHANNEL, PROJECT, OWNER))


def test_keys_can_be_introduced_because_the_servers_secret_still_opens() -> None:
    before = Sealer(key_source("", "", SERVER)()).seal("a", Purpose.CHANNEL, PROJECT, OWNER)
    assert Sealer(key_source(NEW.decode(), "", SERVER)()).open(before, Purpose.CHANNEL, PROJECT, OWNER) == "a"


def test_wrong_keys_are_refused_by_number_and_never_shown(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n\n")
    for listed, file, says in (
        (f"{NEW.decode()},canary", "", "key 2 is shorter"),
        ("a" * 32, "somewhere", "both set"),
        ("", str(tmp_path / "missing"), "cannot be read"),
        ("", str(empty), "holds no key"),
    ):
        with pytest.raises(SettingInvalid, match=says) as raised:
            key_source(listed, file, SERVER)
        assert "canary" not in str(raised.value)
