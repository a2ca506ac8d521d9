"""Shows the numbers of a process, and those of its siblings on the same port, as Prometheus reads them.

Each process of a group answers on a socket of its own in a private folder. Whoever is asked asks the others, so one
address shows them all; every sample carries the process it comes from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

log = structlog.get_logger()

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
ANSWER_WITHIN: Final = 1.0
MOST_BYTES: Final = 4 * 2**20


class Exposition:
    """The numbers of process ``number`` of a group whose sockets stand in ``folder`` (None: it is alone)."""

    def __init__(self, registry: CollectorRegistry, *, number: int = 0, folder: Path | None = None) -> None:
        self._registry = registry
        self._number = number
        self._folder = folder

    async def read(self) -> bytes:
        """All numbers of the group. A sibling that does not answer is left out, and that is logged."""
        texts = {str(self._number): self._own()}
        if self._folder is not None:
            others = [path for path in self._folder.glob("*.sock") if path.stem != str(self._number)]
            answers = await asyncio.gather(*(_ask(path) for path in others))
            texts.update({path.stem: text for path, text in zip(others, answers, strict=True) if text is not None})
        return merged(texts).encode()

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answers the siblings for as long as the context lasts."""
        if self._folder is None:
            yield
            return

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(self._own().encode())
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

        path = self._folder / f"{self._number}.sock"
        path.unlink(missing_ok=True)  # of a predecessor that was killed
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    def _own(self) -> str:
        return generate_latest(self._registry).decode()


def merged(texts: Mapping[str, str]) -> str:
    """One text of several: each family once, its samples together, with ``process`` as their first label."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for process in sorted(texts):
        family = ""
        for line in texts[process].splitlines():
            if line.startswith("# "):
                _, kind, family, *_ = line.split(" ", 3)
                head = heads.setdefault(family, [])
                samples.setdefault(family, [])
                if not any(known.startswith(f"# {kind} ") for known in head):
                    head.append(line)
            elif line:
                samples[family].append(_labelled(line, process))
    return "".join(f"{line}\n" for family in heads for line in (*heads[family], *samples[family]))


def _labelled(line: str, process: str) -> str:
    brace, blank = line.find("{"), line.find(" ")
    if 0 <= brace < blank:
        return f'{line[: brace + 1]}process="{process}",{line[brace + 1 :]}'
    return f'{line[:blank]}{{process="{process}"}}{line[blank:]}'


async def _ask(path: Path) -> str | None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reader, writer = await asyncio.open_unix_connection(path, limit=MOST_BYTES)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError, UnicodeDecodeError) as error:
        log.warning("metrics_of_a_process_missing", process=path.stem, error=type(error).__name__)
        return None
