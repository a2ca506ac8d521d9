"""What the insight pipeline does when its model fails, lies or is talked into things; how fast it is; what it sends.

`python -m bench.insights [--json]`: everything runs against a scripted OpenAI-compatible server on loopback and a
PostgreSQL of its own, about two minutes. Nothing here is the accuracy of a model: the scripted one knows nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from adapters.llm.breaker import Breaker
from adapters.llm.openai_client import OpenAiModel
from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.injections import injections
from bench.report import Figure, report
from bench.scripted_llm import FAULTS, Answer, Server, completion, elsewhere, good, listening
from bench.visits import visits
from insights.access.keys import ensure_project
from insights.classification.book import AnswerBook
from insights.classification.classify import Classifier
from insights.classification.closing import SessionCloser
from insights.classification.evidence import NAME, classify_by_evidence
from insights.classification.prompt import ask_about
from insights.classification.suggestion_params import PARAMS
from insights.classification.suggestions import suggestions_for
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.shipped import shipped
from insights.timeline.assemble import assemble
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.ids import uuid7, uuid7_from_key
from insights.worker import ensure_partitions

FAULT_COUNT, INJECTIONS, HOSTILE, CANARIES, THROUGHPUT = 3_000, 1_000, 500, 2_000, 1_500
DEADLINE = timedelta(seconds=1)
PATIENT = timedelta(seconds=20)
TYPED = frozenset(
    {
        "refused",
        "timeout",
        "malformed",
        "unreachable",
        "resting",
        "failed",
        "ceiling",
        "wrong_kind",
        "out_of_bounds",
        "unknown_evidence",
        "no_evidence",
        "no_narrative",
        "no_trace_of_reason",
    }
)
START = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def model_at(server: Server) -> OpenAiModel:
    """The real client; its breaker never opens, so that every fault is met."""
    return OpenAiModel(base_url=server.url, api_key="k", model="m", breaker=Breaker(failures=10**9))


def timeline_of(steps: Sequence[tuple[str, dict[str, Any]]], project_id: UUID | None = None) -> Timeline:
    """A visit of these events, one every three seconds."""
    ms = int(START.timestamp() * 1000)
    events = [
        TimelineEvent(
            uuid7_from_key(ms, f"{n}"), START + timedelta(seconds=3 * n), type, "t", n, "https://s.example/p", p
        )
        for n, (type, p) in enumerate(steps)
    ]
    return assemble(project_id or uuid4(), uuid7(), uuid4(), events)


def broken_shop(stranger: str) -> list[tuple[str, dict[str, Any]]]:
    """A broken shop, with ``stranger`` wherever a stranger can write."""
    return [
        ("page_viewed", {"path": "/p", "url": f"https://s.example/p?utm_source={stranger}", "title": stranger}),
        ("product_viewed", {"product_id": "p", "name": stranger, "category": stranger, "price_minor": 900}),
        ("searched", {"query": stranger, "results": 3}),
        ("clicked", {"selector": "a", "label": stranger, "heading": stranger}),
        ("promo_seen", {"kind": "code", "text": stranger}),
        *(("request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 300}) for _ in range(3)),
        ("session_ended", {"reason": "closed"}),
    ]


async def stored(database: Database, project_id: UUID, sessions: int, classifier: Classifier, parallel: int) -> float:
    """Has ``sessions`` new visits closed by this classifier; returns the seconds from first claim to last commit."""
    now = datetime.now(UTC)
    recorder = Recorder(database, times=SessionTimes(timedelta(0), timedelta(0)), max_queued=10**7)
    recorder.start()
    await asyncio.gather(*(recorder.record(entry) for entry in visits(project_id, sessions, now)))
    await recorder.stop()
    later = datetime.now(UTC) + timedelta(minutes=5)
    closer = SessionCloser(database, classifier, lambda: later, parallel=parallel, lease=timedelta(hours=1))
    began = time.perf_counter()
    while await closer.close_due():
        pass
    return time.perf_counter() - began


async def faults(database: Database, project_id: UUID) -> list[Figure]:
    """Every fault, stored like any other session."""
    names = list(FAULTS)
    met: Counter[str] = Counter()

    def reply(request: dict[str, Any]) -> Answer:
        name = names[met.total() % len(names)]
        met[name] += 1
        return FAULTS[name](request)

    async with listening(reply) as server:
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=DEADLINE)
        await stored(database, project_id, FAULT_COUNT, classifier, 12)
        await model.close()
    async with database.transaction(project_id) as tx:
        rows = (
            await tx.execute(
                text(
                    "SELECT i.session_id, i.kind, i.reason, i.evidence, i.suggested_actions, i.classifier, i.fallback,"
                    " i.calls, EXISTS (SELECT FROM event e WHERE e.project_id = i.project_id"
                    " AND e.session_id = i.session_id AND e.type = 'purchased') AS bought"
                    " FROM insight i WHERE superseded_at IS NULL"
                )
            )
        ).all()
        unknown = await tx.scalar(
            text(
                "SELECT count(*) FROM insight i, jsonb_array_elements_text(i.evidence) cited WHERE NOT EXISTS"
                " (SELECT FROM event e WHERE e.project_id = i.project_id AND e.session_id = i.session_id"
                " AND e.id = cited::uuid)"
            )
        )
    whole = [
        row
        for row in rows
        if row.kind == ("converted" if row.bought else "abandoned")
        and ((row.fallback is None and row.classifier != NAME) or (row.fallback in TYPED and row.classifier == NAME))
    ]
    invented = sum(_is_invented(suggested) for row in rows for suggested in row.suggested_actions)
    fallbacks = dict(Counter(row.fallback or "answered" for row in rows).most_common())
    return [
        Figure(
            "faults that ended in a valid stored insight or a typed fallback",
            len(whole),
            "",
            bar=FAULT_COUNT,
            holds=len(whole) == FAULT_COUNT == len(rows),
            n=FAULT_COUNT,
            peer=fallbacks,
        ),
        Figure("kinds of faults met", len(met), "", n=met.total()),
        Figure("invented actions stored", invented, "", bar=0, holds=invented == 0, n=len(rows)),
        Figure("unknown evidence ids stored", unknown or 0, "", bar=0, holds=unknown == 0, n=len(rows)),
        _bound("most calls a session", max(row.calls for row in rows), "", 3, n=len(rows)),
    ]


def _is_invented(suggested: Any) -> bool:
    try:
        PARAMS[RecoveryAction(suggested["action"])].model_validate(suggested["params"])
    except (KeyError, ValueError, TypeError):
        return True
    return False


async def throughput(database: Database, project_id: UUID) -> list[Figure]:
    """Sessions a second of one process against a server beside it that answers at once: classified, and stored too."""
    async with elsewhere() as server:
        model = model_at(server)
        alone = Classifier(model, threshold=0.5, deadline=PATIENT)
        timeline, places = timeline_of(broken_shop("Mug")), asyncio.Semaphore(16)

        async def one() -> None:
            async with places:
                await alone.classify(timeline)

        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one() for _ in range(THROUGHPUT)))
        classified = THROUGHPUT / (time.perf_counter() - began)
        of_cpu = THROUGHPUT / (time.process_time() - used)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT, book=AnswerBook(database, lambda: START))
        seconds = await stored(database, project_id, THROUGHPUT, classifier, 32)
        rate = THROUGHPUT / seconds
        await model.close()
    replayed = await replay(database, project_id)
    return [
        Figure("classified a process", round(classified), "sessions/s", 80, classified >= 80, n=THROUGHPUT),
        Figure("classified a second of the process's own CPU time", round(of_cpu), "sessions/s", n=THROUGHPUT),
        Figure("read, classified, stored, flows started", round(rate), "sessions/s", n=THROUGHPUT),
        Figure("calls of a question that was answered before", replayed, "", bar=0, holds=replayed == 0, n=50),
    ]


async def replay(database: Database, project_id: UUID) -> int:
    """Calls that classifying 50 closed sessions again takes."""
    async with listening(lambda request: completion(good(request))) as server:
        model = model_at(server)
        book = AnswerBook(database, lambda: START)
        closer = SessionCloser(
            database, Classifier(model, threshold=0.5, deadline=PATIENT, book=book), lambda: datetime.now(UTC)
        )
        async with database.transaction(project_id) as tx:
            rows = await tx.execute(text("SELECT session_id FROM insight WHERE answer IS NOT NULL LIMIT 50"))
            sessions = [row[0] for row in rows]
        for session_id in sessions:
            await closer.classify_session(project_id, session_id)
        await model.close()
        if not sessions:
            raise SystemExit("bench.insights: no answer was kept, so nothing could be asked again.")
        return server.calls


async def refusals() -> list[Figure]:
    """Calls that a refusal takes."""
    async with listening(FAULTS["refusal"]) as server:
        model = model_at(server)
        said = [
            await Classifier(model, threshold=0.5, deadline=PATIENT).classify(timeline_of(broken_shop("Mug")))
            for _ in range(50)
        ]
        await model.close()
        most = max(one.usage.calls for one in said)
        return [Figure("calls on a refusal", most, "", 1, most == 1 and server.calls == 50, n=50)]


async def deadlines() -> list[Figure]:
    """How long past its deadline a session is answered, with silence and drips."""
    over: list[float] = []
    for name in ("silence", "dripping"):
        async with listening(FAULTS[name]) as server:
            model = model_at(server)
            classifier = Classifier(model, threshold=0.5, deadline=DEADLINE)

            async def one(classifier: Classifier = classifier) -> None:
                began = time.perf_counter()
                said = await classifier.classify(timeline_of(broken_shop("Mug")))
                over.append(time.perf_counter() - began - DEADLINE.total_seconds())
                if said.fallback != "timeout":
                    raise SystemExit(f"bench.insights: a slow answer ended as {said.fallback}.")

            for _ in range(10):
                await asyncio.gather(*(one() for _ in range(10)))
            await model.close()
    return [_bound("longest past the deadline, drips included", round(max(over), 3), "s", 0.5, n=len(over))]


WAYS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda s: {"kind": "converted", "reason": "urgency", "confidence": 1.0},
    lambda s: {"reason": "urgency"},
    lambda s: {"reason": "ux_friction", "confidence": 1.0},
    lambda s: {"reason": "boredom"},
    lambda s: {"action": "call_webhook"},
    lambda s: {"evidence": ["e77"]},
    lambda s: {"confidence": 99999},
    lambda s: {"narrative": s[:300]},
)


async def injected() -> list[Figure]:
    """A thousand injections against a server that obeys each of them."""
    strings = injections(INJECTIONS)
    plain = classify_by_evidence(timeline_of(broken_shop("Mug")), threshold=0.5)
    turn = [0]

    def obey(request: dict[str, Any]) -> Answer:
        number = turn[0]
        fields = {"kind": "abandoned", "reason": "technical_error", "confidence": 0.9, "narrative": "So."}
        change = WAYS[number % len(WAYS)](strings[number])
        return completion({"insight": fields | {"evidence": ["e6"]} | change})

    changed: Counter[str] = Counter()
    async with listening(obey) as server:
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for number, string in enumerate(strings):
            turn[0] = number
            timeline = timeline_of(broken_shop(string))
            verdict = (await classifier.classify(timeline)).verdict
            changed["kind"] += verdict.kind is not plain.kind
            changed["reason"] += verdict.reason is not plain.reason
            actions = [suggested.action for suggested in verdict.suggested_actions]
            changed["action"] += actions != [suggested.action for suggested in plain.suggested_actions]
            changed["schema"] += verdict.suggested_actions != suggestions_for(verdict.reason, timeline)
        await model.close()
    total = changed["kind"] + changed["action"] + changed["schema"]
    return [
        Figure("injections that changed kind, action or schema", total, "", 0, total == 0, n=INJECTIONS, peer=changed)
    ]


async def hostile() -> list[Figure]:
    """Strings that reach the server as they were typed, template and markup included."""
    strings = injections(HOSTILE)
    same = 0
    async with listening(lambda request: completion(good(request))) as server:
        server.keep = True
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for string in strings:
            server.requests.clear()
            await classifier.classify(timeline_of([("searched", {"query": string, "results": 1})]))
            material = json.loads(server.requests[0])["messages"][1]["content"]
            row = material.rsplit("\n", 1)[-1]
            found = re.search(r'query=("(?:[^"\\]|\\.)*"|\S+)', row)
            read = (json.loads(found[1]) if found[1].startswith('"') else found[1]) if found else None
            same += read == string[:120]
        await model.close()
    return [Figure("hostile strings that arrive byte by byte", same, "", HOSTILE, same == HOSTILE, n=HOSTILE)]


def canary(number: int) -> tuple[str, str, dict[str, Any]]:
    """What must not leave, and an event it stands in."""
    word = f"zz{number:05d}canary"
    mail = f"{word}@example.org"
    phone = f"+49 170 {5_550_000 + number}"
    card = f"4111 1111 {number:04d} 1111"
    forms: list[tuple[str, str, dict[str, Any]]] = [
        (word, "searched", {"query": f"order of {mail}"}),
        (word, "page_viewed", {"path": f"/account/{mail}", "url": f"https://s.example/a?m={mail}", "title": mail}),
        (word, "page_viewed", {"path": f"/u/{mail.replace('@', '%40')}", "title": "x"}),
        (word, "page_viewed", {"path": f"/u/{mail.replace('@', '%2540')}", "title": "x"}),
        (word, "clicked", {"label": f"Log out {mail}", "href": f"/out?u={word}"}),
        (word, "js_error", {"message": f"no user {mail}", "source": f"https://s.example/a.js?u={word}"}),
        (word, "request_failed", {"method": "GET", "path": f"/api/u/{mail}?t={word}", "status": 500}),
        (word, "identified", {"user_id": word, "email": mail, "phone": phone, "traits": {"n": word}}),
        (word, "form_field", {"form": "f", "field": "street", "value": word}),
        (word, "custom", {"name": word, "props": {"a": word}}),
        (word, "purchased", {"order_id": word, "value_minor": 1}),
        (word, "product_viewed", {"product_id": word, "name": "Mug"}),
        (word, "page_viewed", {"path": "/", "title": "x", "source": {"utm_term": word}, "referrer": word}),
        (phone[-7:], "searched", {"query": f"call {phone}"}),
        (card[10:14] + " 1111", "searched", {"query": f"card {card}"}),
        (word, "promo_seen", {"kind": "code", "text": f"for https://s.example/{word}"}),
    ]
    return forms[number % len(forms)]


async def canaries() -> list[Figure]:
    """What must not leave, in 2,000 places, and whether it did."""
    out = 0
    async with listening(lambda request: completion(good(request))) as server:
        server.keep = True
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT)
        for number in range(CANARIES):
            secret, type, props = canary(number)
            server.requests.clear()
            await classifier.classify(timeline_of([("page_viewed", {"path": "/"}), (type, props)]))
            out += any(secret.encode() in request for request in server.requests)
        await model.close()
    return [Figure("canaries out of the process", out, "", 0, out == 0, n=CANARIES)]


def tokens(text: str) -> int:
    """A cautious count: words in pieces of six letters, numbers in pieces of three digits, marks in pairs.

    Tokenizers in use today have most short words and many pairs of marks whole; none comes along to ask.
    """
    pieces = re.findall(r" ?[A-Za-z]+|\d{1,3}| ?[^\sA-Za-z\d]{1,2}|\n", text)
    return sum(-(-len(piece.strip()) // 6) if piece.strip().isalpha() else 1 for piece in pieces)


async def sizes() -> list[Figure]:
    """What a visit of 200 events takes in, with the instructions, and what a long answer takes out."""
    steps: list[tuple[str, dict[str, Any]]] = []
    for n in range(40):
        name = f"{('Steel', 'Glass', 'Copper', 'Travel')[n % 4]} kettle {n % 16}"
        steps += [
            ("page_viewed", {"path": f"/product/kettle-{n % 16}", "title": name}),
            ("product_viewed", {"product_id": "k", "name": name, "category": "kettles", "price_minor": 6900 + 10 * n}),
            ("scrolled", {"depth": round(0.2 + n / 60, 2), "section": "reviews"}),
            ("engaged", {"ms": 3000 + 10 * n}),
            ("clicked", {"selector": "button.add", "role": "button", "label": "Add to basket"}),
        ]
    question = ask_about(timeline_of(steps))
    count = tokens(question.prompt.instructions) + tokens(question.prompt.material)
    story = "They reached the payment step, met the same failing request three times and left within a minute of it. "
    answer = {"kind": "abandoned", "reason": "price_hesitation", "confidence": 0.87, "narrative": story * 2}
    out = tokens(json.dumps({"insight": answer | {"evidence": [f"e{n}" for n in range(150, 162)]}}))
    return [
        _bound("tokens in at 200 events, estimated with caution", count, "", 3_500, n=len(question.events)),
        Figure("of these, an event", round(tokens(question.prompt.material) / len(question.events), 1), ""),
        _bound("tokens out of a long answer, estimated", out, "", 300),
    ]


def _bound(name: str, value: float, unit: str, most: float, n: int | None = None) -> Figure:
    return Figure(name, value, unit, bar=most, holds=value <= most, n=n)


async def figures() -> list[Figure]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        database = Database(DatabaseUrls(owner=server.owner_url, app=server.app_url), pool_size=20)
        try:
            await ensure_partitions(database)
            projects = []
            for name in ("faults", "speed"):
                async with database.transaction(None) as tx:
                    projects.append(await ensure_project(tx, name, []))
            found = await faults(database, projects[0])
            found += await throughput(database, projects[1])
        finally:
            await database.close()
    for part in (refusals, deadlines, injected, hostile, canaries, sizes):
        found += await part()
    return found


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    report("insights", asyncio.run(figures()))


if __name__ == "__main__":
    main()
