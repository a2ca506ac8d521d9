"""Decides which shares of reasons have changed: the last hours against the weeks before, over many cells at once. Pure.

Recent sessions count by their age, half as much every half-life; their number is Kish's effective one ("Survey
Sampling", 1965). Reasons come in bursts, so both numbers are divided by the overdispersion phi: Pearson's statistic
over its degrees of freedom, in blocks as long as the half-life (McCullagh and Nelder, "Generalized Linear Models",
1989). What was before predicts what is now as a beta-binomial; a share outside of that has a small p-value. Benjamini
and Hochberg's procedure (1995) bounds the false ones among all cells, and a change must stand at every look of some
hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, gammaln

from insights.reports.discoveries import adjusted

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

PRIOR: Final = 2.0
"""As many sessions are worth what all cells have in common."""
OWN_BLOCKS: Final = 28
"""From so many blocks on, a cell's own burstiness counts as much as that of all cells together."""
MOST_EFFECTIVE: Final = 400
"""No cell counts for more sessions: by then a change of a few points is certain, and the arithmetic stays small."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a change. Times are hours; ``rate`` is the share of false ones among those found.

    ``recent`` hours are compared with the ``baseline`` hours before them. A change must have stood at each of the
    looks of the last ``hold`` hours, rest on ``least_sessions`` recent and ``least_before`` earlier ones, and be of
    ``least_change`` (0..1).
    """

    half_life: float = 6.0
    recent: int = 30
    baseline: int = 14 * 24
    block: int = 6
    rate: float = 0.02
    hold: int = 3
    least_sessions: int = 30
    least_before: int = 100
    least_change: float = 0.10

    @property
    def hours(self) -> int:
        """Hours of counts that a look needs to see everything."""
        return self.recent + self.baseline + self.hold


USUAL: Final = Rules()


@dataclass(frozen=True, slots=True)
class Counts:
    """Sessions by cell and hour, and by cell, reason and hour; hours are whole, the oldest first, the last one ends
    now."""

    sessions: Floats
    named: Floats

    def until(self, hours_ago: int) -> Counts:
        """The same as it was some hours ago."""
        end = self.sessions.shape[1] - hours_ago
        return Counts(self.sessions[:, :end], self.named[:, :, :end])


@dataclass(frozen=True, slots=True)
class Look:
    """What one look sees; every array is cells by reasons. Shares are 0..1; ``before_n`` and ``now_n`` are effective
    numbers of sessions, already divided by ``phi``."""

    before: Floats
    now: Floats
    before_n: Floats
    now_n: Floats
    phi: Floats
    p_values: Floats
    stands_out: Mask


@dataclass(frozen=True, slots=True)
class Change:
    """The share of one reason in one cell is not what it was. ``began``: hours ago, by the likeliest hour.

    ``before_n``: effective sessions before, already divided by ``phi``.
    """

    cell: int
    reason: int
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    p_value: float
    began: int
    before_n: float
    phi: float

    @property
    def rises(self) -> bool:
        return self.after > self.before


def find_changes(counts: Counts, rules: Rules = USUAL) -> list[Change]:
    """The changes that stood at every look of the last ``rules.hold`` hours, the least likely by chance first."""
    newest = look(counts, rules)
    stands = newest.stands_out.copy()
    rises = newest.now > newest.before
    for hours_ago in range(1, rules.hold + 1):
        if not stands.any():
            return []
        earlier = look(counts.until(hours_ago), rules)
        stands &= earlier.stands_out & ((earlier.now > earlier.before) == rises)
    found = [describe(counts, newest, int(cell), int(reason), rules) for cell, reason in np.argwhere(stands)]
    return sorted(found, key=lambda change: change.p_value)


