"""One session: the outcome, why, what was done, the curve, the timeline."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from sqlalchemy import update

from adapters.postgres.engine import Database
from insights.models import Decision, Insight, Session
from insights.vocabulary.events import PROPS
from insights.vocabulary.ids import uuid7
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, Visit, broken_checkout, browser, decision, store


def text_of(page: str) -> str:
    """What a page says, without its tags, on one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def section(page: str, name: str) -> str:
    """The part of a page under one heading."""
    return page.split(f'<section class="card" id="{name}"', 1)[1].split('<section class="card"', 1)[0]


async def see(shop: Shop, name: str) -> str:
    return await shop.see(f"/sessions/{shop.visits[name].id}")


async def keep(database: Database, shop: Shop, visit: Visit) -> str:
    """Stores a visit and returns its address."""
    async with database.transaction(shop.project_id) as tx:
        await store(tx, shop.project_id, visit)
    return f"/sessions/{visit.id}"


async def test_the_head_says_how_it_ended_and_who_it_was(shop: Shop) -> None:
    said = text_of(await see(shop, "broken"))
    for text in (
        "They left €69.00 in the cart",
        "Last seen on /checkout.",
        "Visitor a•••@example.org",
        "Lasted 4 min 40 s, 27 events",
        "Stage High intent",
        "Came from newsletter / email / november",
        "Device 1440x900 · en-GB · Europe/Berlin",
        "Came before 1 visit",
    ):
        assert text in said
    bought = text_of(await see(shop, "buyer"))
    assert "They bought" in bought
    assert "€29.00 · 2 items · order A-10442" in bought


async def test_evidence_leads_to_its_events_and_back(shop: Shop) -> None:
    visit = shop.visits["broken"]
    page = await see(shop, "broken")
    why = section(page, "why")
    cited = [visit.event_ids[position] for position in visit.cite]
    assert re.findall(r'href="#e-([0-9a-f]{32})"', why) == [event.hex for event in cited]
    for number, event in enumerate(cited, 1):
        row = page.split(f'id="e-{event.hex}"', 1)[1].split("</li>", 1)[0]
        assert f'href="#c-{number}"' in row
        assert f'id="c-{number}"' in why
        assert re.search(rf'<li class="line event [a-z]+ cited" id="e-{event.hex}"', page)
    assert page.count(' cited" id=') == len(cited)
    assert "Technical error" in why
    assert "93 % confident" in text_of(why)
    assert "Said by the evidence rules, version 1" in text_of(why)
    assert "Create ticket" in why
    assert "Send e-mail after: ticket fixed · message: it is fixed" in text_of(why)


async def test_every_link_inside_the_page_finds_its_place(shop: Shop) -> None:
    for name in shop.visits:
        page = await see(shop, name)
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for target in re.findall(r'href="#([^"]+)"', page):
            assert target in ids


async def test_a_model_is_named_and_so_is_its_silence(shop: Shop, database: Database) -> None:
    model = browser(NOW - timedelta(days=3), reason="unclear", classifier="llm:qwen:7b:3")
    silent = browser(NOW - timedelta(days=3), reason="unclear", fallback="deadline")
    assert "Said by the model qwen:7b, prompt 3" in text_of(await shop.see(await keep(database, shop, model)))
    said = text_of(await shop.see(await keep(database, shop, silent)))
    assert "A model is configured, but did not speak: deadline" in said


async def test_earlier_readings_stay_readable(shop: Shop, database: Database) -> None:
    visit = shop.visits["broken"]
    async with database.transaction(shop.project_id) as tx:
        tx.add(
            Insight(
                project_id=shop.project_id, id=uuid7(), session_id=visit.id, visitor_id=visit.visitor_id,
                kind="abandoned", reason="distraction", confidence=0.55, narrative="…", evidence=[],
                suggested_actions=[], classifier="evidence-1", fallback=None, timeline_hash="",
                created_at=NOW - timedelta(hours=1, minutes=58), superseded_at=NOW - timedelta(hours=1),
            )
        )  # fmt: skip
    said = text_of(await see(shop, "broken"))
    assert "1 earlier reading" in said
    assert "Distraction, 55 %" in said


async def test_a_citation_of_an_erased_event_says_so(shop: Shop, database: Database) -> None:
    visit = shop.visits["buyer"]
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Insight)
            .where(Insight.session_id == visit.id)
            .values(evidence=[str(uuid4()), str(visit.event_ids[5]), "no id", None, 7])
        )
    said = text_of(section(await see(shop, "buyer"), "why"))
    assert said.count("An event that is no longer stored") == 2
    assert "Purchased" in said


