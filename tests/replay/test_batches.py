"""The order, the batches and the ids of a replay: the same file always gives the same."""

from __future__ import annotations

from uuid import UUID

from insights.replay.batches import BATCH_EVENTS, BATCH_SPAN_MS, plan_replay
from insights.replay.formats import Click, Format
from insights.vocabulary.ids import is_uuid7, uuid7_ms

START = 1_396_437_466_940


def _click(session: str, after_ms: int, item: str = "1", visitor: str | None = None) -> Click:
    key = f"yoochoose:{session}:{item}:{after_ms}"
    props = {"product_id": item}
    return Click(visitor or session, session, START + after_ms, "product_viewed", props, key, 40)


def test_a_batch_leaves_when_all_of_it_has_happened_and_batches_follow_event_time() -> None:
    clicks = [_click("a", 0), _click("a", 9_000), _click("b", 1_000), _click("b", 2_000), _click("c", 5_000)]
    plan = plan_replay(clicks, Format.YOOCHOOSE)
    assert [batch.at_ms - START for batch in plan.batches] == [2_000, 5_000, 9_000]
    assert [len(batch.events) for batch in plan.batches] == [2, 1, 2]
    assert (plan.events, plan.sessions) == (5, 3)


def test_events_of_a_session_are_in_event_time_order_whatever_the_order_of_the_file() -> None:
    clicks = [_click("a", 3_000, "3"), _click("a", 1_000, "1"), _click("a", 2_000, "2")]
    (batch,) = plan_replay(clicks, Format.YOOCHOOSE).batches
    assert [event["props"]["product_id"] for event in batch.events] == ["1", "2", "3"]
    assert [event["seq"] for event in batch.events] == [0, 1, 2]


def test_equal_rows_are_one_event_and_clicks_of_one_moment_keep_the_order_of_the_file() -> None:
    clicks = [_click("a", 0, "z"), _click("a", 0, "b"), _click("a", 0, "z"), _click("a", 0, "a")]
    plan = plan_replay(clicks, Format.YOOCHOOSE)
    assert plan.events == 3
    assert [event["props"]["product_id"] for event in plan.batches[0].events] == ["z", "b", "a"]


def test_ids_are_the_same_in_every_run_and_carry_the_time_of_the_click() -> None:
    clicks = [_click("a", 0), _click("a", 1_000), _click("b", 5)]
    first, second = plan_replay(clicks, Format.YOOCHOOSE), plan_replay(clicks[::-1], Format.YOOCHOOSE)
    assert first == second
    ids = [UUID(event["id"]) for batch in first.batches for event in batch.events]
    assert len(set(ids)) == 3
    assert all(is_uuid7(each) for each in ids)
    by_session = {batch.session: batch for batch in first.batches}
    assert len(by_session) == 2
    assert {uuid7_ms(session) - START for session in by_session} == {0, 5}
    assert all(uuid7_ms(UUID(e["id"])) == e["t"] for b in first.batches for e in b.events)


def test_a_session_of_one_log_is_not_a_session_of_another_log() -> None:
    clicks = [_click("3", 0)]
    one, other = (plan_replay(clicks, format).batches[0] for format in (Format.YOOCHOOSE, Format.REES46))
    assert one.session != other.session
    assert one.visitor != other.visitor


def test_a_visitor_keeps_one_id_over_all_their_sessions() -> None:
    plan = plan_replay([_click("a", 0, visitor="v"), _click("b", 9_000, visitor="v")], Format.REES46)
    assert len({batch.visitor for batch in plan.batches}) == 1
    assert len({batch.session for batch in plan.batches}) == 2


def test_a_batch_is_cut_by_number_and_by_span_and_only_the_last_closes_its_session() -> None:
    many = [_click("a", n) for n in range(BATCH_EVENTS + 1)]
    late = _click("a", BATCH_EVENTS + BATCH_SPAN_MS + 1)
    plan = plan_replay([*many, late], Format.YOOCHOOSE)
    assert [len(batch.events) for batch in plan.batches] == [BATCH_EVENTS, 1, 1]
    assert [batch.closes for batch in plan.batches] == [False, False, True]
    seqs = [event["seq"] for batch in plan.batches for event in batch.events]
    assert seqs == list(range(BATCH_EVENTS + 2))


def test_large_events_are_spread_over_batches_the_api_can_take() -> None:
    large = [Click("a", "a", START + n, "custom", {"text": "x" * 30_000}, f"k{n}", 30_100) for n in range(BATCH_EVENTS)]
    plan = plan_replay(large, Format.WHYLEFT)
    assert sum(len(batch.events) for batch in plan.batches) == BATCH_EVENTS
    assert max(len(batch.events) for batch in plan.batches) * 30_100 < 1_000_000


def test_a_limit_takes_the_first_clicks_and_leaves_their_ids_alone() -> None:
    clicks = [_click("a", 0), _click("b", 1_000), _click("a", 2_000)]
    whole, part = plan_replay(clicks, Format.YOOCHOOSE), plan_replay(clicks, Format.YOOCHOOSE, limit=2)
    ids = {event["id"] for batch in whole.batches for event in batch.events}
    kept = {event["id"] for batch in part.batches for event in batch.events}
    assert part.events == 2
    assert kept < ids
    assert {b.session for b in part.batches} == {b.session for b in whole.batches}
