"""Receivers as providers are: they do a repeat no second time, take their time, and now and then hang up on who called.

One takes signed webhooks and honours their keys; one is a data platform, to which two events of one id are the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reader = Callable[[Mapping[str, str], Any], tuple[str, str]]
"""Headers and body of a call to its key and what it is about."""

_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"success":true}'


def webhook(headers: Mapping[str, str], body: Any) -> tuple[str, str]:
    """The webhook's id, and the run that it is about."""
    return headers["webhook-id"], body["data"]["run_id"]


def platform(headers: Mapping[str, str], body: Any) -> tuple[str, str]:
    """The event's id, and the visitor whom it is about."""
    (event,) = body["batch"]
    return event["messageId"], event["anonymousId"]


class Receiver:
    """Does each key once. ``done``: how often it did something about a subject; ``active``: calls under way."""

    def __init__(self, reads: Reader, seconds: float, drops: float, chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.calls = 0
        self.dropped = 0
        self.active = 0
        self.url = ""
        self._reads = reads
        self._seen: set[str] = set()
        self._seconds = seconds
        self.drops = drops
        self._chance = chance

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the caller was killed
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.calls += 1
        self.active += 1
        try:
            await asyncio.sleep(self._seconds / 2)
            key, subject = self._reads(headers, json.loads(body))
            if key not in self._seen:
                self._seen.add(key)
                self.done[subject] += 1
            await asyncio.sleep(self._seconds / 2)
        finally:
            self.active -= 1
        if self._chance.random() < self.drops:
            self.dropped += 1
            return False
        writer.write(_ANSWER)
        await writer.drain()
        return True


@asynccontextmanager
async def receiver(
    reads: Reader, seconds: float, drops: float, chance: random.Random, certificate: Path | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on a free port that answers after ``seconds``, and a share ``drops`` of its callers never. With a
    ``certificate`` (and its key, in one file) it speaks TLS."""
    state = Receiver(reads, seconds, drops, chance)
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    state.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield state
    finally:
        server.close()


def make_certificate(file: Path) -> Path:
    """Writes a certificate for this machine, valid for a day, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