async def test_a_decision_shows_its_odds_and_why_not_the_others(shop: Shop) -> None:
    page = await see(shop, "broken")
    line = page.split('<li class="line decision"', 3)[2]
    said = text_of(line)
    assert "Decided: Free shipping banner 58 % ignored" in said
    assert "price sensitivity 0.63 is above 0.6" in said
    for text in ("Discount popup 24 %", "Do nothing 18 %", "Chat invite not at this stage", "policy rules-1"):
        assert text in said
    assert "<details open>" in line
    shown = shop.visits["broken"].event_ids[11]
    assert f'href="#e-{shown.hex}">See the visitor' in line
    done = section(page, "done")
    assert "Free shipping banner" in done
    idle = text_of(page.split('<li class="line decision"', 3)[1])
    assert "Decided: Do nothing 100 %" in idle
    assert "nothing is eligible at this stage" in idle


@pytest.mark.parametrize(
    ("events", "still_open", "outcome"),
    [
        ([], False, "not shown"),
        (["action_shown"], False, "ignored"),
        (["action_shown"], True, "shown"),
        (["action_shown", "action_dismissed"], False, "dismissed"),
        (["action_shown", "action_clicked", "action_dismissed"], False, "clicked"),
    ],
)
async def test_what_became_of_an_action(
    shop: Shop, database: Database, events: list[str], still_open: bool, outcome: str
) -> None:
    visit = Visit(
        NOW - timedelta(days=2),
        [(0, "page_viewed", {"path": "/"}), *((n + 1, kind, {}) for n, kind in enumerate(events))],
        open=still_open,
    )
    made = decision(visit, 0, "trust_card", {"trust_card": 1.0})
    for told in visit.events[1:]:
        told[2].update(decision_id=str(made["id"]), action="trust_card")
    where = await keep(database, shop, visit)
    async with database.transaction(shop.project_id) as tx:
        tx.add(Decision(project_id=shop.project_id, **made))
    assert f"Decided: Trust card 100 % {outcome}" in text_of(await shop.see(where))


async def test_a_decision_about_an_event_that_is_not_stored_still_has_its_place(shop: Shop, database: Database) -> None:
    visit = browser(NOW - timedelta(days=2))
    made = decision(visit, 3, "chat_invite", {"chat_invite": 1.0}, event_id=uuid4())
    where = await keep(database, shop, visit)
    async with database.transaction(shop.project_id) as tx:
        tx.add(Decision(project_id=shop.project_id, **made))
    said = text_of(section(await shop.see(where), "timeline"))
    assert said.index("Product viewed") < said.index("Decided: Chat invite") < said.index("Quick back")


async def test_what_was_held_back_from_somebody_held_out_is_told(shop: Shop, database: Database) -> None:
    visit = browser(NOW - timedelta(days=2))
    made = decision(visit, 3, "do_nothing", {"do_nothing": 1.0}, policy="holdout", held_back="trust_card")
    where = await keep(database, shop, visit)
    async with database.transaction(shop.project_id) as tx:
        tx.add(Decision(project_id=shop.project_id, **made))
    assert "Would have got: Trust card" in text_of(await shop.see(where))


async def test_runs_show_their_steps_skips_and_deliveries(shop: Shop) -> None:
    said = text_of(section(await see(shop, "broken"), "done"))
    for text in (
        "technical-error-ticket v1 done",
        "Create ticket accepted ticket to outbox",
        "mail-when-fixed v1 waiting",
        "goes on in 3 d ( 24 Nov 2026, 14:05:12 UTC )",
        "Send e-mail rejected email to a•••@example.org",
        "550 no such mailbox: check the address",
        "skipped sorry no consent to e-mail",
        "3 steps",
    ):
        assert text in said
    assert "No flow was started by this insight." in text_of(await see(shop, "buyer"))


async def test_an_open_session_says_when_it_will_close(shop: Shop, database: Database) -> None:
    said = text_of(await see(shop, "open"))
    assert "This visit is still open" in said
    assert "It closes in 55 min, at 21 Nov 2026, 15:00:47 UTC, unless more happens." in said
    assert "The reason is named when the session closes." in said
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Session).where(Session.id == shop.visits["open"].id).values(close_at=NOW - timedelta(minutes=1))
        )
    assert "look at the log of “whyleft serve”" in text_of(await see(shop, "open"))


async def test_a_closed_session_says_that_something_arrived_late(shop: Shop, database: Database) -> None:
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Session).where(Session.id == shop.visits["broken"].id).values(close_at=NOW + timedelta(minutes=1))
        )
    said = text_of(await see(shop, "broken"))
    assert "Something arrived late: it is looked at again at 21 Nov 2026, 14:06:12 UTC." in said
    assert "This visit is still open" not in said
    assert "Technical error" in said


async def test_a_session_that_was_opened_again_says_that_its_insight_will_change(
    shop: Shop, database: Database
) -> None:
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(
            update(Session)
            .where(Session.id == shop.visits["broken"].id)
            .values(closed_at=None, close_at=NOW + timedelta(minutes=1))
        )
    said = text_of(await see(shop, "broken"))
    assert "This visit is still open It was closed before, and an order arrived late." in said
    assert "Something happened after this was said" in said
    assert "Technical error" in said


