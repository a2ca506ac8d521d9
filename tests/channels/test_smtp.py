"""E-mail over a real SMTP server: what is written, and what each answer means."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channels.contract import Accepted, Rejected, Result, Retry, SendIntent, Suppress, Unknown
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.mail import MailInvalid, address, build, named_address
from adapters.channels.smtp import LOGIN_PAUSE, SmtpChannel
from adapters.channels.smtp_reply import about_recipient
from tests.channels.servers import MailServer, mail_server
from tests.recovery.sessions import START

SENDER = "Shop <mail@shop.example>"
CONTENT = {"subject": "Your cart", "text": "It waits.\n", "html": "<p>It waits.</p>"}
LINK = "https://shop.example/v1/unsubscribe?token=" + "eyJ0-_.~" * 60


def intent(recipient: str | None = "anna@example.com", **content: Any) -> SendIntent:
    return SendIntent("run-1:step", recipient, CONTENT | content)


async def send_one(sent: SendIntent, **options: Any) -> tuple[Result, MailServer]:
    async with mail_server() as server:
        return await SmtpChannel(server.url, sender=SENDER, **options).send(sent), server


def body_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


async def test_a_mail_carries_both_parts_and_its_headers() -> None:
    result, server = await send_one(intent(reply_to="Help <help@shop.example>", unsubscribe_url=LINK))
    mail = server.mails[0]
    assert result == Accepted(str(mail["Message-ID"]))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert body_of(mail, "plain").strip() == "It waits."
    assert body_of(mail, "html").strip() == "<p>It waits.</p>"
    assert str(mail["From"]) == SENDER
    assert str(mail["To"]) == "anna@example.com"
    assert str(mail["Reply-To"]) == "Help <help@shop.example>"
    assert mail["Date"] is not None
    assert server.recipients == ["anna@example.com"]


async def test_one_click_unsubscribe_stands_in_the_headers_letter_by_letter() -> None:
    _, server = await send_one(intent(unsubscribe_url=LINK))
    assert f"List-Unsubscribe: <{LINK}>\r\n".encode() in server.raw[0]
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in server.raw[0]


async def test_a_mail_without_an_unsubscribe_link_has_no_such_header() -> None:
    _, server = await send_one(intent())
    assert b"List-Unsubscribe" not in server.raw[0]


async def test_every_attempt_has_the_same_message_id_and_another_key_another() -> None:
    async with mail_server() as server:
        channel = SmtpChannel(server.url, sender=SENDER)
        await channel.send(intent())
        await channel.send(intent())
        await channel.send(SendIntent("run-2:step", "anna@example.com", CONTENT))
    ids = [str(mail["Message-ID"]) for mail in server.mails]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@shop.example>")


ENCODED = [
    "=?utf-8?q?a=0D=0ABcc=3A_eve=40evil.example?=",
    "=?UTF-8?B?YQ0KQmNjOiBldmVAZXZpbC5leGFtcGxlDQoNCjxoMT4=?=",
    "=?nothing?q?=0d=0aBcc:x?=",
    "your shoes=?utf-8?q?=0AX-Evil:_1=0A=0Abody?= wait",
    "=\0?utf-8?q?=0d=0aBcc:x?=",
]
"""Encoded words (RFC 2047): what a product is called, and a visitor, may stand in a subject."""


@pytest.mark.parametrize(
    "bad", ["a\r\nBcc: eve@evil.example", "a\nX-Evil: 1\n\nbody", "a\u2028b", "a\0b", "a\ud800b", *ENCODED]
)
@pytest.mark.parametrize("place", ["subject", "from", "reply_to"])
async def test_a_subject_or_a_name_cannot_add_a_header_or_a_body(bad: str, place: str) -> None:
    names = {"from": f'"{bad}" <mail@shop.example>', "reply_to": f'"{bad}" <mail@shop.example>', "subject": bad}
    result, server = await send_one(intent(**{place: names[place]}))
    assert isinstance(result, Accepted)
    mail = server.mails[0]
    assert {name.lower() for name in mail} == {
        "from", "to", "subject", "date", "message-id", "mime-version", "content-type",
        *(["reply-to"] if place == "reply_to" else []),
    }  # fmt: skip
    assert body_of(mail, "plain").strip() == "It waits."
    assert server.recipients == ["anna@example.com"]
    assert "\n" not in str(mail["Subject"])


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "anna",
        "anna@",
        "@example.com",
        "anna@example.com\r\nRCPT TO:<eve@evil.example>",
        "anna@example.com>\r\nDATA",
        "anna@example.com, eve@evil.example",
        "Anna <anna@example.com>",
        "anna @example.com",
        "anna@exam ple.com",
        "anna@example..com",
        "anna@[127.0.0.1]",
        '"anna@evil.example"@example.com',
        "änna@example.com",
        "a" * 65 + "@example.com",
        "anna@" + "a" * 300 + ".com",
        "anna@-example.com",
    ],
)
async def test_what_is_no_address_is_rejected_before_anything_connects(bad: str | None) -> None:
    result, server = await send_one(intent(bad))
    assert isinstance(result, Rejected)
    assert server.connections == 0


WORDS = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "=?utf-8?q?",
            "=?utf-8?b?",
            "=\\?utf-8?q?",
            "=0D=0ABcc:x",
            "DQpCY2M6eA==",
            "?=",
            "?",
            "=",
            " ",
            '"',
            "\\",
            "(",
            ")",
        ]
    ),
    max_size=10,
).map("".join)


@given(WORDS, WORDS, st.text(max_size=40))
def test_no_text_breaks_out_of_the_headers(subject: str, sender: str, link: str) -> None:
    try:
        mail = build(
            "key",
            "anna@example.com",
            CONTENT | {"subject": subject, "from": f"{sender} <a@b.example>", "unsubscribe_url": link},
            sender=named_address(SENDER),
            at=START,
        )
    except MailInvalid:
        return
    head = mail.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith(" ")]
    assert set(names) <= {
        "List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version",
        "Content-Type",
    }  # fmt: skip


async def test_a_domain_in_another_script_is_written_in_punycode() -> None:
    result, server = await send_one(intent("anna@bücher.example"))
    assert isinstance(result, Accepted)
    assert server.recipients == ["anna@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("Große-Straße.example", "xn--groe-strae-73ag.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("ΒΌΛΟΣ.example", "xn--nxasmq6b.example"),
        ("bu\u0308ßer.example", "xn--ber-5ka8l.example"),
    ],
)
async def test_a_letter_that_was_once_written_as_others_is_not_another_domain(domain: str, written: str) -> None:
    result, server = await send_one(intent(f"anna@{domain}"))
    assert isinstance(result, Accepted)
    assert server.recipients == [f"anna@{written}"]


@pytest.mark.parametrize("domain", ["نامه\u200cای.example", "exam\u200dple.example", "ß\u202e.example", "ß_.example"])
def test_a_domain_that_could_be_read_as_another_is_refused(domain: str) -> None:
    with pytest.raises(MailInvalid):
        address(f"anna@{domain}")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://a/>\r\nX: 1", "https://a b/", "mailto:x@y.example"])
async def test_an_unsubscribe_link_that_is_none_is_rejected(link: str) -> None:
    result, server = await send_one(intent(unsubscribe_url=link))
    assert isinstance(result, Rejected)
    assert server.mails == []


@pytest.mark.parametrize(
    ("verb", "answer", "expected"),
    [
        ("MAIL", "451 4.3.0 later", Retry),
        ("MAIL", "421 4.3.2 closing", Retry),
        ("MAIL", "553 5.1.8 sender domain unknown", Rejected),
        ("MAIL", "drop", Retry),
        ("MAIL", "hang", Retry),
        ("RCPT", "450 4.2.1 greylisted", Retry),
        ("RCPT", "452 4.5.3 too many", Retry),
        ("RCPT", "550 5.1.1 no such user", Suppress),
        ("RCPT", "550 5.2.1 mailbox disabled", Suppress),
        ("RCPT", "553 mailbox name unknown", Suppress),
        ("RCPT", "550 5.7.1 relaying denied", Rejected),
        ("RCPT", "550 relaying denied for this user", Rejected),
        ("RCPT", "552 5.2.2 mailbox full", Rejected),
        ("RCPT", "554 5.7.1 blocked", Rejected),
        ("RCPT", "drop", Retry),
        ("DATA", "451 4.7.1 later", Retry),
        ("DATA", "554 5.6.0 content refused", Rejected),
        ("DATA", "550 5.1.1 no such user after all", Suppress),
        ("DATA", "drop", Unknown),
        ("DATA", "drop after", Unknown),
        ("DATA", "hang after", Unknown),
    ],
)
async def test_each_answer_means_one_thing(verb: str, answer: str, expected: type[Result]) -> None:
    async with mail_server() as server:
        server.answers[verb] = answer
        result = await SmtpChannel(server.url, sender=SENDER, timeout=0.5).send(intent())
    assert isinstance(result, expected), result
    # What is not Accepted or Unknown has certainly not arrived.
    assert len(server.mails) == (1 if answer.endswith("after") else 0)


async def test_the_reason_of_a_refusal_names_no_address() -> None:
    async with mail_server() as server:
        server.answers["RCPT"] = "550 5.1.1 <anna@example.com>: unknown user"
        result = await SmtpChannel(server.url, sender=SENDER).send(intent())
    assert isinstance(result, Suppress)
    assert "anna" not in result.why


@pytest.mark.parametrize(
    ("code", "text"),
    [(550, "rejected by spam policy, unknown sender"), (550, "5.4.1 access denied"), (554, "user unknown"), (500, "?")],
)
def test_a_doubt_never_suppresses_anybody(code: int, text: str) -> None:
    assert isinstance(about_recipient(code, text), Rejected)


async def test_a_refused_login_waits_longer_and_says_where_to_look() -> None:
    async with mail_server(login=lambda user, password: (user, password) == ("shop", b"p@ss/word")) as server:
        right = SmtpChannel(f"smtp://shop:p%40ss%2Fword@127.0.0.1:{server.port}", sender=SENDER)
        wrong = SmtpChannel(f"smtp://shop:secret@127.0.0.1:{server.port}", sender=SENDER)
        assert isinstance(await right.send(intent()), Accepted)
        refused = await wrong.send(intent())
    assert isinstance(refused, Retry)
    assert refused.after == LOGIN_PAUSE
    assert "WHYLEFT_SMTP_URL" in refused.why
    assert "secret" not in refused.why


async def test_a_password_never_leaves_this_machine_unencrypted() -> None:
    """127.1 is this machine, but not by its name: the channel must take it for another one."""
    logins: list[str] = []

    def login(user: str, password: bytes) -> bool:
        logins.append(user)
        return True

    async with mail_server(login=login) as server:
        result = await SmtpChannel(f"smtp://shop:secret@127.1:{server.port}", sender=SENDER).send(intent())
    assert isinstance(result, Retry)
    assert "smtps://" in result.why
    assert server.connections == 1
    assert logins == []


async def test_a_message_over_the_servers_size_is_rejected_not_retried() -> None:
    async with mail_server(data_size_limit=2000) as server:
        result = await SmtpChannel(server.url, sender=SENDER).send(intent(text="x" * 5000))
    assert isinstance(result, Rejected)
    assert server.mails == []


@pytest.mark.parametrize(
    "url", ["", "localhost:25", "http://host", "smtp://", "smtp://host:port", "smtp://host:99999", "smtp://host?x=1"]
)
def test_a_url_that_is_no_relay_is_refused_with_advice(url: str) -> None:
    with pytest.raises(ChannelMisconfigured, match="WHYLEFT_SMTP_URL"):
        SmtpChannel(url, sender=SENDER)


def test_a_sender_that_is_none_is_refused_with_advice() -> None:
    with pytest.raises(ChannelMisconfigured, match="WHYLEFT_MAIL_FROM"):
        SmtpChannel("smtp://host", sender="Shop")


def test_the_default_sender_of_a_fresh_install_is_one() -> None:
    assert address("no-reply@localhost") == "no-reply@localhost"