def look(counts: Counts, rules: Rules = USUAL) -> Look:
    """One look at the end of ``counts``, without the hold."""
    hours = counts.sessions.shape[1]
    recent = slice(max(0, hours - rules.recent), hours)
    before = slice(max(0, hours - rules.recent - rules.baseline), max(0, hours - rules.recent))
    now, effective, seen = _weighted(counts, recent, rules)
    sessions_before = counts.sessions[:, before].sum(axis=1)
    named_before = counts.named[:, :, before].sum(axis=2)
    phi = overdispersion(Counts(counts.sessions[:, before], counts.named[:, :, before]), rules.block)
    common = (named_before.sum(axis=0) + 0.5) / (sessions_before.sum() + 1.0)
    a = named_before / phi + PRIOR * common
    b = (sessions_before[:, None] - named_before) / phi + PRIOR * (1 - common)
    now_n = np.minimum(effective[:, None] / phi, MOST_EFFECTIVE)
    p_values = np.ones_like(now)
    enough = (seen >= rules.least_sessions) & (sessions_before >= rules.least_before)
    # A reason that a cell has never had is no question that was asked of it.
    asked = enough[:, None] & ((named_before > 0) | (now > 0))
    expected = a / (a + b)
    stands_out = np.zeros_like(now, dtype=bool)
    if asked.any():
        p_values[asked] = predictive_p(now[asked], now_n[asked], a[asked], b[asked])
        stands_out[asked] = np.array(adjusted(p_values[asked].tolist())) <= rules.rate
    stands_out &= np.abs(now - expected) >= rules.least_change
    return Look(expected, now, a + b, now_n, phi, p_values, stands_out)


def overdispersion(counts: Counts, block: int) -> Floats:
    """Cells by reasons: how many times the variance of their counts in blocks of hours is that of a fair draw, 1 or
    more. Few blocks of one cell say little, so its own value is drawn towards that of all cells together."""
    blocks = counts.sessions.shape[1] // block
    cells, reasons = counts.named.shape[:2]
    if blocks < 2:
        return np.ones((cells, reasons))
    used = blocks * block
    sessions = counts.sessions[:, -used:].reshape(cells, blocks, block).sum(axis=2)
    named = counts.named[:, :, -used:].reshape(cells, reasons, blocks, block).sum(axis=3)
    share = named.sum(axis=2) / np.maximum(sessions.sum(axis=1), 1.0)[:, None]
    expected = sessions[:, None, :] * share[:, :, None]
    squares = ((named - expected) ** 2).sum(axis=2) * blocks / (blocks - 1)
    variance = (expected * (1 - share[:, :, None])).sum(axis=2)
    together = squares.sum() / max(variance.sum(), 1e-9)
    own = np.where(variance > 1e-9, squares / np.maximum(variance, 1e-9), together)
    occupied = (sessions > 0).sum(axis=1)[:, None]
    mixed = (occupied * own + OWN_BLOCKS * together) / (occupied + OWN_BLOCKS)
    phi: Floats = np.maximum(mixed, 1.0)
    return phi


