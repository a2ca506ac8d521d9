"""Made people whose answer to being spoken to is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from insights.lift.people import DEVICES, Known, Person
from insights.lift.report import Question
from insights.lift.sample import Sample

BEGAN = datetime(2026, 9, 1, tzinfo=UTC)


def sample(
    people: int, *, seed: int, rate: float = 0.05, held: float = 0.1, lift: float = 0.0, told: float = 0.5
) -> Sample:
    """``people`` of whom each buys at about ``rate``, the treated more by the share ``lift``; ``told``: how strongly
    what is known foretells it."""
    rng = np.random.default_rng(seed)
    treated = rng.random(people) >= held
    known = rng.normal(size=people)
    chance = rate * np.exp(told * known - told**2 / 2) * np.where(treated, 1 + lift, 1.0)
    bought = (rng.random(people) < np.clip(chance, 0, 1)).astype(float)
    return Sample(treated, bought, known[:, None])


def crowd(
    people: int,
    *,
    seed: int = 1,
    rate: float = 0.2,
    held: float = 0.2,
    lift: dict[str, float] | None = None,
    a_day: int = 200,
    margin: float = 1_000.0,
) -> list[Person]:
    """``people`` in the order of their moments; ``lift`` by the action that would be done."""
    rng = np.random.default_rng(seed)
    lift = lift or {"cart_save": 0.0}
    actions = sorted(lift)
    made = []
    for number in range(people):
        held_out = bool(rng.random() < held)
        action = actions[int(rng.integers(len(actions)))]
        bought = rng.random() < rate * (1.0 if held_out else 1 + lift[action])
        made.append(
            Person(
                at=BEGAN + timedelta(days=number / a_day),
                held_out=held_out,
                action=action,
                stage="cart_adder" if rng.random() < 0.5 else "high_intent",
                known=Known(
                    visits=int(rng.integers(3)),
                    orders=int(rng.random() < 0.2),
                    device=DEVICES[int(rng.integers(3))],
                    source="search" if rng.random() < 0.5 else "direct",
                ),
                orders=float(bought),
                margin=margin * float(rng.exponential()) if bought else 0.0,
            )
        )
    return made


def question(people: int, *, share: float = 0.2, a_day: int = 200, **more: object) -> Question:
    """A question asked when everybody's days are over."""
    end = BEGAN + timedelta(days=people / a_day)
    asked = {"since": BEGAN, "until": end, "now": end + timedelta(days=8), "horizon": timedelta(days=7), "share": share}
    return Question(**(asked | {"currency": "EUR"} | more))  # type: ignore[arg-type]
