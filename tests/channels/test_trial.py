"""A test of a channel: sent, explained in words, by HTTP's and the command's own code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from adapters.channels.contract import Accepted, Channel, Rejected, Retry, Suppress, Unknown
from adapters.channels.kinds import KINDS
from adapters.channels.ticket import TicketOutbox
from adapters.postgres.engine import Database
from insights.channels.store import Wanted, create, listed
from insights.channels.trial import explained, send_test
from insights.channels.ways import ProjectChannels
from insights.errors import NotFound, Refused
from insights.sealing import Sealer
from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.far_side import Reply, line_to, provider

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEALER = Sealer([b"k" * 32])


async def ways(database: Database, project_id: UUID, port: int, servers: dict[str, Channel]) -> ProjectChannels:
    async with database.transaction(project_id) as tx:
        if not await listed(tx, project_id):
            wanted = Wanted({"sender": "Shop <mail@shop.example>"}, {"api_key": "re_12345678"})
            await create(tx, SEALER, project_id, "resend", "main", wanted, NOW)
    return ProjectChannels(servers, SEALER, line_to(port))


async def test_a_good_test_says_where_to_look(database: Database, project_id: UUID) -> None:
    async with provider() as far:
        far.otherwise = Reply(200, {"id": "mail-1"})
        channels = await ways(database, project_id, far.port, {})
        trial = await send_test(database, channels, project_id, "main", "me@shop.example", NOW)
        assert (trial.good, trial.provider_id) == (True, "mail-1")
        assert "me@shop.example" in trial.todo
        assert far.arrived[0].json["to"] == ["me@shop.example"]
    async with database.transaction(project_id) as tx:
        (row,) = await listed(tx, project_id)
    assert row.last_ok_at == NOW


@pytest.mark.parametrize(
    ("reply", "result", "says"),
    [
        (Reply(401, {"message": "API key is invalid"}), "retry", "make a new key"),
        (Reply(403, {"message": "The shop.example domain is not verified"}), "rejected", "verify it under Domains"),
        (Reply(422, {"message": "Invalid `to` field"}), "rejected", "refuses this"),
        (Reply(500, {"message": "oops"}), "unknown", "Nobody can say"),
        (Reply(fault="drop"), "unknown", "Nobody can say"),
    ],
)
async def test_a_bad_one_says_what_happened_and_what_to_do(
    database: Database, project_id: UUID, reply: Reply, result: str, says: str
) -> None:
    async with provider() as far:
        far.otherwise = reply
        channels = await ways(database, project_id, far.port, {})
        trial = await send_test(database, channels, project_id, "main", "me@shop.example", NOW)
    assert (trial.result, trial.good) == (result, False)
    assert says in trial.said
    assert trial.todo.endswith(".")
    async with database.transaction(project_id) as tx:
        (row,) = await listed(tx, project_id)
    assert (row.failures, row.last_error is not None) == (1, True)


async def test_the_servers_own_are_tested_by_their_word(database: Database, project_id: UUID, tmp_path: Path) -> None:
    channels = await ways(database, project_id, 1, {"ticket": TicketOutbox(tmp_path / "tickets.jsonl")})
    trial = await send_test(database, channels, project_id, "ticket", None, NOW)
    assert trial.good
    assert "A test of this channel" in (tmp_path / "tickets.jsonl").read_text()


async def test_what_cannot_be_tested_says_what_is_missing(database: Database, project_id: UUID) -> None:
    channels = await ways(database, project_id, 1, {})
    with pytest.raises(Refused, match="to: main reaches somebody"):
        await send_test(database, channels, project_id, "main", None, NOW)
    with pytest.raises(NotFound, match="Channels: main"):
        await send_test(database, channels, project_id, "other", None, NOW)
    trial = await send_test(database, channels, project_id, "main", "nobody", NOW)
    assert (trial.result, "not an e-mail address" in trial.said) == ("rejected", True)


async def test_every_sample_is_taken_by_its_provider() -> None:
    for name, kind in KINDS.items():
        # The shop's sample takes two calls to one path, which the example answers in one way.
        if kind.sample and name in EXAMPLES and kind.word != "shop":
            example = EXAMPLES[name]
            async with provider() as far:
                far.replies = {**example.beside, example.send: example.accepted}
                channel = example.open(line_to(far.port))
                # What a test adds: an address that the tool knows people by, the subscription of a push.
                added = {"email": "anna@example.com", "subscription": example.content.get("subscription")}
                changed = dict.fromkeys(example.content, None) | dict(kind.sample) | added
                result = await channel.send(example.intent(**changed))
            assert isinstance(result, Accepted), (name, result)


async def test_what_goes_where_they_all_go_is_looked_for_at_nobodys_address(
    database: Database, project_id: UUID, tmp_path: Path
) -> None:
    channels = await ways(database, project_id, 1, {"ticket": TicketOutbox(tmp_path / "tickets.jsonl")})
    trial = await send_test(database, channels, project_id, "ticket", "me@shop.example", NOW)
    assert (trial.good, trial.todo) == (True, "Look whether it arrived.")
    with pytest.raises(NotFound, match="where WHYLEFT_SMTP_URL is set"):
        await send_test(database, channels, project_id, "email", "me@shop.example", NOW)


def test_each_result_has_words_of_its_own() -> None:
    results = (Accepted("1", "2 segments"), Retry("a."), Rejected("b."), Suppress("c."), Unknown("d."))
    said = [explained("main", result, "me") for result in results]
    assert len({trial.said for trial in said}) == len({trial.todo for trial in said}) == 5
    assert "2 segments" in said[0].said