def predictive_p(share: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """Two-sided p-value of a share of ``n`` sessions under a beta-binomial with prior (a, b), mid-p; all shapes alike.

    ``n`` need not be whole: it is rounded down, and the tails are read between the whole counts on either side.
    """
    whole = np.maximum(1, np.floor(n))
    k = np.arange(int(whole.max()) + 1, dtype=float)
    w, aa, bb = whole[..., None], a[..., None], b[..., None]
    rest = np.maximum(w - k, 0.0)
    log_pmf = gammaln(w + 1) - gammaln(k + 1) - gammaln(rest + 1) + betaln(k + aa, rest + bb) - betaln(aa, bb)
    pmf = np.where(k <= w, np.exp(log_pmf), 0.0)
    below = np.cumsum(pmf, axis=-1) - 0.5 * pmf
    above = np.cumsum(pmf[..., ::-1], axis=-1)[..., ::-1] - 0.5 * pmf
    x = np.clip(share * whole, 0.0, whole)
    lower, upper = np.floor(x).astype(int), np.ceil(x).astype(int)
    part = x - lower

    def at(tail: Floats) -> Floats:
        first = np.take_along_axis(tail, lower[..., None], axis=-1)[..., 0]
        second = np.take_along_axis(tail, upper[..., None], axis=-1)[..., 0]
        read: Floats = (1 - part) * first + part * second
        return read

    both: Floats = np.minimum(1.0, 2 * np.minimum(at(below), at(above)))
    return both


def describe(counts: Counts, seen: Look, cell: int, reason: int, rules: Rules = USUAL) -> Change:
    """A change of one cell and reason with 95 % intervals: what is, over the hours since it likely began."""
    before, now = float(seen.before[cell, reason]), float(seen.now[cell, reason])
    began = change_point(counts.sessions[cell], counts.named[cell, reason], before, now, rules)
    sessions = float(counts.sessions[cell, -began:].sum())
    named = float(counts.named[cell, reason, -began:].sum())
    since = named / sessions if sessions else now
    phi = float(seen.phi[cell, reason])
    return Change(
        cell,
        reason,
        before,
        *interval(before, float(seen.before_n[cell, reason])),
        since,
        *interval(since, max(1.0, sessions / phi)),
        float(seen.p_values[cell, reason]),
        began,
        float(seen.before_n[cell, reason]),
        phi,
    )


def interval(share: float, n: float) -> tuple[float, float]:
    """Jeffreys' 95 % interval of a share of ``n`` effective sessions (Brown, Cai and DasGupta 2001)."""
    a, b = share * n + 0.5, (1 - share) * n + 0.5
    low, high = betaincinv(a, b, 0.025), betaincinv(a, b, 0.975)
    return min(share, float(low)), max(share, float(high))


def change_point(sessions: Floats, named: Floats, before: float, now: float, rules: Rules = USUAL) -> int:
    """How many hours ago the share most likely changed from ``before`` to what it is: 1 to twice ``rules.recent``.

    The hour with the greatest likelihood ratio of all hours after it (Page 1954). What the share changed to is not
    known either: it is taken from the hours found, twice.
    """
    was = min(0.99, max(0.01, before))
    count, hits = sessions[::-1][: 2 * rules.recent], named[::-1][: 2 * rules.recent]
    changed, began = now, 1
    for _ in range(3):
        changed = min(0.99, max(0.01, changed))
        gain = hits * np.log(changed / was) + (count - hits) * np.log((1 - changed) / (1 - was))
        began = int(np.argmax(np.cumsum(gain))) + 1
        changed = float(hits[:began].sum() / max(1.0, count[:began].sum()))
    return began


def is_back(before: float, before_n: float, counts: Counts, cell: int, reason: int, rules: Rules = USUAL) -> bool:
    """Whether a reason's share in a cell is again what it was before a change: at every look of the hold, a chance of
    more than one in twenty or a difference of less than half of what counts."""
    for hours_ago in range(rules.hold + 1):
        then = counts.until(hours_ago)
        one = Counts(then.sessions[cell : cell + 1], then.named[cell : cell + 1])
        hours = one.sessions.shape[1]
        now, effective, seen = _weighted(one, slice(max(0, hours - rules.recent), hours), rules)
        if seen[0] == 0:
            return False
        earlier = Counts(one.sessions[:, : -rules.recent], one.named[:, :, : -rules.recent])
        phi = float(overdispersion(earlier, rules.block)[0, reason])
        share, n = now[0, reason], min(effective[0] / phi, MOST_EFFECTIVE)
        a = before * before_n + 0.5
        b = (1 - before) * before_n + 0.5
        p_value = predictive_p(np.array([share]), np.array([n]), np.array([a]), np.array([b]))[0]
        if p_value <= 0.05 and abs(share - before) >= rules.least_change / 2:
            return False
    return True


def _weighted(counts: Counts, recent: slice, rules: Rules) -> tuple[Floats, Floats, Floats]:
    """Recent shares (cells by reasons), effective numbers of sessions, and plain ones."""
    sessions, named = counts.sessions[:, recent], counts.named[:, :, recent]
    ages = np.arange(sessions.shape[1])[::-1]
    weights = 0.5 ** (ages / rules.half_life)
    total = sessions @ weights
    squared = sessions @ weights**2
    shares = (named @ weights) / np.maximum(total, 1e-9)[:, None]
    effective = total**2 / np.maximum(squared, 1e-9)
    return shares, effective, sessions.sum(axis=1)
