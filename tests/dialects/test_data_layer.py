"""The browser SDK and this server read a page's dataLayer alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from insights.events.dialects import ga4
from insights.events.dialects.names import GA4
from insights.events.dialects.translation import Envelope

_SAID_HERE_ONLY = frozenset({"page_viewed", "refunded"})
"""The SDK sees pages by itself, and a page may not tell of refunds."""

_COMPARED = frozenset(
    {"product_id", "name", "price_minor", "quantity", "currency", "order_id", "value_minor", "step", "query", "kind"}
    | {"cart_value_minor", "accepted"}
)

ITEMS = [{"item_id": "P1", "item_name": "Tee", "price": 10.01, "quantity": 3}, {"item_id": "P2", "price": 5}]
SAMPLE: dict[str, Any] = {
    "currency": "EUR",
    "value": 35.03,
    "items": ITEMS,
    "transaction_id": "T1",
    "coupon": "X",
    "search_term": "tee",
    "promotion_name": "10% code",
}

OLDER: dict[str, Any] = {
    "currency": "EUR",
    "items": [{"id": "P1", "name": "Tee", "category": "shirts", "price": 10.01, "quantity": 3}, {"price": 5}],
    "transaction_id": "T2",
    "promotion_name": "10% code",
}
"""As older tags name an item's parts, without a value, and with an item that nobody can tell from others."""
WEIGHED: dict[str, Any] = {
    "currency": "EUR",
    "items": [{"item_id": "P1", "price": 19.9, "quantity": 0.5}, {"item_id": "P2", "quantity": 2.5}, {"price": 5}],
    "transaction_id": "T4",
    "promotion_name": "code",
}
BARE: dict[str, Any] = {"currency": "EUR", "value": 12, "items": None, "transaction_id": "T3", "promotion_name": "code"}


def told_here(name: str, sample: dict[str, Any]) -> list[Any]:
    push = {"event": name, "ecommerce": sample, "client_id": "c"}
    told = ga4.translate(push, Envelope(received_ms=0))
    # A page keeps to itself what says too little.
    return [[said.type, said.props] for said in told if said.type != "custom"]


@pytest.mark.parametrize("sample", [SAMPLE, OLDER, WEIGHED, BARE])
def test_the_sdk_tells_of_a_push_what_the_server_tells_of_it(
    repository: Path, tmp_path: Path, sample: dict[str, Any]
) -> None:
    source = repository / "sdk-web" / "src" / "extra" / "layer.ts"
    esbuild = repository / "sdk-web" / "node_modules" / ".bin" / "esbuild"
    node = shutil.which("node")
    if not source.exists() or not esbuild.exists() or node is None:
        pytest.skip("the SDK's reader of the dataLayer cannot be built here")
    bundle = tmp_path / "layer.cjs"
    subprocess.run(
        [esbuild, source, "--bundle", "--format=cjs", f"--outfile={bundle}", "--log-level=error"], check=True
    )
    names = [name for name, type_ in GA4.items() if type_ not in _SAID_HERE_ONLY]
    script = """
        const [bundle, names, sample] = process.argv.slice(1);
        globalThis.window = globalThis;
        globalThis.console = { ...console, warn() {} };
        const told = {};
        let name;
        require(bundle).watchLayer((type, props) => told[name].push([type, props]));
        for (name of JSON.parse(names)) {
            told[name] = [];
            window.dataLayer.push({ event: name, ecommerce: JSON.parse(sample) });
        }
        process.stdout.write(JSON.stringify(told));
    """
    done = subprocess.run(
        [node, "-e", script, bundle, json.dumps(names), json.dumps(sample)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    for name in names:
        assert _plain(there[name]) == _plain(told_here(name, sample)), name


def _plain(told: list[Any]) -> list[Any]:
    return [
        [type_, {field: value for field, value in props.items() if field in _COMPARED and value is not None}]
        for type_, props in told
    ]
