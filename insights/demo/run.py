"""The demo: embedded database, API, worker, shop and inbox in one process, visited by a few dozen stories."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.key_ring import KeyRing
from insights.access.keys import create_key, ensure_project
from insights.app import create_app
from insights.demo.inbox import Inbox, create_inbox
from insights.demo.outcome import Outcome, outcome_of, reasons_of, sends_pending
from insights.demo.shop import create_shop
from insights.demo.stories import STORIES
from insights.demo.visitors import Visit, VisitRefused, play_all
from insights.errors import WhyleftError
from insights.recovery.publish import publish_starter_flows
from insights.serving import server
from insights.serving.listener import bind
from insights.settings import Settings
from insights.wiring.services import Services, build
from insights.worker import ensure_partitions, work

PROJECT = "Quiet Kettle"
HOST = "127.0.0.1"
WAIT_SCALE = 1 / 3600
"""Hours become seconds: the mail that would come after lunch comes while you watch."""
GRACE_SECONDS = 5.0
QUIET_SECONDS = 120.0
PATIENCE_SECONDS = 90.0


class DemoFailed(WhyleftError):
    """Something the demo needs did not happen."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo listens; 0 takes any free port."""

    api: int
    shop: int
    inbox: int
    smtp: int


class DemoKeys(msgspec.Struct, frozen=True):
    """The demo project's keys, kept in the data folder so that open pages survive a restart."""

    write: str
    secret: str


def demo_settings(settings: Settings, api_port: int, shop_port: int, smtp_port: int) -> Settings:
    """Settings that make the demo quick: sessions close within seconds, mails go to the local inbox."""
    return replace(
        settings,
        public_url=f"http://{HOST}:{api_port}",
        shop_url=f"http://{HOST}:{shop_port}",
        smtp_url=f"smtp://{HOST}:{smtp_port}",
        mail_from="Quiet Kettle <hello@quiet-kettle.example>",
        session_grace_seconds=GRACE_SECONDS,
        session_quiet_seconds=QUIET_SECONDS,
    )


