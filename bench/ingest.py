"""The whole ingest loop (key, decode, profile, intent, decision, commit) beside a no-op on the same HTTP server.

`python -m bench.ingest [--json]`: closed loop of 16 connections, POSTs of 10-event batches, loopback, about 20 s.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from bench.report import Figure, report
from insights.vocabulary.ids import uuid7

CONNECTIONS = 16
SECONDS = 4.0
ROUNDS = 2
NO_OP = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error", lifespan="off")
"""


def body() -> bytes:
    """A batch of ten events of one new visitor."""
    now = int(time.time() * 1000)
    events = [
        {
            "id": str(uuid7(now)),
            "seq": n,
            "t": now,
            "type": "clicked" if n else "page_viewed",
            "props": {"path": "/product/7", "url": "https://shop.example/product/7", "title": "Kettle"}
            if n == 0
            else {"selector": "button.add", "role": "button", "label": "Add to basket"},
        }
        for n in range(10)
    ]
    page = {"url": "https://shop.example/product/7"}
    batch = {"visitor": str(uuid4()), "session": str(uuid7(now)), "sent_at": now, "page": page, "events": events}
    return json.dumps(batch).encode()


async def one(port: int, path: str, until: float, latencies: list[float]) -> None:
    """Posts over one kept connection, one after another, until the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        payload = body()
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(payload)}\r\n\r\n"
        started = time.perf_counter()
        writer.write(head.encode() + payload)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"bench.ingest: the server answered {answer.splitlines()[0].decode()}")
        lines = answer.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), None)
        if length is None:
            while (size := int((await reader.readline()).strip(), 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
    writer.close()


async def load(port: int, path: str) -> tuple[float, list[float]]:
    """Requests a second, and each request's latency in seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(one(port, path, until, latencies) for _ in range(CONNECTIONS)))
    return len(latencies) / SECONDS, latencies


async def up(port: int) -> None:
    """Waits until something listens."""
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise SystemExit("bench.ingest: the server did not start; run `whyleft serve` to see why.")


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    whyleft = Path(sys.executable).with_name("whyleft")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "WHYLEFT_DATA_DIR": folder, "WHYLEFT_LOG_LEVEL": "error"}
        server = subprocess.Popen([whyleft, "serve", "--port", "18341"], env=environment)
        floor = subprocess.Popen([sys.executable, "-c", NO_OP, "18342"])
        try:
            asyncio.run(up(18341))
            asyncio.run(up(18342))
            made = subprocess.run(
                [whyleft, "keys", "create", "--project", "bench", "--kind", "write", "--json"],
                env=environment,
                check=True,
                capture_output=True,
            )
            path = f"/v1/events?key={json.loads(made.stdout)['key']}"
            ours, floors, latencies = [], [], []
            for _ in range(ROUNDS):
                rate, took = asyncio.run(load(18341, path))
                ours.append(rate)
                latencies += took
                floors.append(asyncio.run(load(18342, path))[0])
        finally:
            for process in (server, floor):
                process.terminate()
                process.wait(timeout=30)
    latencies.sort()
    rate, no_op = statistics.median(ours), statistics.median(floors)
    share = rate / no_op
    report(
        "ingest",
        [
            Figure("loop", round(rate), "POST/s", n=len(latencies)),
            Figure("no-op on the same server", round(no_op), "POST/s", n=len(latencies)),
            Figure("share of the no-op", round(share, 3), "", bar=0.3, holds=share >= 0.3),
            Figure("p50 at saturation", round(latencies[len(latencies) // 2] * 1000, 2), "ms"),
            Figure("p99 at saturation", round(latencies[int(len(latencies) * 0.99)] * 1000, 2), "ms"),
        ],
    )


if __name__ == "__main__":
    main()
