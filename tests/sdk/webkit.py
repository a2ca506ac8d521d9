"""Drives the system's WebKit, the engine of Safari and of every browser on an iPhone, by WebDriver."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.server import free_port
from tests.sdk.window import Window


def webkit_path() -> str:
    """The browser that comes with Debian's WebKit. Without it, or what drives and shows it, the test is skipped, with
    the way to get it."""
    found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    if not found or not all(map(shutil.which, ("WebKitWebDriver", "Xvfb"))):
        pytest.skip("WebKit is missing: install it (Debian: apt install webkit2gtk-driver xvfb).")
    return str(found[-1])


class WebKit(Window):
    """The only window of a running browser, or a frame in it."""

    def __init__(self, client: aiohttp.ClientSession, base: str, framed: bool = False) -> None:
        self._client = client
        self._base = base
        self._framed = framed

    async def command(self, method: str, path: str, **params: Any) -> Any:
        """What WebKit answers. Raises RuntimeError with its words."""
        body = params if method == "POST" else None
        async with self._client.request(method, self._base + path, json=body) as answer:
            value = (await answer.json(content_type=None))["value"]
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{path}: {value['error']}: {value.get('message')}")
        return value

    async def _look(self) -> None:
        """Into the frame, or out of all of them: what follows is meant for it."""
        await self.command("POST", "/frame", id=None)
        if self._framed:
            frames = await self.command("POST", "/elements", using="css selector", value="iframe")
            await self.command("POST", "/frame", id=frames[-1])

    async def activate(self) -> None:
        """There is no other."""

    async def innermost(self) -> WebKit:
        frames = await self.evaluate("document.querySelectorAll('iframe').length")
        return WebKit(self._client, self._base, framed=True) if frames else self

    async def goto(self, url: str) -> None:
        await self.command("POST", "/url", url=url)

    async def back(self) -> None:
        await self.command("POST", "/back")

    async def evaluate(self, expression: str) -> Any:
        await self._look()
        told = await self.command(
            "POST",
            "/execute/async",
            script="const [done] = arguments;"
            f"new Promise(answer => answer({expression}))"
            ".then(value => done([JSON.stringify(value) ?? 'null']), problem => done(String(problem)))",
            args=[],
        )
        if isinstance(told, str):
            raise RuntimeError(told)
        return json.loads(told[0])

    async def act(self, source: dict[str, Any]) -> None:
        await self._look()
        await self.command("POST", "/actions", actions=[source])


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[WebKit]:
    """A WebKit on a screen of its own, that keeps in this folder what it has to keep, for somebody who wants nothing to
    move; ended when the block is left."""
    browser, port = webkit_path(), free_port()
    (home / "gtk-3.0").mkdir()
    (home / "gtk-3.0" / "settings.ini").write_text("[Settings]\ngtk-enable-animations=0\n")
    async with AsyncExitStack() as ending:
        display = await _screen(ending)
        around = {"DISPLAY": display, "HOME": str(home), "GDK_BACKEND": "x11"} | {
            f"XDG_{kind}": str(home) for kind in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME")
        }
        await _started(ending, "WebKitWebDriver", f"--port={port}", env=os.environ | around)
        client = await ending.enter_async_context(aiohttp.ClientSession())
        window = WebKit(client, f"http://127.0.0.1:{port}")
        async with asyncio.timeout(60):
            while True:
                try:
                    await window.command("GET", "/status")
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        wanted = {"webkitgtk:browserOptions": {"binary": browser, "args": ["--automation"]}}
        made = await window.command("POST", "/session", capabilities={"alwaysMatch": wanted})
        window = WebKit(client, f"http://127.0.0.1:{port}/session/{made['sessionId']}")
        try:
            yield window
        finally:
            await window.command("DELETE", "")


async def _screen(ending: AsyncExitStack) -> str:
    """Starts a screen that nobody sees; its name, once it can be drawn on."""
    heard, told = os.pipe()
    await _started(ending, "Xvfb", "-displayfd", str(told), "-nolisten", "tcp", pass_fds=(told,))
    os.close(told)
    with os.fdopen(heard, "rb") as answer:
        return ":" + (await asyncio.to_thread(answer.readline)).decode().strip()


async def _started(ending: AsyncExitStack, *command: str, **options: Any) -> None:
    """Starts a process that is ended with the others."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, **options
    )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    ending.push_async_callback(end)
