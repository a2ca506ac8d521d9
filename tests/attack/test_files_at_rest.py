"""Files of a server are nobody else's on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.channels.contract import SendIntent
from adapters.channels.ticket import TicketOutbox
from insights.settings import Settings
from insights.wiring.secrets import signing_secret_of


@pytest.fixture(autouse=True)
def permissive_umask() -> Iterator[None]:
    """What most machines have, or more."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_data_folder_and_the_signing_secret_are_the_servers_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "deep" / "data")
    signing_secret_of(settings)
    assert mode(settings.data_dir) == 0o700
    assert mode(settings.data_dir / "secret") == 0o600


async def test_tickets_which_name_people_are_the_servers_alone(tmp_path: Path) -> None:
    outbox = TicketOutbox(tmp_path / "data" / "tickets.jsonl")
    await outbox.send(SendIntent(key=str(uuid4()), recipient="", content={"title": "Call ada@example.org"}))
    assert mode(tmp_path / "data") == 0o700
    assert mode(tmp_path / "data" / "tickets.jsonl") == 0o600
