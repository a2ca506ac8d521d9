"""What every kind of the registry promises, held against a provider that answers as its reference says."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.channels.contract import (
    Accepted,
    NotFound,
    Rejected,
    Retry,
    SendIntent,
    Suppress,
    Unknown,
    Unsupported,
)
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import KINDS, open_channel, read_credentials
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.examples.example import Example
from tests.channels.contract.far_side import Reply, line_to, provider
from tests.channels.contract.matrix import FAULTS, answered, sends, struck
from tests.channels.hostile import HOSTILE

RESULTS = (Accepted, Retry, Rejected, Suppress, Unknown)
DOCS = Path(__file__).parents[3] / "docs" / "channels"


@pytest.fixture(params=sorted(EXAMPLES))
def example(request: pytest.FixtureRequest) -> Example:
    return EXAMPLES[request.param]


def test_every_kind_has_an_example_with_its_source_and_date() -> None:
    # SMTP is spoken to mail servers: test_smtp_relay and smtp_faults hold it.
    assert set(EXAMPLES) == set(KINDS) - {"smtp"}
    for example in EXAMPLES.values():
        assert example.reference.startswith("https://")
        assert date(2026, 11, 1) <= example.read_on <= date(2030, 1, 1)


def test_every_kind_has_a_form_with_a_sentence_for_each_field(example: Example) -> None:
    kind = KINDS[example.kind]
    for model in (kind.settings_model, kind.credentials_model):
        schema = model.model_json_schema()
        assert schema.get("additionalProperties") is False
        for name, field in schema.get("properties", {}).items():
            assert field.get("description"), f"{example.kind}: {name} has no description"
    assert kind.title
    assert kind.word
    assert kind.rate.per_second > 0
    assert kind.rate.burst >= 1
    assert (kind.key_ttl is not None) <= (kind.idempotency == "key")


def test_every_credential_is_kept_from_view(example: Example) -> None:
    channel = example.open(line_to(1))
    credentials = read_credentials(KINDS[example.kind], example.credentials)
    shown = f"{channel!r} {channel} {credentials!r} {credentials} {vars(channel)}"
    for value in example.credentials.values():
        assert str(value) not in shown


async def test_every_kind_has_a_sample_that_it_takes(example: Example) -> None:
    sample = dict(KINDS[example.kind].sample)
    assert sample, "whyleft channels test would have nothing to send"
    # What a test adds: an address that the tool knows people by, and the subscription of a push.
    added = {"email": "anna@example.com", "subscription": example.content.get("subscription")}
    async with provider() as far:
        far.replies = {**example.beside}
        far.otherwise = example.accepted
        result = await example.open(line_to(far.port)).send(SendIntent("k", example.recipient, {**sample, **added}))
    assert far.arrived, result


async def test_an_accepted_message_arrives_once_as_the_reference_has_it(example: Example) -> None:
    async with provider() as far:
        far.replies = {**example.beside, example.send: example.accepted}
        result = await example.open(line_to(far.port)).send(example.intent())
        assert isinstance(result, Accepted), result
        assert result.provider_id == example.provider_id
        assert sends(example, far.arrived) == 1
        method, _, path = example.send.partition(" ")
        sent = [call for call in far.arrived if call.method == method and call.path.startswith(path)]
        assert example.sent(sent[0]), sent[0]


async def test_a_repeat_says_the_same_so_that_it_can_be_recognised(example: Example) -> None:
    if KINDS[example.kind].idempotency == "none":
        return
    async with provider() as far:
        far.replies = {**example.beside, example.send: example.accepted}
        channel = example.open(line_to(far.port))
        for _ in range(2):
            assert isinstance(await channel.send(example.intent()), Accepted)
        method, _, path = example.send.partition(" ")
        first, second = [call for call in far.arrived if call.method == method and call.path.startswith(path)]
        if KINDS[example.kind].idempotency == "key":
            assert (first.target, first.body) == (second.target, second.body)


async def test_lookup_finds_what_is_there_and_says_so_when_it_is_not(example: Example) -> None:
    async with provider() as far:
        far.replies = dict(example.beside)
        channel = example.open(line_to(far.port))
        missing = await channel.lookup(example.intent().key)
        far.replies |= example.found
        found = await channel.lookup(example.intent().key)
    if KINDS[example.kind].idempotency == "lookup":
        assert isinstance(missing, NotFound)
        assert isinstance(found, Accepted)
    else:
        assert isinstance(missing, Unsupported)


async def test_a_lookup_that_breaks_never_says_that_nothing_is_there(example: Example) -> None:
    async with provider() as far:
        for reply in (Reply(fault="drop"), Reply(500, {}), Reply(200, "<html>", {"Content-Type": "text/html"})):
            far.otherwise, far.replies = reply, {}
            assert not isinstance(await example.open(line_to(far.port)).lookup("key"), NotFound)


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_a_fault_means_what_it_must(example: Example, fault: str) -> None:
    cell = await struck(example, fault)
    assert cell.right, cell
    assert cell.arrived <= 1, "a send was repeated without anybody knowing that it is harmless"
    if FAULTS[fault].waits:
        assert isinstance(cell.result, Retry)
        assert cell.result.after == timedelta(seconds=120)
    if not isinstance(cell.result, Accepted):
        assert cell.result.why.endswith(".")


async def test_the_providers_own_words_mean_what_they_say(example: Example) -> None:
    for name, case in example.cases.items():
        result, arrived = await answered(example, name)
        assert isinstance(result, case.means), (name, result)
        assert arrived == 1
        if not isinstance(result, Accepted):
            assert case.says in result.why, (name, result.why)


async def test_what_cannot_be_sent_is_rejected_with_a_sentence_and_never_leaves(example: Example) -> None:
    async with provider() as far:
        far.replies = {**example.beside, example.send: example.accepted}
        result = await example.open(line_to(far.port)).send(example.intent(**example.impossible))
        assert isinstance(result, Rejected)
        assert result.why.endswith(".")
        assert sends(example, far.arrived) == 0


async def test_no_secret_gets_into_a_result_or_a_log_line(
    example: Example, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = [str(value) for value in example.credentials.values()]
    caplog.set_level(logging.INFO)
    async with provider() as far:
        # A provider that repeats what it was given.
        far.replies = dict(example.beside)
        far.otherwise = Reply(400, {"message": "refused: " + " ".join(secrets)})
        result = await example.open(line_to(far.port)).send(example.intent())
    shown = repr(result) + caplog.text + "".join(capsys.readouterr())
    for secret in secrets:
        assert secret not in shown


def test_a_wrong_form_is_refused_by_its_fields_name_and_never_repeats_a_secret(example: Example) -> None:
    with pytest.raises(ChannelMisconfigured, match="settings: no_such_field"):
        open_channel(example.kind, {**example.settings, "no_such_field": 1}, example.credentials, line_to(1))
    wrong = {**example.credentials, "no_such_field": "canary-in-a-wrong-field"}
    with pytest.raises(ChannelMisconfigured, match="credentials: no_such_field") as raised:
        open_channel(example.kind, example.settings, wrong, line_to(1))
    assert "canary" not in str(raised.value)


def test_every_kind_has_its_page(example: Example) -> None:
    page = (DOCS / f"{example.kind}.md").read_text(encoding="utf-8")
    for heading in ("## Get the key", "## Set it", "## Test it", "## Limits", "## What a repeat does"):
        assert heading in page, f"docs/channels/{example.kind}.md lacks {heading!r}"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(min_size=1, max_size=40),
    recipient=st.one_of(st.none(), st.text(max_size=40), st.emails()),
    data=st.data(),
)
async def test_whatever_it_is_handed_a_kind_answers_and_never_raises(
    example: Example, key: str, recipient: str | None, data: st.DataObject
) -> None:
    content: dict[str, Any] = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(example.content, HOSTILE)))
    result = await example.open(line_to(1)).send(SendIntent(key, recipient, {**example.content, **content}))
    assert isinstance(result, RESULTS)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(200, 599), body=st.one_of(st.binary(max_size=80), HOSTILE.map(lambda x: json.dumps(x))))
async def test_whatever_the_provider_answers_a_kind_makes_one_of_the_results_of_it(
    example: Example, status: int, body: bytes | str
) -> None:
    if status in (204, 304):
        return
    async with provider() as far:
        far.replies = {**example.beside, example.send: Reply(status, body)}
        result = await asyncio.wait_for(example.open(line_to(far.port)).send(example.intent()), 10)
    assert isinstance(result, RESULTS)
    if isinstance(result, Accepted):
        assert 200 <= status < 300
