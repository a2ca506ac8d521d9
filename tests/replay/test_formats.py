"""Rows become clicks; a row that cannot be read costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from insights.replay.formats import BrokenRow, Click, Format, read_clicks
from insights.vocabulary.ids import uuid7

REES46_HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"


def _read(tmp_path: Path, format: Format, content: str | bytes) -> tuple[list[Click], list[BrokenRow]]:
    file = tmp_path / "log"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = list(read_clicks(file, format))
    return [r for r in rows if isinstance(r, Click)], [r for r in rows if isinstance(r, BrokenRow)]


@pytest.mark.parametrize("header", ["", "SessionId\tItemId\tTime\n", "\ufeffSessionId\tItemId\tTime\r\n"])
def test_a_yoochoose_row_is_a_product_view_with_or_without_a_header(tmp_path: Path, header: str) -> None:
    clicks, broken = _read(tmp_path, Format.YOOCHOOSE, header + "3\t214716935\t1396437466.94\n")
    assert not broken
    assert [(c.session, c.visitor, c.at_ms, c.type, c.props) for c in clicks] == [
        ("3", "3", 1396437466940, "product_viewed", {"product_id": "214716935"})
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"3\t214716935", "has 2 tab-separated columns"),
        (b"3,214716935,1396437466.94", "has 1 tab-separated columns"),
        (b"\t214716935\t1396437466.94", "SessionId is empty"),
        (b"3\t\t1396437466.94", "ItemId is empty"),
        (b"3\t214716935\tnoon", "Time 'noon' is not a number"),
        (b"3\t214716935\tnan", "Time is not between"),
        (b"3\t214716935\tinf", "Time is not between"),
        (b"3\t214716935\t-1", "Time is not between"),
        (b"3\t214716935\t1396437466940", "Time is not between"),
        (b"3\t2147\xff6935\t1396437466.94", "is not UTF-8"),
    ],
)
def test_a_broken_row_is_named_by_its_line_and_the_others_are_kept(tmp_path: Path, row: bytes, problem: str) -> None:
    good = b"3\t214716935\t1396437466.94\n"
    clicks, broken = _read(tmp_path, Format.YOOCHOOSE, good + row + b"\n\n" + good)
    assert len(clicks) == 2
    assert [b.line for b in broken] == [2]
    assert broken[0].problem.startswith(problem)


def test_rees46_rows_keep_product_price_and_session(tmp_path: Path) -> None:
    rows = [
        REES46_HEADER,
        '2019-10-01 00:00:10 UTC,view,44,20,electronics.phone,"acme, inc",489.07,52,s-1',
        "2019-10-01 00:00:11 UTC,cart,44,20,,,489.07,52,s-1",
        "2019-10-01 00:00:12 UTC,remove_from_cart,44,20,,,489.07,52,s-1",
        "2019-10-01 00:00:13 UTC,purchase,44,20,,,489.07,52,s-1",
    ]
    clicks, broken = _read(tmp_path, Format.REES46, "\n".join(rows))
    assert not broken
    assert [c.type for c in clicks] == ["product_viewed", "cart_added", "cart_removed", "purchased"]
    assert {(c.visitor, c.session) for c in clicks} == {("52", "s-1")}
    assert clicks[0].at_ms == 1569888010000
    assert clicks[0].props == {
        "product_id": "44",
        "category": "electronics.phone",
        "brand": "acme, inc",
        "price_minor": 48907,
    }
    assert clicks[1].props["category"] == "20"
    assert clicks[3].props["value_minor"] == 48907
    assert clicks[3].props["order_id"]


def test_rees46_columns_are_found_by_the_header_in_any_order(tmp_path: Path) -> None:
    names = REES46_HEADER.split(",")[::-1]
    row = "s-1,52,9.99,acme,,20,44,view,2019-10-01 00:00:10 UTC"
    clicks, broken = _read(tmp_path, Format.REES46, ",".join(names) + "\n" + row + "\n")
    assert not broken
    assert clicks[0].props["price_minor"] == 999


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2019-10-01 00:00:10 UTC,stare,44,20,,,1,52,s-1", "event_type 'stare'"),
        ("yesterday,view,44,20,,,1,52,s-1", "event_time 'yesterday'"),
        ("2019-10-01 00:00:10 UTC,view,44,20,,,cheap,52,s-1", "price 'cheap'"),
        ("2019-10-01 00:00:10 UTC,view,44,20,,,nan,52,s-1", "price 'nan'"),
        ("2019-10-01 00:00:10 UTC,view,44,20,,,-3,52,s-1", "price '-3'"),
        ("2019-10-01 00:00:10 UTC,view,44,20,,,1e999999,52,s-1", "price '1e999999'"),
        ("2019-10-01 00:00:10 UTC,view,44,20,,,1,52,", "user_session is empty"),
        ("2019-10-01 00:00:10 UTC,view,44", "has 3 columns"),
        ('2019-10-01 00:00:10 UTC,view,"44', "is not CSV"),
    ],
)
def test_a_broken_rees46_row_says_what_is_wrong(tmp_path: Path, row: str, problem: str) -> None:
    clicks, broken = _read(tmp_path, Format.REES46, f"{REES46_HEADER}\n{row}\n")
    assert not clicks
    assert broken[0].line == 2
    assert broken[0].problem.startswith(problem)


def test_our_own_format_keeps_ids_times_and_order(tmp_path: Path) -> None:
    visitor, session, event = uuid4(), uuid7(1396437466940), uuid7(1396437466940)
    line = {
        "visitor": str(visitor),
        "session": str(session),
        "tab": "t1",
        "event": {
            "id": str(event),
            "seq": 7,
            "t": 1396437466940,
            "type": "clicked",
            "props": {"role": "b"},
            "url": "/a",
        },
    }
    clicks, broken = _read(tmp_path, Format.WHYLEFT, json.dumps(line) + "\nnot json\n{}\n")
    assert [b.line for b in broken] == [2, 3]
    (click,) = clicks
    assert (click.visitor, click.session, click.id, click.seq) == (visitor, session, event, 7)
    assert (click.tab, click.url, click.props) == ("t1", "/a", {"role": "b"})
