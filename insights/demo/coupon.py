"""Whether a discount code is worth something: asks the Whyleft server to redeem it, once."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import httpx
import structlog

from insights.demo.basket import NotNow

log = structlog.get_logger()

_CODE = re.compile(r"[A-Za-z0-9-]{3,64}")
_REFUSALS: Final = {
    404: "We do not know this code.",
    409: "This code has been used already.",
    410: "This code is no longer valid.",
}


async def redeem(code: str, *, api_url: str, secret_key: str | None, order_hint: str) -> int:
    """Use ``code`` up for the order ``order_hint`` and return its discount in percent (1..100).

    Raises NotNow: 404 unknown, 409 used, 410 over, 503 when the server cannot be asked. Without a secret key there is
    nobody to ask, and no code is known.
    """
    if secret_key is None or not _CODE.fullmatch(code):
        raise NotNow(404, _REFUSALS[404], field="code")
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.post(
                f"{api_url}/v1/codes/{quote(code, safe='')}/redeem",
                headers={"Authorization": f"Bearer {secret_key}"},
                json={"order_hint": order_hint},
            )
        if answer.status_code in _REFUSALS:
            raise NotNow(answer.status_code, _REFUSALS[answer.status_code], field="code")
        percent = answer.json()["percent"] if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        log.warning("coupon_not_checked", reason=type(error).__name__)
        raise NotNow(503, _cannot_ask()) from error
    if type(percent) is not int or not 1 <= percent <= 100:
        log.warning("coupon_not_checked", status=answer.status_code)
        raise NotNow(503, _cannot_ask())
    return percent


def _cannot_ask() -> str:
    return "Codes cannot be checked right now. Your basket is safe; try again in a moment."
