"""A window of a browser that tests drive, whatever is spoken with it."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import Any


class Window(ABC):
    """One window with one tab, or a frame in it."""

    @abstractmethod
    async def goto(self, url: str) -> None:
        """Loads this page, and waits until that is done."""

    @abstractmethod
    async def back(self) -> None:
        """Goes back to the page before."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, waited for; objects come back as JSON. Raises RuntimeError with what it threw."""

    @abstractmethod
    async def activate(self) -> None:
        """Brings the window to the front: in others nothing takes the focus."""

    @abstractmethod
    async def innermost(self) -> Window:
        """The last frame of the page; the page itself when it has none."""

    @abstractmethod
    async def act(self, source: dict[str, Any]) -> None:
        """Does what a source of input does, in WebDriver's words: a mouse or keys, and their actions."""

    async def until(self, expression: str, within_s: float = 60) -> Any:
        """The first true value of the expression."""
        end = asyncio.get_running_loop().time() + within_s
        while not (value := await self.evaluate(expression)):
            assert asyncio.get_running_loop().time() < end, f"never came true: {expression}"
            await asyncio.sleep(0.05)
        return value

    async def middle(self, selector: str) -> tuple[int, int]:
        """Where the middle of an element is."""
        x, y = await self.evaluate(
            f"(r => [Math.round(r.x + r.width / 2), Math.round(r.y + r.height / 2)])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        return x, y

    async def point(self, x: int, y: int, presses: int = 0) -> None:
        """Moves the mouse there, and presses and lets go of it so many times."""
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        steps = [{"type": "pointerMove", "x": x, "y": y}, *(press * presses)]
        await self.act({"type": "pointer", "id": "mouse", "actions": steps})

    async def click(self, selector: str, times: int = 1) -> None:
        """Clicks in the middle of an element."""
        await self.point(*await self.middle(selector), presses=times)

    async def press(self, *keys: str) -> None:
        """Holds these keys down together, and lets go of them."""
        down = [{"type": "keyDown", "value": key} for key in keys]
        up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        await self.act({"type": "key", "id": "keys", "actions": [*down, *up]})
