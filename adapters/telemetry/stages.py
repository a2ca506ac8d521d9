"""Keeps how long each stage of a request took: cheap enough for the hot path, readable by Prometheus and by a tracer.

marks = (t0, t1, t2, …)          # time.perf_counter_ns() at each border between two stages
stages.passed(marks)             # once a request
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from opentelemetry.trace import SpanKind, Tracer, set_span_in_context
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

INGEST: Final = ("decode", "profile", "intent", "rank", "record", "encode")
"""The stages of one request to the events endpoint, in order."""

BOUNDS_NS: Final = tuple(
    int(ms * 1_000_000)
    for ms in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 20, 30, 50, 100, 250, 1000)
)
"""Borders of the buckets. Each stage's ceiling (10, 20, 30 ms) and a tenth of it are among them."""


TOGETHER: Final = 64
"""Requests whose marks are counted together: in a row it takes half as long as between all that a request does."""


class Stages(Collector):
    """Histograms of the stages ``names``, in the order in which a request passes them. For one thread.

    With a ``tracer``, each request also becomes a span with one child a stage; without one, nothing is paid for it.
    """

    def __init__(self, names: Sequence[str], *, span: str = "POST /v1/events", tracer: Tracer | None = None) -> None:
        self._names = tuple(names)
        self._counts = [[0] * (len(BOUNDS_NS) + 1) for _ in self._names]
        self._sums = [0] * len(self._names)
        self._waiting: list[Sequence[int]] = []
        self._span = span
        self._tracer = tracer

    def passed(self, marks: Sequence[int]) -> None:
        """Counts one request. ``marks``: nanoseconds of ``time.perf_counter_ns`` at the start of the first stage and at
        the end of each; the same mark twice says that a stage was not needed."""
        self._waiting.append(marks)
        if len(self._waiting) == TOGETHER:
            self._count()
        if self._tracer is not None:
            self._trace(self._tracer, marks)

    def collect(self) -> Iterable[Metric]:
        """What Prometheus reads."""
        self._count()
        family = HistogramMetricFamily(
            "whyleft_stage_seconds", "Time that a stage of the events endpoint took.", labels=["stage"]
        )
        for name, counts, total in zip(self._names, self._counts, self._sums, strict=True):
            seen, buckets = 0, []
            for bound, count in zip((*BOUNDS_NS, None), counts, strict=True):
                seen += count
                buckets.append(("+Inf" if bound is None else repr(bound / 1e9), float(seen)))
            family.add_metric([name], buckets, total / 1e9)
        return [family]

    def _count(self) -> None:
        for marks in self._waiting:
            before = marks[0]
            for stage, mark in enumerate(marks[1:]):
                if took := mark - before:
                    self._counts[stage][bisect_left(BOUNDS_NS, took)] += 1
                    self._sums[stage] += took
                    before = mark
        self._waiting.clear()

    def _trace(self, tracer: Tracer, marks: Sequence[int]) -> None:
        # Written after the fact: the request itself only looks at a clock.
        wall = time.time_ns() - time.perf_counter_ns()
        root = tracer.start_span(self._span, kind=SpanKind.SERVER, start_time=marks[0] + wall)
        context = set_span_in_context(root)
        for name, began, ended in zip(self._names, marks, marks[1:], strict=False):
            if ended > began:
                tracer.start_span(name, context=context, start_time=began + wall).end(ended + wall)
        root.end(marks[-1] + wall)
