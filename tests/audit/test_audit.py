"""An audit counts what was lost where, gives money as a range that can be worked out by hand, and says what is open."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from insights.audit import visits
from insights.audit.audit import Wish, run
from insights.audit.page import page
from insights.audit.report import document
from insights.audit.stakes import Given
from insights.cli import app
from tests.audit.exports import DAY, LEAVES_CART, LOOKS, MINUTE, ORDERS, START, Step, own_lines, three_visits, written


def _audit(path: Path, **wish: Any) -> dict[str, Any]:
    return document(run(Wish((path,), **wish)))


def test_visits_are_counted_by_stage_page_and_how_far_they_came(tmp_path: Path) -> None:
    found = _audit(written(tmp_path, own_lines(three_visits())))
    assert (found["visits"], found["visits_with_an_order"]) == (3, 1)
    assert {one["stage"]: one["visits"] for one in found["stages"]} == {"anonymous": 1, "cart_adder": 1}
    assert [(one["step"], one["reached"]) for one in found["steps"]] == [
        ("looked", 3),
        ("product", 3),
        ("cart", 2),
        ("checkout", 1),
        ("payment", 1),
        ("order", 1),
    ]
    assert [(one["page"], one["visits"], one["seen"]) for one in found["pages"]] == [("/products/*", 2, 3)]
    assert found["left_in_carts"]["cart_value_minor"] == {"EUR": 5000}


def _order(minutes: int, order: str, currency: str, value: int | None = 5000) -> Step:
    worth = {} if value is None else {"value_minor": value}
    return minutes, "purchased", {"order_id": order, "currency": currency, **worth}


def test_an_order_counts_once_and_in_its_own_currency(tmp_path: Path) -> None:
    thanks: Step = (0, "page_viewed", {"url": "https://shop.example/thanks", "path": "/thanks"})
    visits = [
        ("ann", START, [*LEAVES_CART, _order(4, "a", "USD"), _order(5, "a", "USD")]),
        ("ann", START + DAY, [thanks, _order(1, "a", "USD")]),
        # Of one the page says nothing of its worth, and a server tells of another from elsewhere.
        ("bob", START + MINUTE, [*LEAVES_CART, _order(4, "b", "EUR", None), _order(5, "b", "EUR")]),
        ("cat", START + 2 * MINUTE, [*LEAVES_CART, _order(4, "c", "EUR"), _order(6, "d", "JPY", 700)]),
        ("a server", START + 3 * MINUTE, [_order(4, "c", "EUR")]),
    ]
    found = _audit(written(tmp_path, own_lines(visits)))
    assert found["orders_value_minor"] == {"EUR": 10_000, "USD": 5_000, "JPY": 700}
    assert (found["visits"], found["visits_with_an_order"]) == (5, 4)
    assert found["left_in_carts"]["carts"] == 0


def test_the_range_is_what_its_assumptions_make_of_the_carts(tmp_path: Path) -> None:
    tells = (5, "exit_intent", {"kind": "pointer"})
    leaves = [*LEAVES_CART, (3, "identified", {"email": "a@b.example"}), tells, (9, "tab_hidden", {})]
    path = written(tmp_path, own_lines([("bob", START, leaves), ("cat", START, ORDERS)]))
    given = Given(mail_effect=(0.1, 0.2), live_effect=(0.0, 0.5), comes_back=(0.0, 0.4), margin=0.5)
    found = _audit(path, given=given)
    (money,) = found["money"]
    flow = next(one for one in found["flows"] if one["visits"])
    assert flow["with_address"] == 1
    assert money["by_mail_minor"] == {"low": round(5000 * 0.6 * 0.1), "high": round(5000 * 0.2)}
    live = 0.5 if found["any_action"]["carts"] else 0.0
    assert live
    assert money["at_stake_minor"]["high"] == round(5000 * (1 - (1 - 0.2) * (1 - live)))
    assert money["at_stake_minor"]["low"] == 300
    assert {one["name"]: one["source"] for one in found["assumptions"]} == {
        "comes_back": "given by you",
        "address": "assumed",
        "mail_effect": "given by you",
        "live_effect": "given by you",
    }


def test_without_orders_nothing_is_called_lost_and_no_money_is_named(tmp_path: Path) -> None:
    found = _audit(written(tmp_path, own_lines([("ann", START, LOOKS), ("bob", START, LEAVES_CART)])))
    assert found["money"] == []
    assert "no orders" in found["money_untold"]
    assert found["visits_without_an_order"] is None
    assert any(sentence.startswith("Who ordered") for sentence in found["cannot_tell"])
    assert "Where visits end" in page(found)


def test_the_share_that_comes_back_alone_is_measured(tmp_path: Path) -> None:
    people = [(f"v{n}", START + n * MINUTE, LEAVES_CART) for n in range(100)]
    back = [(f"v{n}", START + DAY + n * MINUTE, ORDERS) for n in range(40)]
    end = [("last", START + 9 * DAY, LOOKS)]
    found = _audit(written(tmp_path, own_lines([*people, *back, *end])))
    assert (found["came_back"]["came_back"], found["came_back"]["watched"]) == (40, 100)
    factor = found["assumptions"][0]
    assert factor["source"] == "measured in this export"
    assert factor["high"] < 0.4 < factor["low"]


def test_the_order_of_lines_and_copies_of_them_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = own_lines([(f"v{n}", START + n * DAY, ORDERS if n % 3 else LEAVES_CART) for n in range(30)])
    straight = _audit(written(tmp_path, lines))
    monkeypatch.setattr(visits, "PIECE", 7)
    shuffled = lines * 2
    random.Random(1).shuffle(shuffled)
    mixed = _audit(written(tmp_path, shuffled))
    assert mixed["reading"]["sorted_first"]
    assert mixed["reading"]["duplicates"] == len(lines)
    for name in ("visits", "stages", "pages", "steps", "reasons", "flows", "actions", "money", "came_back"):
        assert mixed[name] == straight[name]


def test_only_visits_that_may_go_on_are_in_memory(tmp_path: Path) -> None:
    lines = own_lines([(f"v{n}", START + n * 10 * MINUTE, LOOKS) for n in range(500)])
    found = _audit(written(tmp_path, lines))
    assert found["visits"] == 500
    assert found["reading"]["most_visits_open_at_once"] <= 8


def test_a_silence_ends_a_visit(tmp_path: Path) -> None:
    path = written(tmp_path, own_lines([("ann", START, [*LOOKS, (45, "page_viewed", {"path": "/later"})])]))
    assert _audit(path)["visits"] == 2
    assert _audit(path, gap_ms=60 * MINUTE)["visits"] == 1


def test_machines_are_left_out(tmp_path: Path) -> None:
    bot = [(0, "page_viewed", {"path": "/", "client": {"bot": True}})]
    found = _audit(written(tmp_path, own_lines([*three_visits(), ("bot", START, bot)])))
    assert (found["visits"], found["machines"]) == (3, 1)


def test_the_page_needs_nothing_else_and_shows_what_strangers_wrote_as_text(tmp_path: Path) -> None:
    evil = [(0, "page_viewed", {"path": "/<script>alert(1)</script>"}), (1, "page_viewed", {"path": "/u/a@b.example"})]
    shown = page(_audit(written(tmp_path, own_lines([*three_visits(), ("eve", START, evil[:1]), ("ed", START, evil)]))))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "a@b.example" not in shown
    for outside in ("http://", "https://", "src=", "url(", "@import"):
        assert outside not in shown


def test_the_command_prints_json_and_names_what_is_wrong_with_an_option(tmp_path: Path) -> None:
    path = written(tmp_path, [*own_lines(three_visits()), "{"])
    target = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["audit", str(path), "--json", "--html", str(target), "--margin", "0.4"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["reading"]["unread_examples"][0]["line"] == len(own_lines(three_visits())) + 1
    assert target.read_text().startswith("<!doctype html>")
    refused = CliRunner().invoke(app, ["audit", str(path), "--mail-effect", "3"])
    assert refused.exit_code == 1
    assert "--mail-effect: must be LOW:HIGH" in refused.output
