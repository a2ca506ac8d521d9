"""Addresses: whose they are when proxies stand between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.decisions.set_aside import device_key
from insights.traffic.addresses import Clients, ProxiesInvalid, holder_named, truncated


def scope(peer: str, *forwarded: str) -> dict[str, Any]:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode("latin-1")) for value in forwarded)]
    return {"client": (peer, 1234), "headers": headers}


CLIENTS = Clients("127.0.0.0/8, ::1, 10.0.0.0/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "holder"),
    [
        ("203.0.113.9", [], "203.0.113.9", "203.0.113.9"),
        # Whoever comes directly may write what they like.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1", "198.51.100.1"),
        # The rightmost that is not ours: left of it stands what the client wrote itself.
        ("127.0.0.1", ["1.2.3.4, 198.51.100.1, 10.0.0.7"], "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", ["1.2.3.4", "198.51.100.1"], "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8:1:2:3::4]:443"], "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", [], "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1", None),
        ("127.0.0.1", ["nonsense"], "127.0.0.1", None),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1", None),
        ("127.0.0.1", ["10.0.0.7"], "10.0.0.7", None),
        # An IPv4 address of ours in IPv6's clothes, and what only looks like one.
        ("::ffff:10.0.0.7", ["198.51.100.1"], "198.51.100.1", "198.51.100.1"),
        ("::10.0.0.7", ["198.51.100.1"], "::10.0.0.7", "::/64"),
        ("64:ff9b::10.0.0.7", ["198.51.100.1"], "64:ff9b::10.0.0.7", "64:ff9b::/64"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], address: str, holder: str | None) -> None:
    client = CLIENTS.of(scope(peer, *forwarded))
    assert (client.address, client.holder) == (address, holder)


def test_a_wrong_list_of_proxies_names_what_is_wrong() -> None:
    with pytest.raises(ProxiesInvalid, match=r"'10\.0\.0' is not"):
        Clients("127.0.0.1,10.0.0")


def test_a_kept_address_has_lost_the_machine() -> None:
    assert truncated("203.0.113.77") == "203.0.113.0"
    assert truncated("2001:db8:1:2:3:4:5:6") == "2001:db8:1::"
    assert truncated("somebody") == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.200", True),
        ("203.0.113.7", "203.0.114.7", False),
        ("::ffff:203.0.113.7", "203.0.113.200", True),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:a:b:c:d", True),
        # Zeros are left out where they are written, in the network's part too.
        ("2001:db8::1a2b:3c4d:5e6f:7a8b", "2001:db8::aaaa:bbbb:cccc:dddd", True),
        ("2001:db8::1", "2001:db8:0:0:ffff::", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_a_device_is_the_same_wherever_in_its_network_it_is(one: str, other: str, same: bool) -> None:
    salt = b"salt of a project"
    assert (device_key(salt, one, "a browser") == device_key(salt, other, "a browser")) is same
    assert device_key(salt, one, "a browser") != device_key(salt, one, "another")


def test_what_an_address_that_is_written_out_is_counted_under() -> None:
    """Behind ``--host ::`` everybody with IPv4 is written like this, and is not one and the same."""
    assert holder_named("::ffff:203.0.113.9") == holder_named("203.0.113.9") == "203.0.113.9"
    assert holder_named("::ffff:203.0.113.10") == "203.0.113.10"
    assert holder_named("2001:db8::1") == "2001:db8::/64"
    assert holder_named("testclient") == "testclient"


@given(st.lists(st.text(max_size=300), max_size=4), st.text(max_size=40))
def test_no_header_breaks_it_or_makes_an_outsider_one_of_ours(parts: list[str], peer: str) -> None:
    outside = CLIENTS.of(scope("203.0.113.9", *(part.encode("utf-8", "replace").decode("latin-1") for part in parts)))
    assert outside.holder == "203.0.113.9"
    CLIENTS.of(scope(peer, *(part.encode("utf-8", "replace").decode("latin-1") for part in parts)))
    truncated(peer)


def test_a_connection_that_was_gone_before_it_was_looked_at_is_nobody_trusted() -> None:
    gone = CLIENTS.of({"client": None, "headers": [(b"x-forwarded-for", b"198.51.100.1")]})
    assert (gone.holder, gone.told) == ("unknown", False)
    assert not CLIENTS.trusts("")
