"""Where a process says that it is reached."""

from __future__ import annotations

import httpx
import pytest

from tests.processes.conftest import Installation


@pytest.mark.parametrize("command", ["serve", "api"])
@pytest.mark.parametrize("public_url", ["", "https://shop.example"])
async def test_links_that_would_lead_to_another_port_are_told_before_one_is_sent(
    installation: Installation, command: str, public_url: str
) -> None:
    settings = {"WHYLEFT_PUBLIC_URL": public_url} if public_url else {}
    process = await installation.ready(command, **settings)
    process.signal()
    assert await process.ended() == 0
    assert process.process.stderr is not None
    said = process.process.stderr.read()
    assert process.url in said
    assert ("WHYLEFT_PUBLIC_URL" in said) is (public_url == "")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_an_ipv6_address_can_be_followed(installation: Installation, host: str) -> None:
    process = await installation.ready("api", "--host", host)
    address = f"http://[::1]:{process.url.rpartition(':')[2]}"
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{address}/readyz")).json() == {"status": "ok"}
    process.signal()
    assert await process.ended() == 0
    assert process.process.stderr is not None
    assert f"api={address} " in process.process.stderr.read()
