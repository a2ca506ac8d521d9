"""Segment's own clients, unmodified, deliver all their calls to a running server."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from segment.analytics.client import Client

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from insights.access.keys import create_key
from tests.dialects.conftest import Shop
from tests.e2e.server import serving

NODE = Path(__file__).parent / "node"
EVENTS = "SELECT type, props, session_id, visitor_id, url FROM event ORDER BY occurred_at, seq, type"


def every_call(shop: Shop, user: str, **options: Any) -> list[Any]:
    """Makes every call of the Python client once; returns what it could not deliver."""
    failures: list[Any] = []
    client = Client(
        shop.write,
        host=shop.url,
        on_error=lambda error, items: failures.append((error, items)),
        max_retries=2,
        **options,
    )
    device = f"{user}-device"
    client.identify(user, {"email": f"{user}@shop.example"}, anonymous_id=device)
    client.page(user, "Docs", "Python", {"url": "https://shop.example/docs?x=1"}, anonymous_id=device)
    client.screen(user, "Basket", "App", {"items": 2}, anonymous_id=device)
    client.track(
        user,
        "Product Added",
        {"product_id": "P1", "name": "Lamp", "price": "12.50", "quantity": 2, "currency": "eur"},
        anonymous_id=device,
    )
    client.track(
        user,
        "Order Completed",
        {"order_id": f"{user}-1", "revenue": 25, "currency": "EUR", "products": [{"product_id": "P1", "price": 12.5}]},
        timestamp=datetime.now(UTC) - timedelta(seconds=1),
        anonymous_id=device,
    )
    client.group(user, "company", {"name": "Company"}, anonymous_id=device)
    client.alias(device, user)
    if not options.get("sync_mode"):
        client.shutdown()
    return failures


@pytest.mark.parametrize("options", [{"gzip": False}, {"gzip": True}, {"sync_mode": True, "gzip": True}])
async def test_the_python_client_delivers_all_its_calls(shop: Shop, options: dict[str, Any]) -> None:
    user = "-".join(["py", *(f"{name}{value}" for name, value in options.items())])
    assert await asyncio.to_thread(every_call, shop, user, **options) == []
    stored = [row for row in shop.rows(EVENTS) if user in json.dumps(row["props"]) or row["url"]]
    visitors = shop.rows(
        "SELECT DISTINCT e.visitor_id FROM event e WHERE e.props->>'order_id' = %(order)s", order=f"{user}-1"
    )
    assert len(visitors) == 1
    mine = [row for row in shop.rows(EVENTS) if row["visitor_id"] == visitors[0]["visitor_id"]]
    assert sorted(row["type"] for row in mine if row["type"] != "identified") == [
        "cart_added",
        "custom",
        "custom",
        "page_viewed",
        "purchased",
    ]
    assert len({row["session_id"] for row in mine}) == 1
    by_type = {row["type"]: row["props"] for row in mine}
    assert by_type["cart_added"]["price_minor"] == 1250
    assert by_type["cart_added"]["currency"] == "EUR"
    assert by_type["purchased"]["value_minor"] == 2500
    assert {row["props"]["name"] for row in mine if row["type"] == "custom"} == {"screen", "group"}
    assert stored
    assert shop.known_as(visitors[0]["visitor_id"]) == [{"user_id": user, "email": f"{user}@shop.example"}]


async def test_the_node_client_delivers_all_its_calls(shop: Shop) -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules").exists():
        pytest.skip("Segment's client for Node is not installed here: `make test` does that")
    command = [node, str(NODE / "every_call.mjs"), shop.url, shop.write]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"calls": 7, "failures": []}
    [bought] = shop.rows("SELECT visitor_id, props FROM event WHERE props->>'order_id' = 'N-1'")
    assert bought["props"]["value_minor"] == 1999
    mine = [row for row in shop.rows(EVENTS) if row["visitor_id"] == bought["visitor_id"]]
    assert sorted(row["type"] for row in mine if row["type"] != "identified") == [
        "custom",
        "custom",
        "page_viewed",
        "product_viewed",
        "purchased",
    ]
    assert len({row["session_id"] for row in mine}) == 1
    assert shop.known_as(bought["visitor_id"]) == [{"user_id": "node-user", "email": "node@shop.example"}]


async def test_a_server_that_dies_meanwhile_loses_nothing_and_counts_nothing_twice(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    key = (await create_key(database, "shop", "write", [])).key
    async with serving(database_urls, tmp_path) as server:
        failures: list[Any] = []
        client = Client(
            key,
            host=server.url,
            gzip=True,
            upload_size=10,
            upload_interval=0.05,
            on_error=lambda *a: failures.append(a),
        )
        for number in range(300):
            client.track("dying-user", f"Step {number}", anonymous_id=f"dying-{number % 7}")
        await asyncio.sleep(0.3)
        server.kill()
        await server.start()
        await asyncio.to_thread(client.shutdown)
        assert failures == []
        with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as connection:
            steps = connection.execute("SELECT props->>'name' FROM event WHERE props->>'name' LIKE 'Step %'").fetchall()
    assert sorted(steps) == sorted((f"Step {number}",) for number in range(300))