class Demo:
    """One demo process. Build it, then ``run``."""

    def __init__(self, settings: Settings, urls: DatabaseUrls, ports: Ports, console: Console) -> None:
        self._console = console
        self._api = bind(HOST, ports.api)
        self._shop = bind(HOST, ports.shop)
        self._inbox_page = bind(HOST, ports.inbox)
        self._inbox = Inbox()
        self._inbox.start(HOST, ports.smtp, settings.data_dir / "inbox")
        self._settings = demo_settings(settings, _port(self._api), _port(self._shop), self._inbox.port)
        self._services: Services = build(self._settings, urls)

    async def run(self, stop: asyncio.Event, *, once: bool, report: Callable[[Outcome], None], repeats: int) -> None:
        """Serves, plays the visitors, calls ``report`` with what came of them; ends then if ``once``."""
        services = self._services
        await ensure_partitions(services.database)
        keys, project_id = await _prepare(services, _origin(self._shop))
        shop = create_shop(
            api_url=self._settings.public_url,
            write_key=keys.write,
            secret_key=keys.secret,
            inbox_url=_origin(self._inbox_page),
            viewer_url=f"{self._settings.public_url}/app",
        )
        inbox = create_inbox(self._inbox, shop_url=self._settings.shop_url)
        failure: list[Exception] = []

        async def visit(stop: asyncio.Event) -> None:
            try:
                visits = await self._play(keys.write, repeats, stop)
                await self._settle(services.database, project_id, visits, stop)
                report(await outcome_of(services.database, project_id, visits))
            except Exception as error:
                failure.append(error)
                stop.set()
                return
            if once:
                stop.set()
                return
            self._say_where(keys)
            await stop.wait()

        try:
            await server.serve(
                [(create_app(services), self._api), (shop, self._shop), (inbox, self._inbox_page)],
                [lambda stop: work(services, stop), visit],
                stop,
            )
        finally:
            await services.database.close()
            await asyncio.to_thread(self._inbox.stop)
        if failure:
            if isinstance(failure[0], VisitRefused | httpx.HTTPError):
                raise DemoFailed(f"The API did not take the demo's visits: {failure[0]}")
            raise failure[0]

    async def _play(self, write_key: str, repeats: int, stop: asyncio.Event) -> list[Visit]:
        rng = random.Random(7)  # noqa: S311  (the same demo every time)
        stories = [story for _ in range(repeats) for story in STORIES]
        rng.shuffle(stories)
        async with httpx.AsyncClient(base_url=self._settings.public_url, timeout=30.0) as client:
            with self._progress("Visitors in the shop", len(stories)) as advance:
                return await play_all(client, write_key, stories, rng, advance)

    async def _settle(self, database: Database, project_id: UUID, visits: list[Visit], stop: asyncio.Event) -> None:
        """Waits until every visit is classified and every mail that is due within seconds is out."""
        sessions = [visit.session_id for visit in visits]
        visitors = [visit.visitor_id for visit in visits]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        seen = 0
        with self._progress("Sessions explained", len(visits)) as advance:
            while seen < len(sessions) and not stop.is_set():
                found = len(await reasons_of(database, project_id, sessions))
                for _ in range(found - seen):
                    advance()
                seen = found
                self._check(loop.time(), deadline, "sessions were not classified")
                await asyncio.sleep(0.2)
        pending = await sends_pending(database, project_id, visitors)
        with self._progress("Recovery flows", pending) as advance:
            left = pending
            while left and not stop.is_set():
                await asyncio.sleep(0.2)
                now = await sends_pending(database, project_id, visitors)
                for _ in range(left - now):
                    advance()
                left = now
                self._check(loop.time(), deadline, "recovery flows did not finish")

    def _check(self, now: float, deadline: float, what: str) -> None:
        if now > deadline:
            raise DemoFailed(f"Within {PATIENCE_SECONDS:.0f} s {what}. Look at the log lines above for the cause.")

    def _progress(self, title: str, total: int) -> _Bar:
        return _Bar(self._console, title, total)

    def _say_where(self, keys: DemoKeys) -> None:
        say = self._console.print
        say()
        say("[bold]Everything is running.[/bold] Be rude to the shop, leave, and look a minute later why you left.")
        say(f"  shop     {self._settings.shop_url}")
        say(f"  viewer   {self._settings.public_url}/app    log in with [bold]{keys.secret}[/bold]")
        say(f"  inbox    {_origin(self._inbox_page)}")
        say(f"  API docs {self._settings.public_url}/docs")
        say(f"  tickets  {self._settings.data_dir / 'tickets.jsonl'}")
        say("Stop with Ctrl-C; the data stays for next time.")


class _Bar:
    """One progress bar; the context gives the function that moves it on."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Callable[[], None]:
        self._progress.start()
        return lambda: self._progress.advance(self._task)

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()


async def _prepare(services: Services, shop_origin: str) -> tuple[DemoKeys, UUID]:
    """The demo's project with its keys, the shop's origin allowed, the starter flows published."""
    database = services.database
    async with database.transaction(None) as tx:
        project_id = await ensure_project(tx, PROJECT, [shop_origin])
    async with database.transaction(project_id) as tx:
        await publish_starter_flows(tx, project_id, datetime.now(UTC), wait_scale=WAIT_SCALE)
    path = services.settings.data_dir / "demo-keys.json"
    kept = _read_keys(path)
    if kept is not None:
        ring = KeyRing(database)
        resolved = [await ring.resolve(key) for key in (kept.write, kept.secret)]
        if all(key is not None and key.project_id == project_id for key in resolved):
            return kept, project_id
    write = await create_key(database, PROJECT, "write", [])
    secret = await create_key(database, PROJECT, "secret", [])
    keys = DemoKeys(write=write.key, secret=secret.key)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(keys))
    return keys, project_id


def _read_keys(path: Path) -> DemoKeys | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoKeys)
    except (OSError, msgspec.MsgspecError):
        return None


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _origin(listener: socket.socket) -> str:
    return f"http://{HOST}:{_port(listener)}"
