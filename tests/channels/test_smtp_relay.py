"""A relay that a project names: encrypted, logged in to, checked for its name, and never inside the network."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from adapters.channels.contract import Accepted, Rejected, Retry, SendIntent
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import KINDS, open_channel
from adapters.channels.line import Line
from adapters.channels.smtp_relay import SmtpCredentials, SmtpRelay, SmtpSettings
from tests.channels.servers import mail_server
from tests.channels.test_ssrf import HOSTS
from tests.tls import local_identity

PASSWORD = "canary p@ss/wörd"
MAIL = SendIntent("key-1", "anna@example.com", {"subject": "Your cart", "text": "It waits."})


def login(user: str, password: bytes) -> bool:
    return (user, password.decode()) == ("shop", PASSWORD)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that is localhost, and a client that trusts whoever vouches for it."""
    identity = local_identity(tmp_path_factory.mktemp("tls"), at="localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(identity.certificate, identity.key)
    return server, ssl.create_default_context(cafile=identity.certificate)


def relay(port: int, tls: ssl.SSLContext | None = None, *, inside: bool = True, **other: Any) -> SmtpRelay:
    settings = {"sender": "Shop <mail@shop.example>", "host": "localhost", "port": port}
    settings |= {name: value for name, value in other.items() if name != "password"}
    credentials = {"user": "shop", "password": other.get("password", PASSWORD)}
    line = Line(public=lambda _address: True) if inside else Line()
    return SmtpRelay(SmtpSettings.model_validate(settings), SmtpCredentials.model_validate(credentials), line, tls=tls)


async def test_a_mail_goes_out_encrypted_and_logged_in(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with mail_server(login=login, tls_context=contexts[0]) as server:
        assert isinstance(await relay(server.port, contexts[1]).send(MAIL), Accepted)
    assert [mail["Subject"] for mail in server.mails] == ["Your cart"]


async def test_a_certificate_of_another_name_or_of_nobody_is_refused(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with mail_server(login=login, tls_context=contexts[0]) as server:
        assert isinstance(await relay(server.port, contexts[1], host="127.0.0.1").send(MAIL), Retry)
        assert isinstance(await relay(server.port).send(MAIL), Retry)
    assert server.mails == []


async def test_a_refused_login_says_where_to_look_and_shows_no_password(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with mail_server(login=login, tls_context=contexts[0]) as server:
        channel = relay(server.port, contexts[1], password="canary-wrong")
        result = await channel.send(MAIL)
    assert isinstance(result, Retry)
    assert "the channel's settings and credentials" in result.why
    assert "WHYLEFT" not in result.why
    assert "canary" not in f"{result} {channel!r} {vars(channel)}"


async def test_a_relay_inside_the_network_is_never_connected_to() -> None:
    async with mail_server() as server:
        for host in (host for host in HOSTS if "[" not in host):
            result = await relay(server.port, inside=False, host=host).send(MAIL)
            assert isinstance(result, Rejected | Retry), (host, result)
    assert server.connections == 0


def test_its_form_names_what_is_wrong() -> None:
    kind = KINDS["smtp"]
    assert (kind.idempotency, kind.word) == ("none", "email")
    good = {"sender": "a@shop.example", "host": "smtp.shop.example"}
    keys = {"user": "u", "password": "p"}
    for wrong, field in (
        ({**good, "host": "smtp://x"}, "host"),
        ({**good, "port": 0}, "port"),
        ({**good, "encryption": "none"}, "encryption"),
        ({**good, "sender": "x"}, "sender"),
    ):
        with pytest.raises(ChannelMisconfigured, match=f"settings: {field}"):
            open_channel("smtp", wrong, keys, Line())
    with pytest.raises(ChannelMisconfigured, match="credentials: password"):
        open_channel("smtp", good, {"user": "u"}, Line())
