"""Decides which address a request comes from: the connection's own, or the one that a trusted proxy names."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Scope = MutableMapping[str, Any]
_Network = IPv4Network | IPv6Network

_MOST_REMEMBERED = 20_000
_MOST_HOPS = 20

NOBODY_KNOWS = "unknown"
"""What is counted of those whose address is not known, all together."""


class ProxiesInvalid(ValueError):
    """The text is not a list of networks."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who is asking. ``holder``: what its traffic is counted under; None for the operator's own machines.

    ``told``: the address is not the connection's own, a proxy named it.
    """

    address: str
    holder: str | None
    told: bool


class Clients:
    """Reads addresses. ``trusted``: networks, comma-separated, whose X-Forwarded-For is believed.

    Raises ProxiesInvalid.
    """

    def __init__(self, trusted: str) -> None:
        self._trusted = _networks(trusted)
        self._known: dict[tuple[str, bytes], Client] = {}

    def of(self, scope: Scope) -> Client:
        """The client of an ASGI request."""
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        direct = self._direct(peer)
        if direct.holder is not None:
            return direct
        forwarded = b""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                # Several lines of the header are one list, in order (RFC 9110, 5.3).
                forwarded = forwarded + b"," + value if forwarded else value
        if not forwarded:
            return direct
        found = self._known.get((peer, forwarded))
        return found if found is not None else self._keep((peer, forwarded), self._named(peer, forwarded))

    def trusts(self, peer: str) -> bool:
        """Whether a connection's other end is one of the operator's own machines."""
        return self._direct(peer).holder is None

    def holder(self, peer: str) -> str | None:
        """What is counted of a connection's other end; None for one of the operator's own machines."""
        return self._direct(peer).holder

    def _direct(self, peer: str) -> Client:
        found = self._known.get((peer, b""))
        if found is not None:
            return found
        address = _parse(peer)
        # Without an address its connection was gone before it was asked for: that makes nobody trusted.
        known = NOBODY_KNOWS if address is None else holder_of(address)
        holder = None if address is not None and self._trusts(address) else known
        return self._keep((peer, b""), Client(peer, holder, told=False))

    def _named(self, peer: str, forwarded: bytes) -> Client:
        # From the right: what stands further left was written by whoever the next one did not vouch for.
        last = self._direct(peer)
        for part in reversed(forwarded.decode("latin-1").rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            address = _parse(_without_port(part.strip()))
            if address is None:
                return last
            if not self._trusts(address):
                return Client(str(address), holder_of(address), told=True)
            last = Client(str(address), None, told=True)
        return last

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _keep(self, key: tuple[str, bytes], client: Client) -> Client:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        if len(key[1]) <= 200:
            self._known[key] = client
        return client


def holder_named(host: str) -> str:
    """What is counted of an address that is written out; the text itself where it is none."""
    address = _parse(host)
    return host if address is None else holder_of(address)


def holder_of(address: IPv4Address | IPv6Address) -> str:
    """What an address's traffic is counted under: an IPv6 customer has a whole /64 to choose from."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def truncated(address: str, *, ipv6: int = 48) -> str:
    """An address as it may be kept: the network without the machine (IPv4 /24, IPv6 /48 or as told); "" for what is
    none."""
    parsed = _parse(address)
    if parsed is None:
        return ""
    return str(ip_network((parsed, 24 if isinstance(parsed, IPv4Address) else ipv6), strict=False).network_address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _networks(text: str) -> tuple[_Network, ...]:
    return tuple(_each(part.strip() for part in text.split(",") if part.strip()))


def _each(parts: Iterable[str]) -> Iterable[_Network]:
    for part in parts:
        try:
            yield ip_network(part, strict=False)
        except ValueError:
            raise ProxiesInvalid(
                f"{part!r} is not an address or a network: write them like 10.0.0.0/8,192.0.2.7,fd00::/8."
            ) from None
