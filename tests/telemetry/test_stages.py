"""The times of stages, as Prometheus and a tracer get them."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from adapters.telemetry import tracing
from adapters.telemetry.stages import BOUNDS_NS, INGEST, Stages

MS = 1_000_000


def _registry(stages: Stages) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(stages)
    return registry


def test_each_stage_counts_the_time_between_its_marks() -> None:
    stages = Stages(("decode", "record"))
    for _ in range(3):
        stages.passed((100, 100 + 1 * MS, 100 + 5 * MS))
    read = _registry(stages).get_sample_value
    assert read("whyleft_stage_seconds_count", {"stage": "decode"}) == 3
    assert read("whyleft_stage_seconds_bucket", {"stage": "decode", "le": "0.001"}) == 3
    assert read("whyleft_stage_seconds_bucket", {"stage": "decode", "le": "0.0005"}) == 0
    assert read("whyleft_stage_seconds_bucket", {"stage": "record", "le": "0.003"}) == 0
    assert read("whyleft_stage_seconds_bucket", {"stage": "record", "le": "0.005"}) == 3
    assert read("whyleft_stage_seconds_sum", {"stage": "record"}) == 0.012


def test_a_stage_that_was_not_needed_is_not_counted() -> None:
    stages = Stages(INGEST)
    stages.passed((1, 2, 2, 2, 2, 3, 4))
    read = _registry(stages).get_sample_value
    counted = {name: read("whyleft_stage_seconds_count", {"stage": name}) for name in INGEST}
    assert counted == {"decode": 1, "profile": 0, "intent": 0, "rank": 0, "record": 1, "encode": 1}


def test_what_takes_longer_than_every_bound_is_counted_too() -> None:
    stages = Stages(("record",))
    stages.passed((0, 90_000 * MS))
    read = _registry(stages).get_sample_value
    assert read("whyleft_stage_seconds_bucket", {"stage": "record", "le": "1.0"}) == 0
    assert read("whyleft_stage_seconds_bucket", {"stage": "record", "le": "+Inf"}) == 1


def test_a_tenth_of_every_ceiling_is_a_bound() -> None:
    assert {ceiling * MS // 10 for ceiling in (10, 20, 30)} | {ceiling * MS for ceiling in (10, 20, 30)} <= set(
        BOUNDS_NS
    )


def test_with_a_tracer_a_request_is_a_span_with_one_child_a_stage() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stages = Stages(INGEST, tracer=provider.get_tracer("test"))
    stages.passed((0, MS, 2 * MS, 3 * MS, 3 * MS, 9 * MS, 10 * MS))
    *children, root = exporter.get_finished_spans()
    assert root.name == "POST /v1/events" and root.parent is None
    assert [child.name for child in children] == ["decode", "profile", "intent", "record", "encode"]
    assert {child.parent.span_id for child in children if child.parent} == {root.context.span_id}
    assert [child.end_time - child.start_time for child in children] == [MS, MS, MS, 6 * MS, MS]  # type: ignore[operator]
    assert root.end_time - root.start_time == 10 * MS  # type: ignore[operator]


def test_without_a_provider_there_is_no_tracer() -> None:
    assert tracing.tracer() is None