async def test_a_closed_session_without_an_insight_says_what_to_do(shop: Shop) -> None:
    said = text_of(await see(shop, "waiting"))
    assert "Nothing has been said of this visit yet" in said
    assert "whyleft serve" in said


@pytest.mark.parametrize("name", ["01890a5d-ac96-774b-bcce-b302099a8057", "nonsense", "%00", "..%00", "1" * 4000])
async def test_an_unknown_session_says_what_to_do(shop: Shop, name: str) -> None:
    said = text_of(await shop.see(f"/sessions/{name}", status=404))
    assert "No such session" in said or "There is no such page" in said
    assert "To the sessions" in said


async def test_the_visitors_other_sessions_are_a_click_away(shop: Shop) -> None:
    page = await see(shop, "broken")
    others = page.split('id="others"', 1)[1]
    assert f'href="/app/sessions/{shop.visits["again"].id}"' in others
    assert "earlier" in others
    assert "Comparison shopping" in others


async def test_the_curve_is_drawn_over_all_events_and_told_as_a_table(shop: Shop) -> None:
    intent = section(await see(shop, "broken"), "intent")
    for name in ("propensity", "bounce_risk", "price_sensitivity"):
        path = re.search(rf'<path class="score {name}" d="M([^"]+)"', intent)
        assert path is not None
        points = [tuple(map(float, point.split())) for point in path[1].split(" L")]
        assert len(points) == 27
        assert all(44 <= x <= 774 and 30 <= y <= 224 for x, y in points)
    said = text_of(intent)
    assert "Propensity to buy" in said
    assert "kettles" in said
    assert intent.count("<tr>") == 28
    order = intent.split('class="mark order"', 2)[1]
    assert f"#e-{shop.visits['broken'].event_ids[10].hex}" in order or "Added to cart" in order


async def test_what_came_before_counts_in_the_curve(shop: Shop, database: Database) -> None:
    first = await see(shop, "waiting")
    visitor = uuid4()
    await keep(database, shop, broken_checkout(NOW - timedelta(days=5), visitor_id=visitor))
    again = await shop.see(await keep(database, shop, browser(NOW - timedelta(minutes=30), visitor_id=visitor)))
    curve = re.compile(r'<path class="score propensity" d="([^"]+)"')
    assert curve.findall(first) != curve.findall(again)
    assert "Came before 1 visit" in text_of(again)


async def test_a_long_session_comes_in_parts_and_its_evidence_is_found_on_the_right_one(
    shop: Shop, database: Database
) -> None:
    visit = Visit(
        NOW - timedelta(days=2),
        [
            (n, "page_viewed", {"path": f"/page/{n // 100}"})
            if n % 100 == 0
            else (n, "clicked", {"label": f"link {n}"})
            for n in range(1200)
        ],
        reason="unclear",
        cite=[3, 777],
    )
    where = await keep(database, shop, visit)
    first, second = await shop.see(where), await shop.see(f"{where}?events=2")
    assert "link 499" in first
    assert "link 500" not in first
    assert f'href="?events=2#e-{visit.event_ids[777].hex}"' in first
    assert f'href="?events=1#e-{visit.event_ids[3].hex}"' in second
    assert f'id="e-{visit.event_ids[777].hex}"' in second
    assert text_of(second).count("/page/7") >= 2
    for odd in ("0", "-1", "99", "x", "9" * 50, "%C2%B2", ""):
        assert "1–500" in await shop.see(f"{where}?events={odd}")


async def test_a_session_without_events_is_still_a_page(shop: Shop, database: Database) -> None:
    said = text_of(await shop.see(await keep(database, shop, Visit(NOW - timedelta(days=9), []))))
    assert "Nothing is stored of this visit" in said
    assert "No events are stored of this session." in said


_WRONG: list[object] = [None, True, -1, 2**80, 1e308, 0.5, "x", "", [], [1], {}, {"a": {"b": 1}}, "9" * 3000]


@pytest.mark.parametrize("wrong", _WRONG, ids=range(len(_WRONG)))
async def test_props_of_any_type_never_break_the_page(shop: Shop, database: Database, wrong: object) -> None:
    names = {"decision_id", "action", "source", "client", "utm_source", "path", "title", "url"}
    names |= {field for props in PROPS.values() for field in props.__struct_fields__}
    visit = Visit(
        NOW - timedelta(days=2),
        [(n, kind, dict.fromkeys(sorted(names), wrong)) for n, kind in enumerate([*PROPS, "brand_new", ""])],
        reason="unclear",
        cite=[0],
        suggested=[wrong, {"action": wrong, "why": wrong}],  # type: ignore[list-item]
    )
    where = await keep(database, shop, visit)
    assert "</html>" in await shop.see(where)
    assert str(visit.id) in await shop.see("/sessions?when=7d&reason=unclear&text=" + str(visit.id))
