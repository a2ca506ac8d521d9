"""The language held to properties over random conditions, and to hostile input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flows.conditions import (
    All,
    AnyOf,
    Check,
    Compiled,
    Condition,
    ConditionInvalid,
    Explanation,
    Facts,
    FactsSource,
    Not,
    Truth,
    asked_by,
    explain,
    to_words,
    type_faults,
    understand,
    write,
)
from flows.conditions.tree import Op, nodes_of
from tests.conditions.reference import truth_of
from tests.conditions.registry import FIELDS, NOW, conditions, known


@given(conditions())
def test_what_is_printed_is_parsed_back_to_the_same_condition(condition: Condition) -> None:
    assert understand(to_words(condition), FIELDS) == condition


@given(conditions())
def test_the_json_form_is_read_back_to_the_same_condition(condition: Condition) -> None:
    document = json.loads(json.dumps(write(condition)))
    assert understand(document, FIELDS) == condition
    assert write(understand(document)) == document


@given(st.data(), conditions())
def test_the_evaluator_agrees_with_a_naive_one(data: st.DataObject, condition: Condition) -> None:
    facts = Facts(data.draw(known(condition)), NOW)
    compiled = Compiled(condition, FIELDS, FactsSource(FIELDS))
    expected = truth_of(condition, facts.values, NOW)
    assert compiled.truth(facts) is expected
    assert compiled.explain(facts).truth is expected
    assert compiled.holds(facts) is (expected is True)


@given(st.data(), conditions())
def test_an_explanation_is_consistent_and_names_what_decided(data: st.DataObject, condition: Condition) -> None:
    values = data.draw(known(condition))
    explanation = explain(condition, FIELDS, Facts(values, NOW))
    nodes = dict(nodes_of(condition))
    for part in _all_parts(explanation):
        assert understand(part.says) == nodes[part.pointer]
        assert part.truth is truth_of(nodes[part.pointer], values, NOW)
    deciding = explanation.deciding()
    assert deciding
    assert explanation.why()
    if explanation.truth is None:
        # Had all of these been known, whichever way, the whole would not have to be unknown for their sake.
        assert all(check.truth is None for check in deciding)
    else:
        # The deciding checks alone settle it: whatever the others are, the whole stays as it is.
        kept = {check.pointer for check in deciding}
        for other in (True, False, None):
            assert _with(condition, "", {c.pointer: c.truth for c in deciding}, other) is explanation.truth, kept


def _all_parts(explanation: Explanation) -> list[Explanation]:
    return [explanation, *(part for one in explanation.parts for part in _all_parts(one))]


def _with(condition: Condition, pointer: str, settled: dict[str, Truth], other: Truth) -> Truth:
    match condition:
        case All(parts):
            found = [_with(p, f"{pointer}/all/{i}", settled, other) for i, p in enumerate(parts)]
            return False if False in found else None if None in found else True
        case AnyOf(parts):
            found = [_with(p, f"{pointer}/any/{i}", settled, other) for i, p in enumerate(parts)]
            return True if True in found else None if None in found else False
        case Not(part):
            inner = _with(part, f"{pointer}/not", settled, other)
            return None if inner is None else not inner
        case _:
            return settled.get(pointer, other)


@given(st.data(), conditions())
def test_facts_of_the_wrong_type_are_unknown_and_never_an_error(data: st.DataObject, condition: Condition) -> None:
    odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({"a": 1}) | st.just([1])
    facts = Facts({asked: data.draw(odd) for asked in asked_by([condition])}, NOW)
    compiled = Compiled(condition, FIELDS, FactsSource(FIELDS))
    assert compiled.truth(facts) is compiled.explain(facts).truth


_names = st.sampled_from([field.name for field in FIELDS]) | st.text(max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["all", "any", "not", "field", "op", "value", "args", "minor", "currency", "seconds", "at", "clock"]
            )
            | st.text(max_size=3),
            inner | _names | st.sampled_from([op.value for op in Op]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_json)
def test_hostile_json_is_a_condition_or_the_condition_error(document: Any) -> None:
    _is_refused_well_or_makes_sense(document)


_words = st.sampled_from(
    (
        *(field.name for field in FIELDS),
        *("and", "or", "not", "(", ")", ",", "=", "!=", "<", ">=", "in", "has", "any", "is known", "within"),
        *("older than", "3", "-1.5e9", "7d", "50.00 EUR", "1.234 JPY", '"x"', '"', "\\", "true", "2026-11-21"),
        *("2026-99-99T99:99Z", "25:00", "9" * 50, "1" * 38 + "d", '"\\ud800"', '"\x00"', "é", "🛒"),
    )
)


@given(st.lists(_words | st.text(max_size=3), max_size=12).map(" ".join))
def test_hostile_text_is_a_condition_or_the_condition_error(text: str) -> None:
    _is_refused_well_or_makes_sense(text)


def _is_refused_well_or_makes_sense(written: Any) -> None:
    try:
        condition = understand(written, FIELDS)
    except ConditionInvalid as invalid:
        assert invalid.faults
        for fault in invalid.faults:
            assert fault.problem
            assert fault.fix
            assert fault.pointer == "" or fault.pointer.startswith("/")
            if isinstance(written, str):
                assert fault.start is not None
                assert fault.end is not None
                assert 0 <= fault.start <= fault.end <= len(written) + 1
            elif "belong" not in fault.problem and "missing" not in fault.problem:
                assert _exists(written, fault.pointer), fault
        return
    assert understand(to_words(condition), FIELDS) == condition
    assert explain(condition, FIELDS, Facts({}, NOW)).truth in (True, False, None)


def _exists(document: Any, pointer: str) -> bool:
    for step in pointer.split("/")[1:]:
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return False
    return True


@pytest.mark.parametrize("deep", [1_000, 100_000])
def test_deep_nesting_is_refused_before_anything_recurses(deep: int) -> None:
    document: Any = {"field": "visitor.known", "op": "known"}
    for _ in range(min(deep, 900)):
        document = {"not": document}
    for written in (document, "(" * deep, "not " * deep + "visitor.known is known", '"' * deep):
        with pytest.raises(ConditionInvalid):
            understand(written, FIELDS)


@given(conditions(), conditions())
def test_a_longer_condition_still_reads_in_the_same_order(one: Condition, other: Condition) -> None:
    both = All((one, other))
    assume(len(list(nodes_of(both))) < 60)
    assert understand(f"({to_words(one)}) and ({to_words(other)})", FIELDS) == both
    assert type_faults(both, FIELDS) == []
    assert isinstance(one, Check | All | AnyOf | Not)
