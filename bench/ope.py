"""Our off-policy estimates beside those of Open Bandit Pipeline, on its sample of real decisions.

`python -m bench.ope [--json]`. Six logs of 10,000 fashion recommendations (two behaviour policies, three campaigns),
shown once with every estimate's interval and effective number of decisions: too few to rank learners by, and said so.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report import Figure, report
from insights.policies.evaluation import (
    ENOUGH,
    Estimate,
    Logged,
    doubly_robust,
    expected_of_others,
    ips,
    snipw,
)
from insights.policies.policy import Policy, Settings
from insights.policies.sums import Sums

Floats = NDArray[np.float64]
BAR = 1e-6


def pipeline() -> tuple[Any, Path]:
    """Open Bandit Pipeline's estimators and its sample.

    Its package wants torch, 2 GB, for learners that are not used here; the estimators name it only in types. So they
    are loaded without the package's own front door.
    """
    package = importlib.import_module("obp")
    assert package.__file__ is not None
    home = Path(package.__file__).parent
    if importlib.util.find_spec("torch") is None:
        stub = types.ModuleType("torch")
        stub.Tensor = type("Tensor", (), {})  # type: ignore[attr-defined]
        sys.modules["torch"] = stub
        door = types.ModuleType("obp.ope")
        door.__path__ = [str(home / "ope")]
        sys.modules["obp.ope"] = door
    return importlib.import_module("obp.ope.estimators"), home / "dataset" / "obd"


def logged(path: Path) -> tuple[Logged, int]:
    """One log, in the order in which it was written, and how many items there are to choose from."""
    table = pd.read_csv(path, index_col=0).sort_values("timestamp", kind="stable")
    who = pd.get_dummies(table[[f"user_feature_{n}" for n in range(4)]], dtype=float)
    rows = np.concatenate([np.ones((len(table), 1)), who.to_numpy()], axis=1)
    arms = table["item_id"].to_numpy(dtype=np.int64)
    items = int(arms.max()) + 1
    everything = np.ones((len(table), items), dtype=bool)
    return Logged(
        rows, arms, table["propensity_score"].to_numpy(), table["click"].to_numpy(dtype=float), everything
    ), items


def half(whole: Logged, *, second: bool) -> Logged:
    """The earlier or the later half of a log."""
    middle = len(whole.arms) // 2
    part = slice(middle, None) if second else slice(None, middle)
    return Logged(whole.rows[part], whole.arms[part], whole.chances[part], whole.rewards[part], whole.open[part])


def chances_of(learned_on: Logged, judged_on: Logged, items: int) -> Floats:
    """What a policy that learned from the earlier half gives each item in the later one."""
    sums = Sums.empty(items, learned_on.rows.shape[1])
    for row, arm, reward in zip(learned_on.rows, learned_on.arms, learned_on.rewards, strict=True):
        sums.add(int(arm), row, float(reward))
    policy = Policy.of(sums, Settings())
    every = list(range(items))
    return np.array([policy.probabilities(row, every) for row in judged_on.rows])


def theirs(obp: Any, log: Logged, chances: Floats, expected: Floats) -> dict[str, float]:
    """The same three estimates by Open Bandit Pipeline."""
    given = {
        "reward": log.rewards,
        "action": log.arms,
        "pscore": log.chances,
        "action_dist": chances[:, :, None],
        "position": np.zeros(len(log.arms), dtype=int),
        "estimated_rewards_by_reg_model": expected[:, :, None],
    }
    return {
        "ips": obp.InverseProbabilityWeighting().estimate_policy_value(**given),
        "snipw": obp.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given),
        "dr": obp.DoublyRobust().estimate_policy_value(**given),
    }


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    obp, data = pipeline()
    figures: list[Figure] = []
    apart = {"ips": 0.0, "snipw": 0.0, "dr": 0.0}
    ranked = 0
    for behaviour in ("random", "bts"):
        for campaign in ("all", "men", "women"):
            whole, items = logged(data / behaviour / campaign / f"{campaign}.csv")
            earlier, later = half(whole, second=False), half(whole, second=True)
            chances = chances_of(earlier, later, items)
            expected = expected_of_others(later, items)
            found: list[Estimate] = [
                doubly_robust(later, chances, expected),
                snipw(later, chances),
                ips(later, chances),
            ]
            other = theirs(obp, later, chances, expected)
            for one in found:
                apart[one.method] = max(apart[one.method], float(abs(one.value - other[one.method])))
                ranked += one.bears
            robust = found[0]
            peers = {
                "interval": f"{robust.low:.4f}–{robust.high:.4f}",
                "effective n": f"{robust.effective:,.0f} of {robust.n:,}",
                "earned": round(float(later.rewards.mean()), 4),
            }
            name = f"{behaviour}/{campaign}: doubly robust click rate"
            figures.append(Figure(name, round(robust.value, 4), "", n=robust.n, peer=peers))
    for method, difference in apart.items():
        figures.append(
            Figure(f"largest difference from obp, {method}", float(difference), "", BAR, bool(difference <= BAR), 6)
        )
    figures.append(
        Figure(f"estimates with {ENOUGH:,.0f} effective decisions or more", ranked, "of 18: the others rank nothing")
    )
    report("ope", figures)


if __name__ == "__main__":
    main()
