"""Everything wrong with a condition, at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from flows.errors import Fault, FlowError


class ConditionInvalid(FlowError, ValueError):
    """The condition means nothing as it stands; ``faults`` lists everything wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(
            "; ".join(f"{fault.pointer or 'the condition'}: {fault.problem}: {fault.fix}" for fault in faults)
        )
        self.faults = faults


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A fix for a word nobody knows: the ones most like it, or all of them where they are few."""
    names = sorted(known)
    close = get_close_matches(word[:80], names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return "nothing can be used here"
    listed = ", ".join(names[:40])
    return f"use one of: {listed}{', …' if len(names) > 40 else ''}"
