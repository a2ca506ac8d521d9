"""From stored sessions to stored patterns."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from adapters.llm.port import ModelFailed
from adapters.llm.scripted import ScriptedModel
from adapters.postgres.engine import Database
from insights.models import Insight, InsightFeedback, ModelSpend, Pattern, PatternLook
from tests.patterns.conftest import Lookers
from tests.patterns.shop import NOW, Weeks


async def patterns(database: Database, project_id: UUID) -> list[Pattern]:
    async with database.transaction(project_id) as tx:
        rows = await tx.scalars(select(Pattern).where(Pattern.project_id == project_id).order_by(Pattern.id))
        return list(rows)


def broken_cart(weeks: Weeks, hours: int = 16, **more: Any) -> Weeks:
    return (
        weeks.page("/cart", now=0.6, changed_hours=hours, rate=4, cart=2500, **more)
        .page("/pricing", rate=4)
        .page("/", rate=4)
    )


async def test_a_page_that_broke_is_one_pattern_with_the_sessions_behind_it(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    await broken_cart(weeks).store(database)
    await weeks.broken_request(database, 16)
    looked = await lookers().look(project_id)
    assert looked is not None and looked.cells > 4
    (found,) = await patterns(database, project_id)
    assert (found.dimension, found.name, found.reason) == ("page", "/cart", "technical_error")
    assert found.before_low < 0.12 < found.before_high and found.after_low < 0.6 < found.after_high
    assert timedelta(hours=12) <= NOW - found.began_at <= timedelta(hours=20)
    behind = {
        row["id"]
        for row in weeks.rows
        if row["path"] == "/cart" and row["reason"] == "technical_error" and row["at"] >= found.began_at
    }
    assert found.sessions == len(behind)
    assert {UUID(one) for one in found.session_ids} <= behind and len(found.session_ids) == min(100, len(behind))
    assert found.at_stake == {"EUR": 2500 * len(behind)}
    assert found.action == "fix_error"
    assert found.params["request"] == "POST /api/cart 500" and found.params["page"] == "/cart"
    assert "on /cart" in found.narrative and f"{round(100 * found.after)} %" in found.narrative


async def test_what_bots_meet_is_no_pattern(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    broken_cart(weeks)
    for row in weeks.rows:
        row["bot"] = row["path"] == "/cart" and row["reason"] == "technical_error"
    await weeks.store(database)
    looked = await lookers().look(project_id)
    assert looked is not None and looked.cells > 2
    assert list(await patterns(database, project_id)) == []


async def test_a_second_look_tells_nothing_twice_and_ends_what_is_over(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    await broken_cart(weeks).store(database)
    looker = lookers()
    first, second = await asyncio.gather(looker.look(project_id), lookers().look(project_id))
    third = await looker.look(project_id)
    assert third is not None and third.found == ()
    assert len(await patterns(database, project_id)) == 1
    assert sum(len(one.found) for one in (first, second) if one is not None) == 1
    later = Weeks(project_id, seed=7)
    for path in ("/cart", "/pricing", "/"):
        later.page(path, rate=4, since_hours=0, until_hours=-40)
    await later.store(database)
    ended = await lookers(NOW + timedelta(hours=40)).look(project_id)
    assert ended is not None and ended.ended == 1
    (found,) = await patterns(database, project_id)
    assert found.end_reason == "back" and found.ended_at == NOW + timedelta(hours=40)


@pytest.mark.parametrize("hours", [4, 14 * 24])
async def test_a_look_of_another_length_ends_nothing_that_goes_on(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, hours: int
) -> None:
    await broken_cart(weeks).store(database)
    assert await lookers().look(project_id) is not None
    # Nobody comes for five hours: of the last four there is nothing to see.
    later = lookers(NOW + timedelta(hours=5))
    for length in (None, hours, None):
        looked = await later.look(project_id, hours=length)
        assert looked is not None and (looked.found, looked.ended) == ((), 0)
    (found,) = await patterns(database, project_id)
    assert found.ended_at is None


async def test_looks_that_nobody_asked_for_keep_an_hour_apart(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    assert await lookers().look(project_id, unless_since=timedelta(minutes=50)) is not None
    assert await lookers(NOW + timedelta(minutes=30)).look(project_id, unless_since=timedelta(minutes=50)) is None
    async with database.transaction(project_id) as tx:
        row = await tx.get_one(PatternLook, project_id)
        assert row.looked_at == NOW


async def test_shares_are_never_compared_across_a_version(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    weeks.page("/cart", rate=6, until_hours=16, share=0.12, version="llm:m:v3")
    weeks.page("/cart", rate=6, since_hours=16, share=0.6, version="llm:m:v4")
    await weeks.store(database)
    looked = await lookers().look(project_id)
    assert looked is not None and looked.found == ()


async def test_visits_that_were_closed_late_tell_of_another_time(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    weeks.page("/cart", rate=6)
    weeks.page("/cart", rate=6, since_hours=29, until_hours=13, share=0.9, late=timedelta(hours=12))
    await weeks.store(database)
    looked = await lookers().look(project_id)
    assert looked is not None and looked.found == ()


async def test_what_to_amplify_is_found_among_those_who_bought(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    await weeks.page(
        "/thanks", rate=6, now=0.5, changed_hours=16, reason="social_proof", otherwise="value_fit", kind="converted"
    ).store(database)
    await lookers().look(project_id)
    (found,) = await patterns(database, project_id)
    assert (found.kind, found.action) == ("converted", "amplify_social_proof")
    assert found.dimension == "all", "the whole shop is one page here: it is told once"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ({"source": "newsletter"}, ("source", "newsletter")),
        ({"viewport": "390x800"}, ("device", "phone")),
        ({"zone": "Europe/Paris"}, ("country", "FR")),
        ({"zone": "Asia/Calcutta"}, ("country", "IN")),
        ({"product": "moka-pot"}, ("product", "moka-pot")),
    ],
)
async def test_each_kind_of_cell_is_looked_at(
    database: Database, project_id: UUID, lookers: Lookers, cell: dict[str, str], expected: tuple[str, str]
) -> None:
    weeks = Weeks(project_id)
    for path in ("/a", "/b"):
        weeks.page(path, rate=4, now=0.6, changed_hours=16, **cell).page(path, rate=6)
    await weeks.store(database)
    await lookers().look(project_id)
    found = await patterns(database, project_id)
    assert [(one.dimension, one.name) for one in found] == [expected]


async def test_a_look_may_cover_the_last_sessions_only(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    await broken_cart(weeks, hours=8).store(database)
    looked = await lookers().look(project_id, last=200)
    assert looked is not None and len(looked.found) == 1


async def test_what_people_said_corrects_the_shares(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    await broken_cart(weeks).store(database)
    async with database.transaction(project_id) as tx:
        stored = select(Insight).where(Insight.project_id == project_id).order_by(Insight.created_at)
        rows = list(await tx.scalars(stored.limit(400)))
        wrong = 0
        for row in rows:
            # Every second technical error was a distraction.
            wrong += row.reason == "technical_error"
            said = "other" if row.reason == "technical_error" and wrong % 2 else "right"
            tx.add(
                InsightFeedback(
                    project_id=project_id,
                    session_id=row.session_id,
                    visitor_id=row.visitor_id,
                    insight_id=row.id,
                    said=said,
                    reason="distraction" if said == "other" else row.reason,
                    said_at=NOW,
                )
            )
    await lookers().look(project_id)
    (found,) = await patterns(database, project_id)
    assert found.corrected
    assert found.tested_before > 0.1 and found.before < 0.09


def reply(narrative: str, action: str = "fix_error") -> dict[str, str]:
    return {"narrative": narrative, "action": action}


async def told(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, script: Any, **more: Any
) -> tuple[Pattern, ScriptedModel]:
    await broken_cart(weeks).store(database)
    await lookers().look(project_id)
    (before,) = await patterns(database, project_id)
    async with database.transaction(project_id) as tx:
        await tx.delete(await tx.get_one(Pattern, (project_id, before.id)))
    model = ScriptedModel([script(before) if callable(script) else script])
    await lookers(model=model, **more).look(project_id)
    (found,) = await patterns(database, project_id)
    return found, model


async def test_a_model_tells_it_when_its_numbers_are_ours(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    def say(row: Pattern) -> dict[str, str]:
        return reply(f"On /cart errors went from {round(100 * row.before)} % to {round(100 * row.after)} % of visits.")

    found, model = await told(database, project_id, weeks, lookers, say)
    assert found.told_by == "llm:scripted:pattern-2"
    assert found.narrative.startswith("On /cart errors went from")
    assert f'before: "{round(100 * found.before)} %"' in model.prompts[0].material
    async with database.transaction(project_id) as tx:
        spent = await tx.scalar(select(ModelSpend).where(ModelSpend.project_id == project_id))
    assert spent is not None and spent.calls == 1


@pytest.mark.parametrize(
    "script",
    [
        reply("Errors on /cart rose to 97 % of visits."),
        reply("Errors rose sharply."),
        lambda row: reply(
            f"From {round(100 * row.before)} to {round(100 * row.after)} %: see https://evil.example", "fix_error"
        ),
        lambda row: reply(f"From {round(100 * row.before)} to {round(100 * row.after)} %.", "save_carts"),
        {"nonsense": True},
        ModelFailed("timeout"),
        ModelFailed("refused"),
    ],
    ids=["wrong number", "no number", "address", "action of another reason", "malformed", "slow", "refusing"],
)
async def test_the_template_stays_where_a_model_has_nothing_good_to_say(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers, script: Any
) -> None:
    found, _ = await told(database, project_id, weeks, lookers, script)
    assert found.told_by == "template" and found.action == "fix_error"
    assert found.narrative.startswith("Technical error rose from")


async def test_a_model_beyond_its_ceiling_is_not_asked(
    database: Database, project_id: UUID, weeks: Weeks, lookers: Lookers
) -> None:
    found, model = await told(database, project_id, weeks, lookers, reply("…"), ceiling=0.000001)
    assert model.prompts == [] and found.told_by == "template"
