"""The shipped nginx configuration, with Debian's nginx in front of real processes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.keys import create_key
from insights.profiles.loading import ProfileLoader
from insights.vocabulary.ids import uuid7
from insights.worker import ensure_partitions
from tests.e2e.server import free_port, until
from tests.processes.started import Started, environment

# Not on everybody's PATH.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is missing (Debian: apt install nginx-light)")

PROCESSES = 3


class Balancer:
    """nginx with the shipped configuration; only addresses and places are this test's."""

    def __init__(self, folder: Path, shipped: str, upstreams: list[str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        ours = iter(upstreams)
        site = re.sub(r"server 127\.0\.0\.1:83\d\d", lambda _: f"server {next(ours)}", shipped)
        assert next(ours, None) is None
        site = site.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        (folder / "site.conf").write_text(site)
        temporary = "\n".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # Started as root, its workers would step down to a user who may not enter a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2;\nevents {{ }}\n"
            f"http {{ access_log {folder}/access.log; {temporary}\ninclude {folder}/site.conf; }}\n"
        )
        self.command = [
            str(NGINX),
            "-p",
            str(folder),
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            str(folder / "error.log"),
        ]
        self.process = subprocess.Popen(self.command)

    def check(self) -> str:
        """What `nginx -t` says."""
        return subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=False).stderr

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=120)


@dataclass
class Site:
    """Three processes behind nginx."""

    balancer: Balancer
    processes: list[Started]
    project_id: UUID
    key: str
    client: httpx.AsyncClient

    async def send(self, visitor: dict[str, str], *types: str) -> httpx.Response:
        now = int(time.time() * 1000)
        events = [
            {"id": str(uuid7(now)), "t": now + n, "seq": n, "type": kind, "props": {"path": "/"}}
            for n, kind in enumerate(types)
        ]
        return await self.client.post(
            "/v1/events",
            params={"key": self.key, "v": visitor["visitor"]},
            json={**visitor, "tab": "t", "events": events},
        )

    async def profiles_at(self) -> list[float]:
        """How many live profiles each process holds; -1 for one that is gone."""
        held = []
        for process in self.processes:
            metrics = "" if process.process.poll() is not None else await process.metrics()
            found = re.search(r"^whyleft_live_profiles\S* (\S+)$", metrics, re.MULTILINE)
            held.append(float(found[1]) if found else -1.0)
        return held


async def _answering(client: httpx.AsyncClient, path: str, status: int) -> None:
    """Returns once nginx answers so."""

    async def answers() -> bool:
        try:
            return (await client.get(path)).status_code == status
        except httpx.TransportError:
            return False

    await until(answers)


@pytest.fixture(scope="module")
async def site(
    database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> AsyncIterator[Site]:
    database = Database(database_urls)
    await ensure_partitions(database)
    made = await create_key(database, f"shop-{uuid4()}", "write", [])
    await database.close()
    async with AsyncExitStack() as stack:
        processes = []
        data = tmp_path_factory.mktemp("data")
        for _ in range(PROCESSES):
            process = Started(environment(database_urls, data), "api")
            stack.push_async_callback(process.stop)
            processes.append(process)
        await asyncio.gather(*(process.ready() for process in processes))
        folder = tmp_path_factory.mktemp("nginx")
        shipped = (repository / "examples" / "nginx" / "whyleft.conf").read_text()
        balancer = Balancer(folder, shipped, [process.url.removeprefix("http://") for process in processes])
        stack.callback(balancer.stop)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=balancer.url, timeout=30))
        await _answering(client, "/healthz", 200)
        yield Site(balancer, processes, made.project_id, made.key, client)


def newcomer() -> dict[str, str]:
    return {"visitor": str(uuid4()), "session": str(uuid7())}


async def test_what_is_for_operators_is_not_passed_on_and_no_visitor_and_no_link_gets_into_a_log(site: Site) -> None:
    for path in ("/metrics", "/readyz"):
        assert (await site.client.get(path)).status_code == 404
    visitor = newcomer()
    assert (await site.send(visitor, "page_viewed")).status_code == 200
    refused = await site.client.post("/v1/events", params={"key": site.key}, content=b"x" * 2_000_000)
    assert refused.status_code == 413
    for page in ("invitation", "password"):
        opened = await site.client.get(f"/app/{page}", params={"link": "works-once"})
        # Nor does what the page asks for then tell where it was asked from.
        assert (opened.status_code, opened.headers["referrer-policy"]) == (404, "no-referrer")
    assert (await site.client.get("/app/login")).status_code == 200

    async def logged() -> str:
        # A line is written after its answer; in order, so what came before the login's would stand there, too.
        lines = (site.balancer.folder / "access.log").read_text()
        return lines if "/app/login" in lines else ""

    lines = await until(logged)
    assert visitor["visitor"] not in lines
    assert "works-once" not in lines
    # Who names no visitor is served, too.
    body = {**newcomer(), "tab": "t", "events": []}
    assert (await site.client.post("/v1/events", params={"key": site.key}, json=body)).status_code in (200, 400)


