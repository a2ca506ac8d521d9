"""Exports are told apart by their lines; a line that cannot be read is named and costs only itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from insights.audit.exports import Format, Happening, Unread, detect, read
from insights.audit.lines import Lines
from insights.errors import Refused
from tests.audit.exports import START, own_lines, three_visits, written

REES46 = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
SEGMENT: dict[str, Any] = {
    "type": "track",
    "event": "Product Added",
    "anonymousId": "ann",
    "messageId": "m1",
    "timestamp": "2025-10-09T08:53:20Z",
    "properties": {"product_id": "shoe", "price": 50, "currency": "EUR", "url": "https://shop.example/shoe"},
}
GA4: dict[str, Any] = {
    "event_date": "20251009",
    "event_timestamp": str(START * 1000),
    "event_name": "add_to_cart",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": "1760000000"}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/shoe"}},
        {"key": "currency", "value": {"string_value": "EUR"}},
    ],
    "user_pseudo_id": "123.456",
    "items": [{"item_id": "shoe", "item_name": "Shoe", "item_category": "shoes", "price": 50.0, "quantity": "1"}],
}


def _read(path: Path) -> tuple[Format, list[Happening], list[Unread]]:
    format = detect(Lines([path]))
    found = list(read(Lines([path]), format))
    return format, [f for f in found if isinstance(f, Happening)], [f for f in found if isinstance(f, Unread)]


def test_our_own_events_are_read_one_a_line_or_a_batch_a_line(tmp_path: Path) -> None:
    lines = own_lines(three_visits())
    first = json.loads(lines[0])
    batch = {"visitor": first["visitor"], "session": first["session"], "events": [first["event"]]}
    format, alone, unread = _read(written(tmp_path, lines))
    assert (format, len(alone), unread) == (Format.WHYLEFT, len(lines), [])
    assert _read(written(tmp_path, [json.dumps(batch)]))[1] == alone[:1]


def test_a_cart_event_means_the_same_in_every_format(tmp_path: Path) -> None:
    rees46 = f"{REES46}\n2025-10-09 08:53:20 UTC,cart,shoe,20,shoes,,50.00,52,s-1"
    for content, format in ((json.dumps(SEGMENT), "segment"), (json.dumps(GA4), "ga4"), (rees46, "rees46")):
        found, happenings, unread = _read(written(tmp_path, [content]))
        assert found == format
        assert unread == []
        (only,) = happenings
        assert (only.type, only.at_ms, only.props["product_id"]) == ("cart_added", START, "shoe")
        assert only.props["price_minor"] == 5000


def test_a_purchase_of_ga4_carries_its_revenue_wherever_it_stands(tmp_path: Path) -> None:
    row = GA4 | {"event_name": "purchase", "ecommerce": {"transaction_id": "T1", "purchase_revenue": 50.0}}
    assert _read(written(tmp_path, [json.dumps(row)]))[1][0].props["value_minor"] == 5000


def test_a_compressed_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(own_lines(three_visits())).encode()))
    assert len(_read(path)[1]) == len(own_lines(three_visits()))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        (json.dumps(SEGMENT | {"timestamp": None}), "timestamp: is missing"),
        (json.dumps(SEGMENT | {"timestamp": "noon"}), "timestamp: must be an ISO 8601 time"),
        (json.dumps(SEGMENT | {"anonymousId": None}), "userId: is missing"),
        (json.dumps(SEGMENT | {"timestamp": "1970-01-01T00:00:00Z"}), "its time is not between"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, line: str, problem: str) -> None:
    _, happenings, unread = _read(written(tmp_path, [json.dumps(SEGMENT), line, json.dumps(SEGMENT)]))
    assert len(happenings) == 2
    assert [(u.line, u.problem.startswith(problem)) for u in unread] == [(2, True)]


def test_a_bad_event_of_a_batch_costs_only_itself(tmp_path: Path) -> None:
    first = json.loads(own_lines(three_visits())[0])
    bad = first["event"] | {"type": "cart_added", "props": {"product_id": [7]}}
    line = json.dumps({"visitor": first["visitor"], "session": first["session"], "events": [first["event"], bad]})
    _, happenings, unread = _read(written(tmp_path, [line]))
    assert len(happenings) == 1
    assert "product_id" in unread[0].problem


@pytest.mark.parametrize(
    ("odd", "problem"),
    [("\ud83d", "holds half of a character"), (10**30, "is too large a number"), (float("nan"), "not a finite number")],
)
def test_a_value_that_no_text_or_number_can_hold_costs_only_its_line(tmp_path: Path, odd: Any, problem: str) -> None:
    """Exports cut texts in the middle of an emoji, and write numbers that nobody can hold."""
    said = [
        SEGMENT | {"messageId": "m2", "anonymousId": odd},
        SEGMENT | {"messageId": "m3", "properties": {"product_id": "shoe", "colour": odd}},
    ]
    paid = [GA4 | {"user_pseudo_id": odd}, GA4 | {"items": [{"item_id": "shoe", "item_name": odd}]}]
    for good, bad in ((SEGMENT, said), (GA4, paid)):
        _, happenings, unread = _read(written(tmp_path, [json.dumps(one) for one in (good, *bad)]))
        assert len(happenings) == 1
        assert [problem in one.problem for one in unread] == [True, True]


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "unpack it"),
        (b"PAR1rest", "newline-delimited JSON"),
        (b'[{"type": "track"}]', "one object a line"),
        (b'{\n  "type": "track"\n}', "one object a line"),
        (b"# ----------\n# Pages\n", "BigQuery"),
        (b"hello\nworld\n", "in no format that can be read"),
        (b"\x1f\x8bnot really", "cannot be read"),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_what_to_do(tmp_path: Path, content: bytes, advice: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Refused, match=advice):
        detect(Lines([path]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nowhere\.jsonl cannot be read"):
        Lines([tmp_path / "nowhere.jsonl"])
