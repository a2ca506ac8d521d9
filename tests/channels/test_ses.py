"""Amazon SES: signatures as botocore makes them, and mails through moto's server, which speaks SES for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from adapters.channels.contract import Accepted, Rejected
from adapters.channels.email_services.aws_signature import signed_headers
from adapters.channels.kinds import open_channel
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.far_side import line_to

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


class _Frozen(SigV4Auth):
    """botocore's, at a given time."""

    at: datetime

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self.at.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))


@settings(max_examples=60, deadline=None)
@given(
    path=st.text("abcXYZ019-_~ %é+", max_size=12),
    query=st.dictionaries(st.sampled_from(["a", "b", "c%20d"]), st.text("cd5", max_size=4), max_size=3),
    body=st.binary(max_size=60),
    token=st.one_of(st.none(), st.just("session-token")),
)
def test_a_signature_is_the_one_that_botocore_makes(
    path: str, query: dict[str, str], body: bytes, token: str | None
) -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    url = str(httpx.URL("https://email.eu-central-1.amazonaws.com").copy_with(path="/v2/" + path))
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    theirs = AWSRequest("POST", url, {"content-type": "application/json"}, body)
    signer = _Frozen(Credentials(KEY_ID, SECRET, token), "ses", "eu-central-1")
    signer.at = at
    signer.add_auth(theirs)
    ours = signed_headers(
        "POST",
        url,
        {"content-type": "application/json"},
        body,
        key_id=KEY_ID,
        secret=SECRET,
        session_token=token,
        region="eu-central-1",
        service="ses",
        at=at,
    )
    assert ours["authorization"] == theirs.headers["Authorization"]


@pytest.fixture(scope="module")
def moto_port() -> Iterator[int]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


def _post(port: int, path: str, body: dict[str, object]) -> None:
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20261121/eu-central-1/ses/aws4_request"}
    httpx.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers).raise_for_status()


async def test_a_mail_goes_through_a_server_that_speaks_ses(moto_port: int) -> None:
    example = EXAMPLES["ses"]
    channel = open_channel("ses", example.settings, example.credentials, line_to(moto_port))
    refused = await channel.send(example.intent())
    assert isinstance(refused, Rejected)
    assert "verify the sender's domain" in refused.why
    _post(moto_port, "/v2/email/identities", {"EmailIdentity": "shop.example"})
    taken = await channel.send(example.intent())
    assert isinstance(taken, Accepted), taken
    assert taken.provider_id
    async with httpx.AsyncClient() as client:
        kept = await client.get(f"http://127.0.0.1:{moto_port}/moto-api/data.json")
    raw = _raw_of(kept.text)
    mail = message_from_bytes(raw, policy=default)
    assert mail["Subject"] == "Your cart, Änne"
    assert mail["List-Unsubscribe"] == "<https://whyleft.example/v1/unsubscribe?token=abc>"
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]


def _raw_of(text: str) -> bytes:
    """The mail that moto keeps, found in its dump."""
    for message in json.loads(text)["ses"]["RawMessage"]:
        return str(message["raw_data"]).encode()
    raise AssertionError("moto kept no mail")
