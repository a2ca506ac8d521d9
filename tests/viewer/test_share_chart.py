"""Where the shares of a report are drawn: each at its height, or marked as what the scale does not reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from insights.patterns.history import Bucket
from insights.viewer.render import environment
from insights.viewer.share_chart import ROW, draw
from insights.viewer.wording import COLOURS
from insights.vocabulary.reasons import Reason

SINCE = datetime(2026, 11, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def bucket(hits: int, sessions: int) -> Bucket:
    return Bucket(sessions, {Reason.UX_FRICTION: hits, Reason.UNCLEAR: sessions - hits})


def test_a_share_above_the_scale_is_marked_and_all_others_stand_at_their_height() -> None:
    # The last day, a Sunday, had three visits, all with the reason that is rare otherwise.
    counted = [(6, 100), (9, 100), (8, 100), (3, 3)]
    chart = draw([bucket(*one) for one in counted], SINCE, DAY, [Reason.UX_FRICTION])
    assert chart is not None and chart.beyond
    [row] = chart.rows
    for (hits, sessions), (_, y, title, beyond) in zip(counted, row.dots, strict=True):
        drawn = (row.y - y) / ROW * chart.top
        assert f"{hits} of {sessions}" in title
        assert beyond or abs(drawn - hits / sessions) < 0.002
    assert [beyond for *_, beyond in row.dots] == [False, False, False, True]
    saved = environment().get_template("report.svg").render(chart=chart, colours=COLOURS, title="Reasons")
    assert saved.count("<circle") == 3
    assert "above the scale, 13 Nov: 100 %" in saved
    assert "▲" in saved


def test_where_the_scale_reaches_everything_nothing_is_marked() -> None:
    chart = draw([bucket(6, 100), bucket(9, 100)], SINCE, DAY, [Reason.UX_FRICTION, Reason.UNCLEAR])
    assert chart is not None
    assert not chart.beyond
