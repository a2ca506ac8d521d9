"""Background work, as Prometheus and a tracer get it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.exposition import generate_latest

from adapters.telemetry.meters import Meters


def test_a_piece_of_work_is_timed_and_becomes_a_span_within_its_own() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    meters = Meters(provider.get_tracer("test"))
    with meters.timed("close"), meters.timed("close.read"):
        pass
    inner, outer = spans.get_finished_spans()
    assert (inner.name, outer.name) == ("close.read", "close")
    assert inner.parent is not None and outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert meters.registry.get_sample_value("whyleft_work_seconds_count", {"work": "close.read"}) == 1


def test_without_a_tracer_work_is_timed_all_the_same_also_when_it_fails() -> None:
    meters = Meters()
    with pytest.raises(ZeroDivisionError), meters.timed("close"):
        raise ZeroDivisionError
    assert meters.registry.get_sample_value("whyleft_work_seconds_count", {"work": "close"}) == 1


def test_a_commit_is_counted_with_its_size() -> None:
    meters = Meters()
    meters.flushed(30, 0.004)
    read = meters.registry.get_sample_value
    assert read("whyleft_flush_events_bucket", {"le": "20.0"}) == 0
    assert read("whyleft_flush_events_bucket", {"le": "50.0"}) == 1
    assert read("whyleft_flush_seconds_bucket", {"le": "0.005"}) == 1


def test_what_only_grows_elsewhere_is_a_counter_and_what_comes_and_goes_a_gauge() -> None:
    meters, kept = Meters(), [3.0]
    meters.count("whyleft_kept", "What was kept so far.", lambda: kept[0])
    meters.watch("whyleft_waiting", "What waits now.", lambda: kept[0])
    kept[0] = 4.0
    read = generate_latest(meters.registry).decode().splitlines()
    assert {"# TYPE whyleft_kept_total counter", "whyleft_kept_total 4.0"} <= set(read)
    assert {"# TYPE whyleft_waiting gauge", "whyleft_waiting 4.0"} <= set(read)