async def test_a_visitor_sticks_to_a_process_and_moves_when_it_is_killed(
    site: Site, database_urls: DatabaseUrls
) -> None:
    assert "test is successful" in site.balancer.check()
    known = sum(await site.profiles_at())
    visitors = [newcomer() for _ in range(60)]
    for _ in range(3):
        answers = await asyncio.gather(*(site.send(visitor, "page_viewed", "clicked") for visitor in visitors))
        assert [answer.json()["accepted"] for answer in answers] == [2] * 60
    # Each visitor is known to one process, and every process has its share.
    held = await site.profiles_at()
    assert sum(held) == known + 60
    assert min(held) >= 5

    site.processes[0].kill()
    # Nobody is turned away while nginx finds out, and nothing is lost or stored twice.
    answers = await asyncio.gather(*(site.send(visitor, "page_viewed") for visitor in visitors))
    assert Counter((answer.status_code, answer.json().get("accepted")) for answer in answers) == {(200, 1): 60}
    moved = await site.profiles_at()
    assert moved[0] == -1
    assert moved[1] >= held[1]
    assert moved[2] >= held[2]
    # Those of the dead one are new to the others, and nobody else moved.
    assert moved[1] + moved[2] <= known + 60
    assert sum(moved[1:]) - sum(held[1:]) >= held[0] - known

    # The profile that went with the process is the one that is there now.
    database = Database(database_urls)
    loader = ProfileLoader(database)
    for visitor in visitors[:10]:
        copy = await loader.load(site.project_id, UUID(visitor["visitor"]))
        assert (copy.profile.pages, copy.profile.clicks, copy.profile.sessions) == (4, 3, 1)
    stale = [await process.metrics() for process in site.processes[1:]]
    assert all(re.search(r"^whyleft_profiles_stale_total\S* 0\.0$", text, re.MULTILINE) for text in stale)
    await loader.close()
    await database.close()


async def test_nobody_outside_says_who_logged_in(tmp_path: Path, repository: Path) -> None:
    """The server believes this nginx: a header of single sign-on that a stranger sends must end here."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    upstream = await asyncio.start_server(answer, "127.0.0.1", 0)
    shipped = (repository / "examples" / "nginx" / "whyleft.conf").read_text()
    address = f"127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
    balancer = Balancer(tmp_path, shipped, [address] * PROCESSES)
    names = ["X-Forwarded-Email", "X-Forwarded-User", "X-Auth-Request-Email", "Remote-Email", "Remote-User"]
    try:
        async with upstream, httpx.AsyncClient(base_url=balancer.url) as client:
            await _answering(client, "/app/", 200)
            for path in ("/app/", "/v1/flows"):
                headers = [("X-Other", "kept"), *((name, "admin@shop.example") for name in names)]
                assert (await client.get(path, headers=headers)).status_code == 200
                assert "x-other: kept" in seen[-1]
                assert "admin@shop.example" not in seen[-1]
    finally:
        balancer.stop()


async def test_only_events_are_sent_to_another_process_once_one_has_begun(tmp_path: Path, repository: Path) -> None:
    """A process that dies half-way may have made the key, or sent the message, that it was asked for."""
    begun: list[str] = []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        begun.append(head.decode().split()[1])
        writer.close()

    upstreams = [await asyncio.start_server(die, "127.0.0.1", 0) for _ in range(PROCESSES)]
    shipped = (repository / "examples" / "nginx" / "whyleft.conf").read_text()
    addresses = [f"127.0.0.1:{upstream.sockets[0].getsockname()[1]}" for upstream in upstreams]
    # So that whom one request found dead is asked again by the next.
    balancer = Balancer(tmp_path, shipped.replace("max_fails=2", "max_fails=0"), addresses)
    try:
        async with AsyncExitStack() as stack:
            for upstream in upstreams:
                await stack.enter_async_context(upstream)
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=balancer.url))
            await _answering(client, "/metrics", 404)
            for path, times in (("/v1/events", PROCESSES), ("/v1/keys", 1), ("/v1/channels/1/test", 1)):
                begun.clear()
                assert (await client.post(path, json={})).status_code == 502
                assert begun == [path] * times
    finally:
        balancer.stop()
