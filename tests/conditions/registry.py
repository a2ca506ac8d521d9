"""A registry with a field of every type, and strategies for conditions over it that make sense."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from flows.conditions import All, AnyOf, Asked, Check, Condition, Field, Fields, Money, Not, Op, Param, Type
from flows.conditions.tree import LARGEST_NUMBER, WITH_LIST, WITHOUT_VALUE

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STAGES = ("browser", "buyer")

FIELDS = Fields(
    [
        Field("visitor.known", Type.BOOLEAN, ""),
        Field("cart.items", Type.INTEGER, "", least=0),
        Field("intent.propensity", Type.NUMBER, "", least=0, most=1),
        Field("cart.value", Type.MONEY, ""),
        Field("visitor.country", Type.TEXT, ""),
        Field("visitor.stage", Type.CHOICE, "", choices=STAGES),
        Field("visitor.tags", Type.SET, "", suggests=("vip",)),
        Field("visitor.seen_at", Type.TIME, ""),
        Field("session.engaged", Type.DURATION, ""),
        Field("visitor.clock", Type.CLOCK, ""),
        Field("live.leaving", Type.BOOLEAN, "", places=frozenset({"live"})),
        Field(
            "events.count",
            Type.INTEGER,
            "",
            params=(Param("type", Type.CHOICE, choices=("a", "b")), Param("window", Type.DURATION, optional=True)),
        ),
    ],
    {"live": "a live action", "flow": "a flow"},
)

texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"), min_size=1, max_size=20
).filter(lambda text: len(text) <= 200)
durations = st.integers(0, 3660 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
amounts = st.builds(Money, st.integers(-LARGEST_NUMBER, LARGEST_NUMBER), st.sampled_from(["EUR", "USD", "JPY", "KWD"]))


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """What a field may be compared with."""
    least = field.least if field.least is not None else -LARGEST_NUMBER
    most = field.most if field.most is not None else LARGEST_NUMBER
    match field.type:
        case Type.BOOLEAN:
            return st.booleans()
        case Type.INTEGER:
            return st.integers(int(least), int(most))
        case Type.NUMBER:
            return st.floats(least, most) | st.integers(int(least), int(most))
        case Type.MONEY:
            return amounts
        case Type.CHOICE:
            return st.sampled_from(field.choices)
        case Type.TIME:
            return times
        case Type.DURATION:
            return durations
        case Type.CLOCK:
            return clocks
        case _:
            return texts | st.sampled_from(["vip", "VIP", "straße"])


@st.composite
def checks(draw: st.DrawFn) -> Check:
    field = draw(st.sampled_from(list(FIELDS)))
    op = draw(st.sampled_from(field.operators))
    args: tuple[Any, ...] = ()
    if field.params:
        args = draw(st.tuples(st.sampled_from(["a", "b"])) | st.tuples(st.sampled_from(["a", "b"]), durations))
    value: Any = None
    if op in (Op.WITHIN, Op.OLDER_THAN):
        value = draw(durations)
    elif op in WITH_LIST:
        value = tuple(draw(st.lists(values_of(field), min_size=1, max_size=4)))
    elif op not in WITHOUT_VALUE:
        value = draw(values_of(field))
    return Check(field.name, op, value, args)


def conditions() -> st.SearchStrategy[Condition]:
    def grow(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        parts = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.builds(All, parts) | st.builds(AnyOf, parts) | st.builds(Not, inner)

    return st.recursive(checks(), grow, max_leaves=12)


@st.composite
def known(draw: st.DrawFn, condition: Condition) -> dict[Asked, Any]:
    """Values for some of what a condition asks about, often near what it compares with."""
    from flows.conditions import checks_of

    values: dict[Asked, Any] = {}
    for _, check in checks_of(condition):
        field = FIELDS.get(check.field)
        assert field is not None
        near = check.value if isinstance(check.value, tuple) else (check.value,)
        if field.type is Type.SET:
            some = st.frozensets(texts | st.sampled_from([one for one in near if isinstance(one, str)] or ["vip"]))
        elif field.type is Type.TIME:
            some = st.builds(lambda age: NOW - age, durations) | times
        else:
            fitting = [one for one in near if one is not None]
            some = values_of(field) | st.sampled_from(fitting) if fitting else values_of(field)
        value = draw(st.none() | some)
        if value is not None:
            values[check.field, check.args] = value
    return values
