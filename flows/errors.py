"""What may go wrong in a flow. None of these knows HTTP."""

from __future__ import annotations

from dataclasses import dataclass


class FlowError(Exception):
    """Base of the errors of this package."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a definition: where (a JSON pointer), what, and how to mend it.

    ``start`` and ``end`` are the place in the text of a condition, in characters from 0, where it came as text.
    """

    pointer: str
    problem: str
    fix: str
    start: int | None = None
    end: int | None = None


class FlowInvalid(FlowError):
    """The definition cannot be published; ``faults`` lists everything wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.problem}" for fault in faults))
        self.faults = faults


class LeaseLost(FlowError):
    """Another worker owns this run by now: whatever was computed for it is thrown away."""
