"""Tickets as lines of a file, written by any number of processes, some of which are killed."""

from __future__ import annotations

import asyncio
import fcntl
import json
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest

from adapters.channels import ticket as module
from adapters.channels.contract import Accepted, NotFound, Rejected, Retry, SendIntent
from adapters.channels.ticket import TicketOutbox


def lines(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


async def test_a_ticket_is_one_line_with_its_content_key_and_time(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    content = {"title": "Zeile\neins", "key": "not mine", "count": 3}
    assert isinstance(await TicketOutbox(path).send(SendIntent("a", None, content)), Accepted)
    text = path.read_text()
    assert text.count("\n") == 1
    ticket = json.loads(text)
    assert (ticket["key"], ticket["title"], ticket["count"]) == ("a", "Zeile\neins", 3)
    assert ticket["created_at"].endswith("+00:00")


async def test_half_a_line_of_a_killed_writer_is_no_ticket_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    outbox = TicketOutbox(path)
    await outbox.send(SendIntent("a", None, {}))
    with path.open("ab") as file:
        file.write(b'{"key": "b", "title": "cut o' + b"x" * 500)
    assert isinstance(await outbox.lookup("b"), NotFound)
    assert isinstance(await outbox.send(SendIntent("b", None, {})), Accepted)
    assert lines(path) == ["a", "b"]


async def test_a_line_that_an_editor_left_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    path.write_text('{"key": "a"}\nnot a ticket\n{"key": "b"}')
    outbox = TicketOutbox(path)
    assert isinstance(await outbox.lookup("b"), Accepted)
    assert isinstance(await outbox.send(SendIntent("b", None, {})), Accepted)
    assert isinstance(await outbox.send(SendIntent("c", None, {})), Accepted)
    assert path.read_text().splitlines()[:3] == ['{"key": "a"}', "not a ticket", '{"key": "b"}']
    assert json.loads(path.read_text().splitlines()[3])["key"] == "c"


def _write_many(path: Path, worker: int) -> None:
    async def run() -> None:
        outbox = TicketOutbox(path)
        for number in range(20):
            await outbox.send(SendIntent(f"shared-{number}", None, {}))
            await outbox.send(SendIntent(f"own-{worker}-{number}", None, {"text": "x" * 500}))

    asyncio.run(run())


async def test_processes_take_turns_and_a_key_has_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(path, worker)) for worker in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
    keys = lines(path)
    assert len(keys) == len(set(keys)) == 20 + 3 * 20


async def test_a_file_that_stays_locked_is_tried_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_TRIES", 3)
    path = tmp_path / "tickets.jsonl"
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert isinstance(await TicketOutbox(path).send(SendIntent("a", None, {})), Retry)
    assert path.read_bytes() == b""


async def test_a_ticket_that_is_too_large_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    assert isinstance(await TicketOutbox(path).send(SendIntent("a", None, {"text": "x" * 300_000})), Rejected)
    assert not path.exists()


async def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """A real limit of the kernel stands in for a full disk: the file may not grow past a few bytes."""
    path = tmp_path / "tickets.jsonl"
    await TicketOutbox(path).send(SendIntent("a", None, {}))
    before = path.read_bytes()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_write_with_little_room, args=(path, queue))
    process.start()
    assert await asyncio.to_thread(queue.get) == "Retry"
    await asyncio.to_thread(process.join)
    queue.close()
    queue.join_thread()
    assert path.read_bytes() == before


def _write_with_little_room(path: Path, queue: multiprocessing.Queue[str]) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = path.stat().st_size + 10
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    result = asyncio.run(TicketOutbox(path).send(SendIntent("b", None, {"text": "x" * 1000})))
    queue.put(type(result).__name__)
