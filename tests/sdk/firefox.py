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


class Firefox:
    """A running browser with one tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self.errors: list[str] = []
        """What pages threw or wrote as an error."""
        self._reader = asyncio.create_task(self._read())
        self._tab = ""

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.errors.append(str(told["params"].get("text")))
            elif (waiting := self._answers.pop(told.get("id"), None)) is not None and not waiting.done():
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

    async def begin(self) -> None:
        """Opens the session and finds the tab."""
        await self.command("session.new", capabilities={})
        await self.command("session.subscribe", events=["log.entryAdded"])
        tree = await self.command("browsingContext.getTree")
        self._tab = tree["contexts"][0]["context"]

    async def goto(self, url: str) -> None:
        await self.command("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    async def back(self) -> None:
        await self.command("browsingContext.traverseHistory", context=self._tab, delta=-1)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, waited for; objects come back as JSON."""
        wrapped = f"Promise.resolve({expression}).then(value => JSON.stringify(value) ?? 'null')"
        told = await self.command(
            "script.evaluate", expression=wrapped, target={"context": self._tab}, awaitPromise=True
        )
        if told["type"] == "exception":
            raise RuntimeError(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    async def until(self, expression: str, within_s: float = 10) -> Any:
        """The first true value of the expression."""
        end = asyncio.get_running_loop().time() + within_s
        while not (value := await self.evaluate(expression)):
            assert asyncio.get_running_loop().time() < end, f"never came true: {expression}"
            await asyncio.sleep(0.05)
        return value

    async def click(self, selector: str, times: int = 1) -> None:
        """Presses and lets go of the mouse in the middle of an element."""
        place = await self.evaluate(
            f"(e => (r => ({{x: Math.round(r.x + r.width / 2), y: Math.round(r.y + r.height / 2)}}))"
            f"(e.getBoundingClientRect()))(document.querySelector({json.dumps(selector)}))"
        )
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        moved = {"type": "pointerMove", **place}
        mouse = {"type": "pointer", "id": "mouse", "actions": [moved, *(press * times)]}
        await self.command("input.performActions", context=self._tab, actions=[mouse])

    async def press(self, key: str) -> None:
        """Types one key."""
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        await self.command(
            "input.performActions", context=self._tab, actions=[{"type": "key", "id": "keys", "actions": strokes}]
        )

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()


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
            firefox = Firefox(await client.ws_connect(found[1].decode() + "/session", max_msg_size=0))
            await firefox.begin()
            yield firefox
            await firefox.close()
        drain.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
