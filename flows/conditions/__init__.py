"""The condition language: small, typed, total. What is not known is unknown, and every answer can be explained.

``understand`` turns what somebody wrote (JSON or text) into a condition, ``write`` and ``to_words`` turn it back,
``Compiled`` evaluates it over any source of fields, ``explain`` once over gathered facts.
"""

from flows.conditions.document import write
from flows.conditions.evaluate import Compiled, Explanation, Known, Source, Truth, known_words
from flows.conditions.facts import Asked, Facts, FactsSource, asked_by, explain, of_type
from flows.conditions.faults import ConditionInvalid
from flows.conditions.fields import Field, Fields, Param, Type
from flows.conditions.schema import fields_document, json_schema
from flows.conditions.tree import All, AnyOf, Check, Condition, Money, Not, Op, Value, checks_of
from flows.conditions.typecheck import type_faults
from flows.conditions.understand import understand
from flows.conditions.words import to_words

__all__ = [
    "All",
    "AnyOf",
    "Asked",
    "Check",
    "Compiled",
    "Condition",
    "ConditionInvalid",
    "Explanation",
    "Facts",
    "FactsSource",
    "Field",
    "Fields",
    "Known",
    "Money",
    "Not",
    "Op",
    "Param",
    "Source",
    "Truth",
    "Type",
    "Value",
    "asked_by",
    "checks_of",
    "explain",
    "fields_document",
    "json_schema",
    "known_words",
    "of_type",
    "to_words",
    "type_faults",
    "understand",
    "write",
]
