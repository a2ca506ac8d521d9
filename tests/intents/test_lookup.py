"""All tables at once add what each of them adds alone, and what they add together is shared out fairly."""

from __future__ import annotations

import numpy as np
import pytest

from insights.intents.additive import Additive, Table
from insights.intents.lookup import Lookup

ODD = Table((0, 1, 2), ((0.5, 1.5), (0.5,), (-1.0,)), tuple(float(v**2) for v in range(12)))
ROWS = ((0.0, 0.0, 0.0), (1.0, 0.0, -2.0), (2.0, 1.0, 0.0), (2.0, 1.0, -2.0), (0.5, 0.5, -1.0), (9.0, -9.0, 9.0))


def test_what_is_looked_up_is_what_each_table_says() -> None:
    rng = np.random.default_rng(1)
    random = tuple(
        Table((a, b), ((0.1, 0.7), (0.3,)), tuple(rng.normal(size=6))) for a, b in ((0, 1), (2, 0), (1, 2), (0, 2))
    )
    scores = [Additive(0.0, (), tables).from_zero() for tables in ((ODD,), (), random)]
    lookup = Lookup([score.tables for score in scores])
    for row in (*ROWS, *map(tuple, rng.normal(size=(50, 3)))):
        sums = [1.0, 2.0, 3.0]
        lookup.add_to(sums, row)
        expected = [score.log_odds(row) - score.bias for score in scores]
        assert sums == pytest.approx([1.0 + expected[0], 2.0, 3.0 + expected[2]])
        parts = lookup.parts(row)
        assert [sum(one.values()) for one in parts] == pytest.approx(expected)
        assert all(row[column] for one in parts for column in one)


def test_what_two_columns_add_together_is_halved_between_them() -> None:
    both = Table((0, 2), ((0.5,), (0.5,)), (0.0, 1.0, 3.0, 10.0))
    assert Lookup([[both]]).parts((1.0, 7.0, 1.0)) == [{0: pytest.approx((3 + 9) / 2), 2: pytest.approx((1 + 7) / 2)}]
    assert Lookup([[both]]).parts((1.0, 7.0, 0.0)) == [{0: pytest.approx(3.0)}]


def test_three_columns_share_by_every_order_in_which_they_come() -> None:
    (parts,) = Lookup([Additive(0.0, (), (ODD,)).from_zero().tables]).parts((1.0, 1.0, -2.0))

    def worth(a: bool, b: bool, c: bool) -> float:
        return ODD.at((float(a), float(b), -2.0 * c)) - ODD.at((0.0, 0.0, 0.0))

    first = worth(True, False, False) / 3 + worth(True, True, True) / 3 - worth(False, True, True) / 3
    second = (worth(True, True, False) - worth(False, True, False)) / 6
    third = (worth(True, False, True) - worth(False, False, True)) / 6
    assert parts[0] == pytest.approx(first + second + third)
