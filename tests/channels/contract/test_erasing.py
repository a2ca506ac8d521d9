"""What every kind promises about forgetting somebody: it calls its provider and reads the answer, or says who must."""

from __future__ import annotations

import contextlib
import logging

import pytest

from adapters.channels.contract import Accepted, Rejected, Retry
from adapters.channels.erasing import NOBODY, NOTHING_TO_GO_BY, CannotErase, Erased, Named
from adapters.channels.http_channel import ProviderChannel
from adapters.channels.kinds import KINDS, open_channel
from adapters.channels.line import Line
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.examples.erasing import ANNA, EMAIL, ERASING, PHONE, Erasing
from tests.channels.contract.far_side import Call, Provider, Reply, full_house, line_to, provider
from tests.channels.contract.matrix import FAULTS


@pytest.fixture(params=sorted(ERASING))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(kind: str, line: Line) -> ProviderChannel:  # type: ignore[type-arg]
    example = EXAMPLES[kind]
    added = ERASING[kind].credentials if kind in ERASING else {}
    channel = open_channel(kind, example.settings, {**example.credentials, **added}, line)
    assert isinstance(channel, ProviderChannel)
    return channel


def calls(erasing: Erasing, far: Provider) -> list[Call]:
    method, _, path = erasing.call.partition(" ")
    return [call for call in far.arrived if call.method == method and call.path.startswith(path)]


async def erased(kind: str, reply: Reply, person: Named = ANNA, **replies: Reply) -> tuple[Erased, Provider]:
    erasing = ERASING[kind]
    async with provider() as far:
        # Twilio looks whether anything is left: once the deletion came, nothing is.
        far.replies = {**EXAMPLES[kind].beside, **erasing.beside, erasing.call: reply, **replies}
        result = await opened(kind, line_to(far.port)).erase(person)
        return result, far


def test_every_kind_calls_its_provider_or_says_where_somebody_does_it() -> None:
    by_hand = {name for name, kind in KINDS.items() if kind.by_hand}
    assert by_hand | set(ERASING) == set(KINDS)
    assert not by_hand & set(ERASING)
    for name in by_hand:
        assert KINDS[name].by_hand.endswith(".")
        assert len(KINDS[name].by_hand) > 60, "say where to look"


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - set(ERASING)))
async def test_a_kind_without_a_call_asks_nobody_and_says_so(name: str) -> None:
    async with provider() as far:
        result = await opened(name, line_to(far.port)).erase(ANNA)
    assert isinstance(result, CannotErase)
    assert far.arrived == []


@pytest.mark.parametrize("name", ["postmark", "segment"])
async def test_without_the_token_that_it_takes_the_answer_says_which(name: str) -> None:
    example = EXAMPLES[name]
    async with provider() as far:
        channel = open_channel(name, example.settings, example.credentials, line_to(far.port))
        assert isinstance(channel, ProviderChannel)
        result = await channel.erase(ANNA)
    assert isinstance(result, CannotErase)
    assert "token" in result.where
    assert far.arrived == []


async def test_the_provider_is_asked_as_its_reference_has_it(kind: str) -> None:
    erasing = ERASING[kind]
    assert erasing.reference.startswith("https://")
    result, far = await erased(kind, erasing.reply)
    if kind == "twilio":
        # It was told again and again that there is one more: that is for the next attempt.
        assert isinstance(result, Retry), result
    else:
        assert isinstance(result, Accepted), result
        assert result.detail
        assert result.detail.endswith(".")
    sent = calls(erasing, far)
    assert sent
    assert all(erasing.sent(call) for call in sent)
    said = " ".join(f"{call.target} {call.body.decode()}" for call in sent)
    for words in erasing.says:
        assert words in said, said


async def test_nothing_is_erased_of_anybody_else(kind: str) -> None:
    _, far = await erased(kind, ERASING[kind].reply)
    for call in calls(ERASING[kind], far):
        assert "*" not in call.body.decode()
        assert "delete_all" not in call.target


async def test_whom_it_does_not_know_is_erased_there(kind: str) -> None:
    erasing = ERASING[kind]
    if not erasing.nobody:
        return
    result, _ = await erased(kind, erasing.reply, **erasing.nobody)
    assert isinstance(result, Accepted), result
    assert result.detail in (NOBODY, NOTHING_TO_GO_BY)


async def test_without_a_name_that_it_knows_people_by_nobody_is_asked(kind: str) -> None:
    result, far = await erased(kind, ERASING[kind].reply, Named.of("k", [], [], []))
    assert result == Accepted(detail=NOTHING_TO_GO_BY)
    assert calls(ERASING[kind], far) == []


async def test_a_second_time_does_no_harm(kind: str) -> None:
    erasing = ERASING[kind]
    async with provider() as far:
        far.replies = {**EXAMPLES[kind].beside, **erasing.beside, erasing.call: erasing.reply}
        channel = opened(kind, line_to(far.port))
        first, second = [await channel.erase(ANNA) for _ in range(2)]
        assert first == second
        far.replies |= erasing.nobody
        assert isinstance(await channel.erase(ANNA), Accepted | Retry)


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_a_fault_is_tried_again_or_said(kind: str, fault: str) -> None:
    erasing, row = ERASING[kind], FAULTS[fault]
    reply = row.reply or erasing.reply
    async with provider() as far, contextlib.AsyncExitStack() as stack:
        broken = Reply(reply.status, reply.body, reply.headers, row.how)
        far.replies = {**EXAMPLES[kind].beside, **erasing.beside, erasing.call: broken}
        port = 1 if row.how == "refuse" else far.port
        if row.how == "full":
            port = stack.enter_context(full_house())
        slow = row.how in ("hang", "full")
        result = await opened(kind, line_to(port, timeout=0.2 if slow else 5.0)).erase(ANNA)
    expected: tuple[type, ...] = (Rejected,) if fault in ("400", "a redirect") else (Retry,)
    if erasing.lenient and (fault in ("a page inside 200", "half of a 200's body")):
        expected = (Accepted,)
    assert isinstance(result, expected), result
    if isinstance(result, Retry | Rejected):
        assert result.why.endswith(".")


async def test_neither_secrets_nor_names_get_into_a_result_or_a_log_line(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):  # as ``insights.logs`` sets them: their lines hold addresses
        caplog.set_level(logging.WARNING, name)
    erasing = ERASING[kind]
    secrets = [str(value) for value in {**EXAMPLES[kind].credentials, **erasing.credentials}.values()]
    result, _ = await erased(kind, Reply(400, {"message": f"refused {EMAIL}: " + " ".join(secrets)}))
    shown = repr(result) + repr(ANNA) + "".join(record.getMessage() for record in caplog.records)
    for word in (*secrets, EMAIL, PHONE, "customer-7"):
        assert word not in shown
