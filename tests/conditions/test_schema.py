"""The JSON Schema of conditions, compiled by an independent engine and held against what is really read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from llguidance import LLMatcher, LLTokenizer

from flows.conditions import Condition, ConditionInvalid, json_schema, understand, write
from tests.conditions.registry import conditions

TOKENS = LLTokenizer("byte")
GRAMMAR = LLMatcher.grammar_from_json_schema(json.dumps(json_schema()))


def fits(document: Any) -> bool:
    text = json.dumps(document, ensure_ascii=False).encode()
    matcher = LLMatcher(TOKENS, GRAMMAR)
    return matcher.try_consume_tokens(list(text)) == len(text) and matcher.is_accepting()


@settings(max_examples=50)
@given(conditions())
def test_whatever_is_written_fits_the_schema(condition: Condition) -> None:
    document = write(condition)
    # The engine has no exponents in bounded numbers, which JSON has.
    assume(not re.search(r"\d[eE][-+]?\d", json.dumps(document)))
    assert fits(document)


CHECK = {"field": "cart.items", "op": "gt", "value": 1}


@pytest.mark.parametrize(
    "document",
    [
        {"field": "cart.items", "op": "gt"},
        {"field": "cart.items", "op": "like", "value": 1},
        {"field": "cart.items", "op": "known", "value": 1},
        {"field": "cart.items", "op": "in", "value": 1},
        {"field": "cart.items", "op": "eq", "value": [1]},
        {"field": "cart.items", "op": "eq", "value": {"minor": 1}},
        {"field": "cart.items", "op": "eq", "value": {"minor": 1, "currency": "euro"}},
        {"field": "cart.items", "op": "eq", "value": None},
        {"field": "Cart Items", "op": "known"},
        {"all": []},
        {"all": CHECK},
        {"not": [CHECK]},
        {**CHECK, "more": 1},
        [],
        "cart.items > 1",
    ],
)
def test_what_does_not_fit_is_not_read_either(document: Any) -> None:
    assert fits(CHECK)
    assert not fits(document)
    if not isinstance(document, str):
        with pytest.raises(ConditionInvalid):
            understand(document)
