"""Connects to the public internet only: for addresses that a customer typed in.

A name is resolved once, judged, and that very address is connected to, so that a name which changes its mind in between
(DNS rebinding) reaches nothing inside. The certificate is still checked for the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

import httpx

from adapters.channels.public_address import is_public

MOST_ADDRESSES: Final = 4

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to the addresses it has now; raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """The system's own answer, IPv4 and IPv6, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: read once, for reading them takes longer than most calls."""
    return httpx.create_ssl_context()


class InnerAddress(OSError):
    """The name leads inside: nothing was connected to."""


async def open_socket(
    host: str, port: int, *, public: Callable[[str], bool] = is_public, resolve: Resolve = resolve
) -> socket.socket:
    """A connected socket to one of the addresses that were judged. Raises InnerAddress, OSError."""
    try:
        addresses = await resolve(host, port)
    except UnicodeError:
        raise OSError(f"The name {host} cannot be resolved.") from None
    # One inner address among public ones is refused too: which of them is used must not be luck.
    if not all(public(address) for address in addresses):
        raise InnerAddress(f"{host} is not on the public internet.")
    failed = OSError(f"The name {host} has no address.")
    for address in addresses[:MOST_ADDRESSES]:
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        opened.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except OSError as error:
            opened.close()
            failed = error
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise failed


class NotPublic(httpx.ConnectError):
    """The name leads inside: nothing was connected to."""


class PublicOnly(httpx.AsyncBaseTransport):
    """A transport that raises NotPublic for anything that is not on the public internet.

    Connections are not kept: one that the other side closed meanwhile would break a send half-way, and nobody could say
    whether it went out.
    """

    def __init__(self, *, resolve: Resolve = resolve, public: Callable[[str], bool] = is_public) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=trusted(), limits=httpx.Limits(max_keepalive_connections=0))
        self._resolve = resolve
        self._public = public

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise httpx.ConnectError(f"The name {host} cannot be resolved.", request=request)
        # One inner address among public ones is refused too: which of them is used must not be luck.
        if not all(self._public(address) for address in addresses):
            raise NotPublic("This address is not on the public internet.", request=request)
        return await self._first_that_answers(request, host, addresses[:MOST_ADDRESSES])

    async def _first_that_answers(self, request: httpx.Request, host: str, addresses: list[str]) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses[:-1]:
            try:
                request.url = request.url.copy_with(host=address)
                return await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        request.url = request.url.copy_with(host=addresses[-1])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def client_for(timeout: httpx.Timeout, *, public_only: bool) -> httpx.AsyncClient:
    """A client of the project's own dependency: openai's default is another package, with other timeouts.

    ``public_only``: no proxy of the environment either, which would connect for us, unjudged.
    """
    if public_only:
        return httpx.AsyncClient(timeout=timeout, transport=PublicOnly(), trust_env=False)
    return httpx.AsyncClient(timeout=timeout)
