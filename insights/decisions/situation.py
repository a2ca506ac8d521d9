"""The situation: a moment as the fixed row of numbers that a policy learns from."""

from __future__ import annotations

from typing import Final

import numpy as np

from insights.decisions.moment import Moment
from insights.intents.features import FEATURES, features
from insights.policies.sums import Floats
from insights.profiles.pages import PageKind
from insights.vocabulary.stages import Stage

_STAGES: Final = tuple(Stage)
_PAGES: Final = tuple(kind for kind in PageKind if kind is not PageKind.OTHER)
_MARKS: Final = ("leaving", "stalled", "trouble", "pricing", "policy")
_SCORES: Final = ("propensity", "bounce_risk", "price_sensitivity")

NAMES: Final = (
    "always",
    *FEATURES,
    *_SCORES,
    *(f"stage_{stage.value}" for stage in _STAGES[1:]),
    *(f"page_{kind.value}" for kind in _PAGES),
    *_MARKS,
)
"""Names of the row's numbers, in order. The first is always 1."""

VERSION: Final = 1
"""Goes up when a number changes its place or its meaning: what was learned from others cannot be added to it."""


def situation(moment: Moment) -> Floats:
    """The row (len(NAMES),) of a moment, each number finite and small.

    Raises nothing: features and scores are bounded where they are made.
    """
    intent = moment.intent
    row = [1.0, *features(moment.profile, moment.now_ms)]
    row += (intent.propensity, intent.bounce_risk, intent.price_sensitivity)
    row += [1.0 if moment.stage is stage else 0.0 for stage in _STAGES[1:]]
    row += [1.0 if moment.page is kind else 0.0 for kind in _PAGES]
    row += [
        1.0 if mark else 0.0 for mark in (moment.leaving, moment.stalled, moment.trouble, moment.pricing, moment.policy)
    ]
    return np.array(row)
