"""Whether an address lies on the public internet: what a customer-given URL may make this server connect to.

Pure. Names are resolved by whoever connects; this judges the result, so that every spelling of an address (decimal,
octal, mapped, a name that points inside) meets the same rule. The blocks are those of the IANA special-purpose
registries, written out because the standard library's idea of them differs between Python versions.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_INNER_4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # public by registry, but the host agent of a large cloud
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# Inside global unicast, but each carries or reaches something else: Teredo and its neighbours, documentation, 6to4.
_INNER_6: Final = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def is_public(text: str) -> bool:
    """True for an address that any host on the internet would reach as the same one; False for all else, text too."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public_4(address.ipv4_mapped)
        return address in _GLOBAL_UNICAST and not any(address in block for block in _INNER_6)
    return _is_public_4(address)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in block for block in _INNER_4)
