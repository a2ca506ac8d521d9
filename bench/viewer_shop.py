"""A month of a busy shop for `bench.viewer`: visits, insights, decisions, runs and messages, written with COPY."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from adapters.postgres.engine import conninfo
from insights.vocabulary.ids import uuid7
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS, Reason

A_VISIT, DAYS = 15, 30
PATHS = ["/", "/cart", "/checkout", "/returns", "/search", *(f"/product/{n}" for n in range(400))]
TYPES = ["scrolled", "engaged", "clicked", "hover_hesitation", "product_viewed", "request_failed", "engaged"]
NARRATIVE = (
    "They compared two sizes of the same kettle, opened the delivery page twice and came back to the cart. The price "
    "of shipping appeared at the last step; they stayed on it for half a minute and left without a word."
)
OPEN = timedelta(minutes=40)
BROKEN = timedelta(hours=24)
"""So long the checkout has been failing: a pattern to be found."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One of them. ``reason`` None: it is still open."""

    session: UUID
    visitor: UUID
    start: datetime
    paths: Sequence[str]
    bought: bool
    cart_minor: int
    reason: Reason | None

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=180)

    @property
    def closed_at(self) -> datetime:
        return self.end + timedelta(minutes=30)


def visits(count: int, now: datetime, rng: random.Random) -> Iterator[Visit]:
    """Oldest first; a visitor comes about three times."""
    visitors = [uuid4() for _ in range(max(1, count // 3))]
    for place in range(count):
        start = now - timedelta(days=DAYS) * (1 - place / count) - timedelta(minutes=5)
        paths = ["/", *rng.sample(PATHS, 3), "/cart"] if rng.random() < 0.3 else rng.sample(PATHS, 3)
        bought = rng.random() < 0.1
        reason = rng.choice(CONVERTED_REASONS if bought else ABANDONED_REASONS)
        if not bought and paths[-1] == "/cart" and start > now - BROKEN and rng.random() < 0.6:
            reason = Reason.TECHNICAL_ERROR
        cart = 0 if bought or rng.random() < 0.6 else rng.randrange(500, 20_000)
        session = uuid7(int(start.timestamp() * 1000))
        is_open = start > now - OPEN
        yield Visit(session, rng.choice(visitors), start, paths, bought, cart, None if is_open else reason)


def fill(url: str, project: UUID, flow: tuple[UUID, UUID], events: int) -> list[UUID]:
    """Writes it all; returns the sessions. ``flow``: what runs belong to, and its version."""
    rng, now = random.Random(7), datetime.now(UTC)  # noqa: S311 - a shop, not a secret
    made = list(visits(events // A_VISIT, now, rng))
    left = [one for one in made if one.reason is not None and not one.bought]
    runs = [(uuid4(), one) for one in left[::5]]
    with psycopg.connect(conninfo(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('whyleft.project_id', %s, true)", (str(project),))

        def copy(table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
            with cursor.copy(f"COPY {table} (project_id, {columns}) FROM STDIN") as sink:
                for row in rows:
                    sink.write_row((project, *row))

        copy("visitor", "id, first_seen_at, email, traits, consent", _visitors(made))
        copy(
            "session",
            "id, visitor_id, started_at, last_event_at, last_received_at, close_at, close_reason, closed_at,"
            " event_count, landing_path, exit_path, paths, shown, stage, purchased, cart_value_minor, currency, source,"
            " client, kind, reason",
            (_session(one, rng, shown=place % 4 == 0) for place, one in enumerate(made)),
        )
        # Each segment that was defined has everybody in it: more to count is nowhere.
        cursor.execute(
            "INSERT INTO segment_member (project_id, segment_id, visitor_id, since, matched, added)"
            " SELECT segment.project_id, segment.id, visitor.id, now(), true, false FROM segment, visitor"
            " WHERE segment.project_id = %s AND visitor.project_id = %s",
            (project, project),
        )
        copy(
            "insight",
            "id, session_id, visitor_id, kind, reason, confidence, narrative, evidence, suggested_actions, classifier,"
            " timeline_hash, outcome_hash, created_at",
            (
                (
                    uuid7(), one.session, one.visitor, _kind(one), str(one.reason), 0.7, NARRATIVE, "[]", "[]",
                    "evidence-1", "", "", one.closed_at,
                )
                for one in made if one.reason is not None
            ),
        )  # fmt: skip
        copy(
            "event",
            "session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props",
            (row for place, one in enumerate(made) for row in _events(one, rng, shown=place % 4 == 0)),
        )
        copy(
            "decision",
            "id, visitor_id, session_id, event_id, decided_at, policy, stage, intent, probabilities, excluded, action,"
            " why, latency_us",
            (
                (
                    uuid7(), one.visitor, one.session, uuid4(), one.start + timedelta(seconds=60), "rules-1",
                    "cart_adder", '{"propensity": 0.4, "bounce_risk": 0.2, "price_sensitivity": 0.6, "affinity": {}}',
                    '{"discount_popup": 0.6, "do_nothing": 0.4}', "{}",
                    "discount_popup" if place % 4 == 0 else "do_nothing", "price sensitivity is above 0.6", 300,
                )
                for place, one in enumerate(made)
            ),
        )  # fmt: skip
        copy(
            "flow_run",
            "id, flow_id, version_id, visitor_id, trigger_key, trigger_group, triggered_at, facts, exit_on_conversion,"
            " status, step, waiting, signalled, attempts, started_at, ended_at, end_reason",
            (
                (
                    run, *flow, one.visitor, f"insight:{one.session}", f"session:{one.session}", one.closed_at, "{}",
                    True, "dead" if place % 20 == 0 else "done", "mail", False, False, 5, one.closed_at,
                    one.closed_at + timedelta(minutes=1), "no such template" if place % 20 == 0 else "finished",
                )
                for place, (run, one) in enumerate(runs)
            ),
        )  # fmt: skip
        copy(
            "delivery",
            "id, run_id, step, action, visitor_id, channel, dedupe_key, content, status, attempts, created_at",
            (
                (
                    uuid4(), run, "mail", "send_email", one.visitor, "email", str(run), "{}",
                    "unknown" if place % 50 == 0 else "accepted", 1, one.closed_at,
                )
                for place, (run, one) in enumerate(runs)
            ),
        )  # fmt: skip
        copy(
            "audit_entry",
            "at, actor_kind, actor_name, subject, subject_id, change",
            ((one.start, "key", "bench", "flow", str(flow[0]), "changed") for one in made[::3]),
        )
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # as autovacuum leaves a database that has been used for a while
    return [one.session for one in made]


def _kind(visit: Visit) -> str:
    return "converted" if visit.bought else "abandoned"


def _visitors(made: Sequence[Visit]) -> Iterator[Sequence[Any]]:
    first: dict[UUID, datetime] = {}
    for one in made:
        first.setdefault(one.visitor, one.start)
    for place, (visitor, start) in enumerate(first.items()):
        yield visitor, start, f"v{place}@example.org" if place % 3 == 0 else None, "{}", "{}"


def _session(one: Visit, rng: random.Random, *, shown: bool) -> Sequence[Any]:
    source = json.dumps({"utm_source": rng.choice(["newsletter", "search", "social"])})
    client = json.dumps({"viewport": rng.choice(["1440x900", "390x844"]), "time_zone": "Europe/Vienna"})
    if one.reason is None:
        nothing_yet = (None, None, None, None, None, [], [], None, None, None, None, "{}", "{}", None, None)
        return one.session, one.visitor, one.start, one.end, one.end, one.closed_at, *nothing_yet
    return (
        one.session, one.visitor, one.start, one.end, one.end, None, "idle", one.closed_at, A_VISIT, one.paths[0],
        one.paths[-1], one.paths, ["discount_popup"] if shown else [],
        "cart_adder" if one.cart_minor else "browser", one.bought, one.cart_minor, "EUR",
        source, client, _kind(one), str(one.reason),
    )  # fmt: skip


def _events(one: Visit, rng: random.Random, *, shown: bool) -> Iterator[Sequence[Any]]:
    for seq in range(A_VISIT):
        at = one.start + timedelta(seconds=12 * seq)
        path = one.paths[min(len(one.paths) - 1, seq * len(one.paths) // A_VISIT)]
        kind = "page_viewed" if seq % 4 == 0 else "action_shown" if shown and seq == 7 else rng.choice(TYPES)
        props: dict[str, Any] = {"depth": 0.5, "ms": 900}
        if kind == "page_viewed":
            props = {"path": path}
        elif kind == "action_shown":
            props = {"action": "discount_popup"}
        url = f"https://shop.example{path}"
        yield one.session, uuid7(), one.visitor, "t", seq, at, at, kind, url, json.dumps(props)
