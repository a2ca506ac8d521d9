"""Every number that a process keeps of its own work. None of them names a project, a visitor or an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext

from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapters.telemetry.stages import INGEST, Stages

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Requests(Collector):
    """Requests to the events endpoint and what became of their events. Plain numbers: this is the hot path."""

    __slots__ = ("accepted", "answers", "duplicates", "rejected")

    def __init__(self) -> None:
        self.answers: dict[int, int] = {}
        self.accepted = 0
        self.duplicates = 0
        self.rejected = 0

    def answered(self, status: int) -> None:
        """Counts one response."""
        self.answers[status] = self.answers.get(status, 0) + 1

    def took(self, accepted: int, duplicates: int, rejected: int) -> None:
        """Counts the events of one request."""
        self.accepted += accepted
        self.duplicates += duplicates
        self.rejected += rejected

    def collect(self) -> Iterable[Metric]:
        """What Prometheus reads."""
        requests = CounterMetricFamily(
            "whyleft_event_requests", "Requests to the events endpoint by the status of the answer.", labels=["status"]
        )
        for status, count in sorted(self.answers.items()):
            requests.add_metric([str(status)], count)
        events = CounterMetricFamily("whyleft_events", "Events by what became of them.", labels=["outcome"])
        for outcome in ("accepted", "duplicates", "rejected"):
            events.add_metric([outcome.removesuffix("s")], getattr(self, outcome))
        return [requests, events]


class _Counted(Collector):
    """A count that something else keeps."""

    def __init__(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        self._name, self._sentence, self._read = name, sentence, read

    def collect(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._sentence, value=self._read())]


class Meters:
    """The numbers of one process, in a registry of their own."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self.tracer = tracer
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.stages = Stages(INGEST, tracer=tracer)
        self.requests = Requests()
        self.registry.register(self.stages)
        self.registry.register(self.requests)
        self.flush_events = Histogram(
            "whyleft_flush_events", "Events of one commit of the recorder.", buckets=SIZES, registry=self.registry
        )
        self.flush_seconds = Histogram(
            "whyleft_flush_seconds", "Time of one commit of the recorder.", buckets=SECONDS, registry=self.registry
        )
        self.sessions_closed = Counter("whyleft_sessions_closed", "Sessions closed.", registry=self.registry)
        self.insights = Counter(
            "whyleft_insights",
            "Insights written, by who named the reason; fallback says why the model did not.",
            ["classifier", "fallback"],
            registry=self.registry,
        )
        self.flow_sends = Counter(
            "whyleft_flow_sends",
            "Messages handed to a channel, by its answer.",
            ["channel", "result"],
            registry=self.registry,
        )
        self.leases_lost = Counter(
            "whyleft_leases_lost", "Work that another worker took over meanwhile.", ["work"], registry=self.registry
        )
        self.work_seconds = Histogram(
            "whyleft_work_seconds",
            "Time of one piece of background work, by what was done.",
            ["work"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lag_seconds = Gauge(
            "whyleft_work_lag_seconds",
            "How late the oldest work was when it was last taken; growing: more workers are needed.",
            ["work"],
            registry=self.registry,
        )

    @contextmanager
    def timed(self, work: str) -> Iterator[None]:
        """Counts how long the block takes as ``work``; with a tracer it is a span of that name, too."""
        span = nullcontext() if self.tracer is None else self.tracer.start_as_current_span(work)
        with span, self.work_seconds.labels(work).time():
            yield

    def flushed(self, events: int, seconds: float) -> None:
        """Counts one commit of the recorder."""
        self.flush_events.observe(events)
        self.flush_seconds.observe(seconds)

    def watch(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """Shows a number that something else keeps, read whenever somebody looks."""
        Gauge(name, sentence, registry=self.registry).set_function(read)

    def count(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """As ``watch``, of a count that only grows: Prometheus reads it as ``NAME_total``."""
        self.registry.register(_Counted(name, sentence, read))
