"""What conditions mean, and what is said of wrong ones, by example."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest

from flows.conditions import (
    Asked,
    Compiled,
    ConditionInvalid,
    Facts,
    FactsSource,
    Fields,
    Money,
    Truth,
    explain,
    fields_document,
    json_schema,
    to_words,
    understand,
    write,
)
from tests.conditions.registry import FIELDS, NOW

KNOWN: dict[Asked, Any] = {
    ("visitor.known", ()): True,
    ("cart.items", ()): 2,
    ("cart.value", ()): Money(5_000, "EUR"),
    ("visitor.country", ()): "Österreich",
    ("visitor.stage", ()): "browser",
    ("visitor.tags", ()): frozenset({"vip", "b2b"}),
    ("visitor.seen_at", ()): NOW - timedelta(days=7),
    ("visitor.clock", ()): time(9, 30),
    ("events.count", ("a", timedelta(days=7))): 3,
}


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("cart.value >= 50.00 EUR", True),
        ("cart.value > 50 EUR", False),
        ("cart.value < 50 USD", None),
        ('visitor.country = "ÖSTERREICH"', True),
        ('visitor.country starts with "öst"', True),
        ('visitor.country in ("Schweiz", "Österreich")', True),
        ("visitor.stage = browser", True),
        ('visitor.tags has any ("VIP", "x")', True),
        ('visitor.tags has all ("vip", "x")', False),
        ("visitor.seen_at within 1w", True),
        ("visitor.seen_at within 6d23h", False),
        ("visitor.seen_at older than 7d", False),
        ("visitor.seen_at < 2026-11-20", True),
        ("visitor.seen_at > 2026-11-14T13:00+02:00", True),
        ("visitor.clock >= 09:00 and visitor.clock < 17:30", True),
        ("events.count(a, 7d) > 2", True),
        ("events.count(a) > 2", None),
        ("intent.propensity > 0.5", None),
        ("not intent.propensity > 0.5", None),
        ("intent.propensity != 0.5", None),
        ("intent.propensity is unknown", True),
        ("intent.propensity is known", False),
        ("intent.propensity > 0.5 or cart.items > 1", True),
        ("intent.propensity > 0.5 and cart.items > 2", False),
        ("intent.propensity > 0.5 and cart.items > 1", None),
        ("cart.items = 1 or cart.items = 2 and visitor.known = true", True),
        ("(cart.items = 2 or cart.items = 2) and visitor.known = false", False),
        ("not (cart.items = 1)", True),
        ("not cart.items in (1, 2)", False),
        ("cart.items not in (1, 3)", True),
    ],
)
def test_a_condition_means(text: str, truth: Truth) -> None:
    condition = understand(text, FIELDS)
    facts = Facts(KNOWN, NOW)
    assert Compiled(condition, FIELDS, FactsSource(FIELDS)).truth(facts) is truth
    assert explain(condition, FIELDS, facts).truth is truth


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cart.value > 60 EUR and cart.items > 1", "cart.value is 50.00 EUR"),
        ("intent.propensity > 0.5 and cart.items > 1", "intent.propensity is not known"),
        ("cart.items > 2 or visitor.tags has x", 'cart.items is 2; visitor.tags is ("b2b", "vip")'),
        ("not (cart.items = 2 and visitor.known = true)", "cart.items is 2; visitor.known is true"),
        ("cart.items > 1 or visitor.tags has x", "cart.items is 2"),
        ("events.count(a, 7d) > 5", 'events.count("a", 7d) is 3'),
    ],
)
def test_an_answer_says_what_decided(text: str, why: str) -> None:
    assert explain(understand(text, FIELDS), FIELDS, Facts(KNOWN, NOW)).why() == why


def test_a_long_answer_is_cut_short() -> None:
    text = " and ".join(f'visitor.trait{n} = "x"' for n in range(20))
    why = why_of_nothing(text)
    assert why.count("is not known") == 8
    assert why.endswith("and 12 more")


def why_of_nothing(text: str) -> str:
    return explain(understand(text), FIELDS, Facts({}, NOW)).why()


def test_text_and_json_are_two_forms_of_one_thing() -> None:
    text = (
        'cart.value >= 50.00 EUR and (visitor.tags has "vip" or events.count("a", 7d) > 2)'
        " and visitor.seen_at within 30m"
    )
    document = {
        "all": [
            {"field": "cart.value", "op": "ge", "value": {"minor": 5000, "currency": "EUR"}},
            {
                "any": [
                    {"field": "visitor.tags", "op": "has", "value": "vip"},
                    {"field": "events.count", "args": ["a", {"seconds": 604800}], "op": "gt", "value": 2},
                ]
            },
            {"field": "visitor.seen_at", "op": "within", "value": {"seconds": 1800}},
        ]
    }
    assert write(understand(text)) == document
    assert to_words(understand(document)) == text


@pytest.mark.parametrize(
    ("written", "pointer", "said"),
    [
        ({"field": "cart.valu", "op": "known"}, "/field", "did you mean cart.value"),
        ({"all": [{"all": [{"field": "x", "op": "known"}]}]}, "/all/0/all/0/field", "no field x"),
        ({"not": {"field": "cart.items", "op": "gt", "value": "2"}}, "/not/value", "a text, not a whole number"),
        ({"field": "cart.items", "op": "gt", "value": 2.5}, "/value", "a number, not a whole number"),
        ({"field": "cart.items", "op": "lt", "value": -1}, "/value", "at least 0"),
        ({"field": "intent.propensity", "op": "gt", "value": 80}, "/value", "between 0 and 1"),
        ({"field": "cart.items", "op": "contains", "value": "2"}, "/op", "use one of: =, !="),
        ({"field": "cart.value", "op": "gt", "value": 50}, "/value", "50.00 EUR"),
        ({"field": "cart.value", "op": "gt", "value": {"minor": 1.5, "currency": "EUR"}}, "/value", "is not a value"),
        ({"field": "visitor.stage", "op": "in", "value": ["buyer", "Buyer"]}, "/value/1", "did you mean buyer"),
        ({"field": "visitor.seen_at", "op": "within", "value": 7}, "/value", "30m or 7d"),
        ({"field": "events.count", "op": "gt", "value": 1}, "/args", "events.count(type, [window])"),
        ({"field": "events.count", "args": ["c"], "op": "gt", "value": 1}, "/args/0", "a, b"),
        ({"field": "live.leaving", "op": "known"}, "/field", "it is known in: a live action"),
        ({"field": "cart.items", "op": "like", "value": 1}, "/op", "is not an operator"),
        ({"field": "cart.items", "op": "gt"}, "/value", "is missing"),
        ({"field": "cart.items", "op": "known", "value": 1}, "/value", "takes no value"),
        ({"field": "cart.items", "op": "eq", "value": 1, "vlaue": 1}, "/vlaue", "did you mean value"),
        ({"all": []}, "/all", "is not a list of conditions"),
        ({"all": [], "any": []}, "", "exactly one of"),
        ([], "", "is not a condition"),
        ({"field": "visitor.country", "op": "eq", "value": "\ud800"}, "/value", "cannot be stored"),
        ({"field": "not", "op": "known"}, "/field", "is not the name of a field"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_fix(written: Any, pointer: str, said: str) -> None:
    with pytest.raises(ConditionInvalid) as caught:
        understand(written, FIELDS, "flow")
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    (fault,) = caught.value.faults
    assert said in f"{fault.problem}: {fault.fix}"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("cart.items > ", (13, 13), "ends too early"),
        ("cart.items 3", (11, 12), "an operator"),
        ("cart.items > 3 visitor.known = true", (15, 28), 'write "and", "or"'),
        ("cart.items > 3 and (visitor.known = true", (40, 40), "write )"),
        ('visitor.country = "Wien', (18, 19), "close the quotes"),
        ("cart.value > 5.555 EUR", (13, 22), "more digits than EUR"),
        ("cart.items > 3 and cart.itms > 2", (19, 28), "did you mean cart.items"),
        ("cart.items in (1, x)", (18, 19), "a text, not a whole number"),
        ("cart.value > 50,00 EUR", (15, 16), "“,” does not belong here: write numbers with a point: 50.00"),
        ("cart.value > 50 €", (16, 17), "write the currency's code: 50.00 EUR"),
        ("cart.items ≥ 3", (11, 12), "write >="),
        ("visitor.tags has “vip”", (17, 18), "write straight quotes"),
        ("visitor.last_seen_at within 30 days", (31, 35), "“days” does not belong here: write 30d"),
    ],
)
def test_a_wrong_text_is_marked_where_it_is_wrong(text: str, place: tuple[int, int], said: str) -> None:
    with pytest.raises(ConditionInvalid) as caught:
        understand(text, FIELDS)
    (fault,) = caught.value.faults
    assert (fault.start, fault.end) == place
    assert said in f"{fault.problem}: {fault.fix}"


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConditionInvalid) as caught:
        understand("nope > 3 and cart.items = true and cart.value contains x and intent.propensity > 2", FIELDS)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/all/0/field",
        "/all/1/value",
        "/all/2/op",
        "/all/3/value",
    ]


def test_a_condition_has_at_most_a_hundred_checks_and_twelve_levels() -> None:
    one = {"field": "cart.items", "op": "known"}
    understand({"all": [one] * 100}, FIELDS)
    with pytest.raises(ConditionInvalid, match="101"):
        understand({"all": [{"any": [one] * 50}, {"any": [one] * 51}]}, FIELDS)
    document: Any = one
    for _ in range(12):
        document = {"not": document}
    understand(document, FIELDS)
    with pytest.raises(ConditionInvalid, match="too deeply"):
        understand({"not": document}, FIELDS)


def test_a_condition_whose_field_is_gone_is_unknown_and_says_so() -> None:
    condition = understand("gone.field > 3 or cart.items contains x")
    explanation = explain(condition, FIELDS, Facts(KNOWN | {("gone.field", ()): 4}, NOW))
    assert explanation.truth is None
    assert "gone.field is not known" in explanation.why()
    assert explain(condition, Fields([]), Facts(KNOWN, NOW)).truth is None


def test_a_builder_is_told_every_field_operator_and_value() -> None:
    document = fields_document(FIELDS, "flow")
    names = [field["name"] for field in document["fields"]]
    assert "cart.value" in names
    assert "live.leaving" not in names
    operators = {operator["name"] for operator in document["operators"]}
    for field in document["fields"]:
        assert set(field["operators"]) <= operators
        assert document["types"][field["type"]]["operators"] == field["operators"]
    branches = json_schema()["$defs"]["condition"]["oneOf"]
    in_schema = [op for branch in branches for op in branch["properties"].get("op", {}).get("enum", [])]
    assert sorted(in_schema) == sorted(operators)
