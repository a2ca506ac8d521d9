"""A model that fails: every kind of fault, refusals, silence and drips; what is stored then, and how late."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import chain
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from adapters.postgres.engine import Database
from bench.insights.asked import DEADLINE, PATIENT, bound, broken_shop, model_at, timeline_of
from bench.insights.closing import stored
from bench.report import Figure
from bench.scripted_llm import FAULTS, Answer, listening
from insights.classification.classify import Classifier
from insights.classification.evidence import NAME
from insights.classification.suggestion_params import PARAMS
from insights.vocabulary.actions import RecoveryAction

TYPED: Final = frozenset(
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


async def faults(database: Database, project_id: UUID, count: int) -> list[Figure]:
    """``count`` visits that meet every fault in turn, stored like any other session."""
    names = list(FAULTS)
    met: Counter[str] = Counter()

    def reply(request: dict[str, Any]) -> Answer:
        name = names[met.total() % len(names)]
        met[name] += 1
        return FAULTS[name](request)

    async with listening(reply) as server:
        model = model_at(server)
        classifier = Classifier(model, threshold=0.5, deadline=DEADLINE)
        await stored(database, project_id, count, classifier, 12)
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
            bar=count,
            holds=len(whole) == count == len(rows),
            n=count,
            peer=fallbacks,
        ),
        Figure("kinds of faults met", len(met), "", n=met.total()),
        Figure("invented actions stored", invented, "", bar=0, holds=invented == 0, n=len(rows)),
        Figure("unknown evidence ids stored", unknown or 0, "", bar=0, holds=unknown == 0, n=len(rows)),
        bound("most calls a session", max(row.calls for row in rows), "", 3, n=len(rows)),
    ]


def _is_invented(suggested: Any) -> bool:
    try:
        PARAMS[RecoveryAction(suggested["action"])].model_validate(suggested["params"])
    except (KeyError, ValueError, TypeError):
        return True
    return False


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


async def deadlines(rounds: int) -> list[Figure]:
    """How long past its deadline a visit is answered, with silence and drips: ten of each at once, ``rounds`` times."""

    async def over(fault: str) -> list[float]:
        async with listening(FAULTS[fault]) as server:
            model = model_at(server)
            classifier = Classifier(model, threshold=0.5, deadline=DEADLINE)

            async def one() -> float:
                began = time.perf_counter()
                said = await classifier.classify(timeline_of(broken_shop("Mug")))
                took = time.perf_counter() - began
                if said.fallback != "timeout":
                    raise SystemExit(f"bench.insights: a slow answer ended as {said.fallback}.")
                return took - DEADLINE.total_seconds()

            late = [one_late for _ in range(rounds) for one_late in await asyncio.gather(*(one() for _ in range(10)))]
            await model.close()
            return late

    late = [*chain(*await asyncio.gather(over("silence"), over("dripping")))]
    return [bound("longest past the deadline, drips included", round(max(late), 3), "s", 0.5, n=len(late))]
