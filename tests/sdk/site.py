"""A shop's web server on loopback: serves pages and the built SDK, and writes down every batch that arrives."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Page

KEY = "wl_w_test"
TAG = f'<script src="/sdk/whyleft.js" data-key="{KEY}"></script>'

Batch = dict[str, Any]
Event = dict[str, Any]


@dataclass
class Site:
    """What the server says, and what it heard."""

    sdk: Path
    origin: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    """Path → HTML; every other path gets an empty page with the tag."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every page."""
    action: dict[str, Any] | None = None
    """The answer's action, given once."""
    explained: dict[str, Any] | None = None
    """What a server that explains itself adds to each answer."""
    withdraw: list[str] = field(default_factory=list)
    """The answer's withdrawn actions."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Scripts of the shop's own: path → content."""
    status: int = 200
    """What /v1/events answers. Other than 200, nothing is taken."""
    retry_after: str = ""
    hurried: Page | None = None
    """A page that is told to send at once while somebody waits to hear of it."""
    batches: list[Batch] = field(default_factory=list)
    """Bodies that were taken, in order of arrival."""
    attempts: list[tuple[str, str, Batch]] = field(default_factory=list)
    """Every POST: its path with the query, its content type, its body."""
    preflights: int = 0
    script: str = ""
    """Served as /page.js, for pages whose policy forbids inline scripts."""

    def events(self, kind: str | None = None) -> list[Event]:
        """Events that were taken, once each, in order of arrival."""
        every = [event for batch in list(self.batches) for event in batch["events"]]
        once = {event["id"]: event for event in every}
        return [event for event in once.values() if kind in (None, event["type"])]

    async def heard(self, wanted: Callable[[], Any], within_s: float = 120) -> Any:
        """The first true value of ``wanted()``. Raises AssertionError with what was heard when there is none."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not (value := wanted()):
            assert loop.time() < end, f"heard only {[event['type'] for event in self.events()]}"
            if self.hurried is not None:
                # A page on its way elsewhere cannot be told anything.
                with suppress(Error, TimeoutError):
                    await asyncio.wait_for(self.hurried.evaluate("window.whyleft?.flush?.()"), 0.5)
            await asyncio.sleep(0.02)
        return value

    async def viewed(self, path: str) -> None:
        """Waits until a view of this path arrived."""
        await self.heard(lambda: any(event["props"]["path"] == path for event in self.events("page_viewed")))

    async def one(self, kind: str) -> Event:
        """The first event of this type."""
        event: Event = (await self.heard(lambda: self.events(kind)))[0]
        return event


@contextmanager
def serving(sdk: Path) -> Iterator[Site]:
    """A site that answers until the block is left."""
    site = Site(sdk)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.origin = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/sdk/"):
            file = self.site.sdk / path.removeprefix("/sdk/")
            return self._answer(
                200 if file.is_file() else 404, file.read_bytes() if file.is_file() else b"", "text/javascript"
            )
        if path.startswith("/api/"):
            return self._api()
        if path == "/page.js":
            return self._answer(200, self.site.script.encode(), "text/javascript")
        if path in self.site.files:
            return self._answer(200, self.site.files[path], "text/javascript")
        html = self.site.pages.get(path, f"<!doctype html><title>Shop</title>{TAG}<h1>Shop</h1>")
        return self._answer(200, html.encode(), "text/html; charset=utf-8", self.site.headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        site = self.site
        if not self.path.startswith("/v1/events"):
            return self._api()
        try:
            batch: Batch = json.loads(body)
        except ValueError:
            return self._answer(400, b'{"detail": "The body is not JSON."}', "application/problem+json")
        site.attempts.append((self.path, self.headers.get("Content-Type", ""), batch))
        if site.status != 200:
            extra = {"Retry-After": site.retry_after} if site.retry_after else {}
            return self._answer(site.status, b'{"detail": "not now"}', "application/problem+json", extra)
        site.batches.append(batch)
        action, site.action = site.action, None
        reply = {"accepted": len(batch["events"]), "duplicates": 0, "rejected": [], "action": action}
        if site.withdraw:
            reply["withdraw"] = site.withdraw
        if site.explained:
            reply["explained"] = site.explained
        return self._answer(200, json.dumps(reply).encode(), "application/json")

    def do_OPTIONS(self) -> None:
        self.site.preflights += 1
        self._answer(204, b"", "text/plain")

    def _api(self) -> None:
        """The shop's own API: the last part of the path is the status it answers."""
        self._answer(int(urlsplit(self.path).path.rsplit("/", 1)[1]), b"{}", "application/json")

    def _answer(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        open_to_all = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **open_to_all,
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        # A page that goes does not wait for its answers.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """A test's output is its assertions."""
