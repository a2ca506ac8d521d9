"""Drives the system's Firefox by WebDriver BiDi, which it speaks itself: no driver in between."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.sdk.window import Window

LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
PREFERENCES: dict[str, Any] = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "services.settings.server": "data:,",
    "extensions.getAddons.cache.enabled": False,
    # The SDK flags robots; this one has to pass for a person.
    "dom.webdriver.enabled": False,
}


def firefox_path() -> str:
    """The system's Firefox. Without one the test is skipped, with the way to get it."""
    named = os.environ.get("WHYLEFT_FIREFOX")
    found = named or next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
    if found is None:
        pytest.skip(
            "Firefox is missing: install it (Debian: apt install firefox-esr), or set WHYLEFT_FIREFOX to its path."
        )
    return found


class Session:
    """The connection to a running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if (waiting := self._answers.pop(told.get("id"), None)) is not None and not waiting.done():
                waiting.set_result(told)

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """What Firefox answers. Raises RuntimeError with its words."""
        self._count += 1
        self._answers[self._count] = answer = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        told = await asyncio.wait_for(answer, 30)
        if told.get("type") == "error":
            raise RuntimeError(f"{method}: {told.get('error')}: {told.get('message')}")
        result: dict[str, Any] = told["result"]
        return result

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()


class Firefox(Window):
    """One window of a running Firefox, or a frame in it."""

    def __init__(self, session: Session, context: str) -> None:
        self._session = session
        self._context = context

    async def window(self) -> Firefox:
        """Another window: unlike a tab behind another it is not hidden."""
        made = await self._session.command("browsingContext.create", type="window")
        return Firefox(self._session, made["context"])

    async def activate(self) -> None:
        await self._session.command("browsingContext.activate", context=self._context)

    async def innermost(self) -> Firefox:
        tree = await self._session.command("browsingContext.getTree", root=self._context)
        frames = tree["contexts"][0]["children"]
        return Firefox(self._session, frames[-1]["context"]) if frames else self

    async def goto(self, url: str) -> None:
        await self._session.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def back(self) -> None:
        await self._session.command("browsingContext.traverseHistory", context=self._context, delta=-1)

    async def evaluate(self, expression: str) -> Any:
        wrapped = f"Promise.resolve({expression}).then(value => JSON.stringify(value) ?? 'null')"
        told = await self._session.command(
            "script.evaluate", expression=wrapped, target={"context": self._context}, awaitPromise=True
        )
        if told["type"] == "exception":
            raise RuntimeError(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    async def act(self, source: dict[str, Any]) -> None:
        await self._session.command("input.performActions", context=self._context, actions=[source])


@asynccontextmanager
async def running(profile: Path, **preferences: Any) -> AsyncIterator[Firefox]:
    """A Firefox on the profile in this folder; ended when the block is left."""
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in (PREFERENCES | preferences).items()
    ]
    (profile / "user.js").write_text("\n".join(lines))
    process = await asyncio.create_subprocess_exec(
        firefox_path(), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"HOME": str(profile), "MOZ_HEADLESS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (found := LISTENING.search(await process.stderr.readline())):
                assert process.returncode is None, "Firefox ended at once"
        drain = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as client:
            session = Session(await client.ws_connect(found[1].decode() + "/session", max_msg_size=0))
            await session.command("session.new", capabilities={})
            tree = await session.command("browsingContext.getTree")
            yield Firefox(session, tree["contexts"][0]["context"])
            await session.close()
        drain.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
