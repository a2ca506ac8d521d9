"""Takes out of the outcomes what was to be expected of people anyway, so that the rest tells more with fewer of them.

CUPED (Deng, Xu, Kohavi & Walker 2013): the part of an outcome that what was known before foretells is the same in both
groups on average, and is taken out. In the form of augmented terms, one a person, whose means are the groups' adjusted
means (Robins, Rotnitzky & Zhao 1994; the form that the confidence sequences of Waudby-Smith et al. are proved for).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from insights.lift.sample import Floats, Sample

PEOPLE_PER_NUMBER: Final = 20
"""With fewer people than this for each number known, nothing is taken out: chance would be mistaken for knowledge."""


@dataclass(frozen=True, slots=True)
class Terms:
    """``treated`` and ``held_out`` (n,): one term a person for each group's mean. ``explained``: the share of the
    outcome's variance that was taken out, 0..1."""

    treated: Floats
    held_out: Floats
    explained: float


def terms_of(sample: Sample) -> Terms:
    """The terms of a sample that has people in both groups."""
    assigned = sample.treated.astype(float)
    share = float(assigned.mean())
    if not 0 < share < 1:
        raise ValueError("both groups need at least one person")
    residual, foreseen, explained = _foreseen(sample)
    means = [float(residual[sample.treated].mean()), float(residual[~sample.treated].mean())]
    expected = [foreseen + mean for mean in means]
    treated = expected[0] + assigned / share * (sample.outcome - expected[0])
    held_out = expected[1] + (1 - assigned) / (1 - share) * (sample.outcome - expected[1])
    return Terms(treated, held_out, explained)


def _foreseen(sample: Sample) -> tuple[Floats, Floats, float]:
    """The outcome without what was foreseen, what was foreseen (its mean is zero), and how much that explains."""
    nothing = np.zeros(sample.people)
    known = sample.known - sample.known.mean(axis=0) if sample.people else sample.known
    scale = known.std(axis=0)
    known, scale = known[:, scale > 0], scale[scale > 0]
    if known.shape[1] == 0 or sample.people < PEOPLE_PER_NUMBER * known.shape[1]:
        return sample.outcome, nothing, 0.0
    # Within the groups: a treatment's own effect must not be taken for something known of the people.
    inside, outcome = known.copy(), sample.outcome.copy()
    for group in (sample.treated, ~sample.treated):
        inside[group] -= inside[group].mean(axis=0)
        outcome[group] -= outcome[group].mean()
    inside_scaled = inside / scale
    # The normal equations: of so few numbers they are exact enough, and of many people much faster. What repeats
    # another number gets no slope of its own.
    gram = inside_scaled.T @ inside_scaled
    slopes = np.linalg.lstsq(gram, inside_scaled.T @ outcome, rcond=1e-10)[0] / scale
    before = float((outcome**2).sum())
    explained = 1 - float(((outcome - inside @ slopes) ** 2).sum()) / before if before > 0 else 0.0
    foreseen: Floats = known @ slopes
    return sample.outcome - foreseen, foreseen, max(0.0, explained)
