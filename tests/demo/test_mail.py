from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from insights.demo.mail import Mail, read_mail

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(raw: bytes) -> Mail:
    return read_mail(raw, id="1", received_at=NOW, envelope_from="shop@example.com", envelope_to=("a@b.example",))


def test_a_mail_is_taken_apart_into_what_a_reader_wants() -> None:
    message = EmailMessage()
    message["From"] = "Quiet Kettle <shop@example.com>"
    message["To"] = "Ada <ada@example.com>"
    message["Subject"] = "Ihr Körbchen wartet: 10 € für Sie ☕"
    message["List-Unsubscribe"] = "<https://example.com/u?t=1>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["X-Whyleft-Run"] = "42"
    message["Received"] = "from somewhere"
    message.set_content("Guten Tag,\nder Becher steht noch da.")
    message.add_alternative("<p>Guten Tag</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Größen.pdf")
    mail = read(message.as_bytes())
    assert mail.subject == "Ihr Körbchen wartet: 10 € für Sie ☕"
    assert (mail.sender, mail.to) == ("Quiet Kettle <shop@example.com>", "Ada <ada@example.com>")
    assert mail.text == "Guten Tag,\nder Becher steht noch da.\n"
    assert mail.html == "<p>Guten Tag</p>\n"
    assert mail.attachments == ("Größen.pdf",)
    assert mail.header("list-unsubscribe") == "<https://example.com/u?t=1>"
    assert mail.headers[-1] == ("X-Whyleft-Run", "42")
    assert "Received" not in dict(mail.headers)


def test_a_mail_without_headers_shows_its_envelope() -> None:
    mail = read(b"\r\njust text")
    assert (mail.subject, mail.sender, mail.to) == ("(no subject)", "shop@example.com", "a@b.example")
    assert mail.text == "just text"


def test_raw_utf8_in_a_header_is_read_as_utf8() -> None:
    assert read("Subject: Grüße\r\n\r\n".encode()).subject == "Grüße"


def test_folded_and_encoded_headers_become_one_line() -> None:
    mail = read(b"Subject: =?utf-8?q?Dein_?=\r\n =?utf-8?b?S8O2cmJjaGVu?=\r\n\r\n")
    assert mail.subject == "Dein Körbchen"


def test_unknown_charsets_and_bad_encodings_are_shown_as_well_as_possible() -> None:
    mail = read(b"Subject: =?klingon?q?abc?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\nabc \xff")
    assert mail.subject == "=?klingon?q?abc?="
    assert mail.text == "abc \ufffd"
    assert read(b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n@@@").html is not None


def test_a_mail_nested_too_deep_to_read_is_still_shown() -> None:
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth) for depth in range(3000)
    )
    mail = read(nested)
    assert mail.raw == nested


PIECES = st.sampled_from(
    [
        *(b"Subject: ", b"To: ", b'"', b"(c):", b"=?utf-8?b?w4?=", b"=?utf-16?q?=D8?=", b"=?utf-7?q?+2AA-?="),
        *(b"\r\n", b"\r\n\r\n", b"Content-Type: ", b"multipart/mixed; boundary=x", b"text/html; charset*="),
        *(b"name*", b"\0", b"--x\r\n", b"--x--", b"Content-Transfer-Encoding: ", b"base64", b"x-uuencode"),
        *(b"quoted-printable", b"=D8", b"Content-Disposition: attachment; filename*0*=", b"message/rfc822"),
        *(b"\xed\xa0\x80", b"begin 644 x\r\n"),
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=12)), max_size=25).map(b"".join))
def test_no_bytes_stop_the_reader_and_what_it_says_fits_on_a_page(raw: bytes) -> None:
    mail = read(raw)
    for said in (mail.subject, mail.sender, mail.to, *mail.attachments, *(v for _, v in mail.headers)):
        said.encode("utf-8")
    (mail.text or "").encode("utf-8", "replace")
