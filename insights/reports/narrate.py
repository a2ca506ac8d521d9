"""Says a mix of reasons in one or two sentences, never surer than its numbers are."""

from __future__ import annotations

from insights.reports.mix import Mix
from insights.vocabulary.reasons import Kind
from insights.vocabulary.shares import percent


def mix_words(mix: Mix, kind: Kind) -> str:
    """The mix in words."""
    outcome = "bought" if kind is Kind.CONVERTED else "left without buying"
    if not mix.shares:
        return f"No session with an insight {outcome} here in this time."
    first = mix.shares[0]
    count = "the one session" if mix.n == 1 else f"{mix.n} sessions"
    said = (
        f"{first.reason.replace('_', ' ')} is named most: {percent(first.share)} "
        f"({percent(first.low)} to {percent(first.high)}) of {count} that {outcome}; newer ones count more."
    )
    if mix.leads:
        return said
    if len(mix.shares) == 1:
        return f"{said} Too few sessions to be sure."
    return f"{said} It is not surely ahead of {mix.shares[1].reason.replace('_', ' ')}."
