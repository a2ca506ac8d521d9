"""Writes what subscribers get: mails that read well in any mail program, and the JSON that webhooks get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import select

from adapters.postgres.engine import Database
from flows.models import Suppression
from insights.models import Pattern, Project
from insights.patterns.digest import LENGTHS, Digest, read_digest
from insights.patterns.subscribers import UNSUBSCRIBED
from insights.patterns.tell import facts_of
from insights.patterns.words import headline, reason_words
from insights.recovery.money import money
from insights.recovery.plain import one_line, unlinked
from insights.recovery.unsubscribe import Claim, sign
from insights.vocabulary.reasons import Kind
from insights.vocabulary.shares import percent

MAILS: Final = Path(__file__).parent / "mails"


class Letters:
    """``public_url``: where people reach the viewer, without a slash at its end."""

    def __init__(self, database: Database, *, public_url: str, signing_secret: bytes) -> None:
        self._database = database
        self._url = public_url.rstrip("/")
        self._secret = signing_secret
        self._templates = _environment()

    async def about(
        self, project_id: UUID, about: str, subscription_id: UUID, channel: str, address: str
    ) -> Mapping[str, Any] | None:
        """The content for a channel, of ``pattern:ID``, ``daily:DAY`` or ``weekly:DAY``. None: it is not wanted."""
        what, _, which = about.partition(":")
        async with self._database.transaction(project_id) as tx:
            gone = await tx.scalar(
                select(Suppression.at).where(
                    Suppression.project_id == project_id,
                    Suppression.channel == UNSUBSCRIBED,
                    Suppression.recipient == address,
                )
            )
            if gone is not None:
                return None
            project = str(await tx.scalar(select(Project.name).where(Project.id == project_id)))
            if what == "pattern":
                row = await tx.scalar(
                    select(Pattern).where(Pattern.project_id == project_id, Pattern.id == UUID(which))
                )
                if row is None:
                    return None
                if channel == "webhook":
                    return {"type": "pattern.found", "project": project, "pattern": self.pattern_json(row)}
                subject, context = _headline(row), {"pattern": self._shown(row)}
            else:
                day = datetime.fromisoformat(which).replace(tzinfo=UTC)
                digest = await read_digest(tx, project_id, day, LENGTHS[what])
                if channel == "webhook":
                    return {"type": f"report.{what}", "project": project, **self._digest_json(digest)}
                subject, context = self._report(digest, what)
        claim = Claim(project_id, subscription_id, UNSUBSCRIBED, address)
        unsubscribe = f"{self._url}/v1/unsubscribe?token={sign(self._secret, claim)}"
        given = {"project": one_line(project, 100), "url": self._url, "unsubscribe": unsubscribe, **context}
        name = "pattern" if what == "pattern" else "report"
        return {
            "subject": subject,
            "text": self._templates.get_template(f"{name}.txt").render(given),
            "html": self._templates.get_template(f"{name}.html").render(given),
            "unsubscribe_url": unsubscribe,
        }

    def pattern_json(self, row: Pattern) -> dict[str, Any]:
        """A pattern as webhooks get it."""
        return {
            "id": str(row.id),
            "found_at": row.found_at.isoformat(),
            "began_at": row.began_at.isoformat(),
            "dimension": row.dimension,
            "name": row.name,
            "kind": row.kind,
            "reason": row.reason,
            "before": {"share": row.before, "low": row.before_low, "high": row.before_high},
            "after": {"share": row.after, "low": row.after_low, "high": row.after_high},
            "sessions": row.sessions,
            "narrative": row.narrative,
            "action": row.action,
            "params": row.params,
            "at_stake": row.at_stake,
            "session_ids": row.session_ids,
            "url": f"{self._url}/app/patterns/{row.id}",
        }

    def _shown(self, row: Pattern) -> dict[str, Any]:
        return {
            "headline": _headline(row),
            "narrative": unlinked(row.narrative, 2000),
            "before": row.before,
            "after": row.after,
            "low": row.after_low,
            "high": row.after_high,
            "sessions": row.sessions,
            "rises": row.after > row.before,
            "bad": (row.after > row.before) == (row.kind == Kind.ABANDONED.value),
            "at_stake": [money(minor, code) for code, minor in row.at_stake.items()],
            "url": f"{self._url}/app/patterns/{row.id}",
        }

    def _report(self, digest: Digest, what: str) -> tuple[str, dict[str, Any]]:
        last = digest.until - timedelta(seconds=1)
        time = f"{digest.since:%-d %b %Y}" if what == "daily" else f"{digest.since:%-d %b} to {last:%-d %b %Y}"
        subject = f"Why they left: {time}"
        lines = [
            {
                "words": reason_words(line.reason).capitalize(),
                "kind": line.kind.value,
                "reason": line.reason.value,
                "sessions": line.sessions,
                "share": line.share,
                "low": line.low,
                "high": line.high,
                "change": None if line.before is None else round(100 * line.share) - round(100 * line.before),
            }
            for line in digest.reasons
        ]
        return subject, {
            "what": what,
            "time": time,
            "digest": digest,
            "left": [line for line in lines if line["kind"] == Kind.ABANDONED.value][:6],
            "bought": [line for line in lines if line["kind"] == Kind.CONVERTED.value][:4],
            "at_stake": [money(minor, code) for code, minor in digest.at_stake.items()],
            "patterns": [self._shown(row) for row in digest.patterns],
        }

    def _digest_json(self, digest: Digest) -> dict[str, Any]:
        return {
            "since": digest.since.isoformat(),
            "until": digest.until.isoformat(),
            "sessions": digest.sessions,
            "sessions_before": digest.sessions_before,
            "bought": digest.bought,
            "bought_before": digest.bought_before,
            "at_stake": {code: minor for code, minor in digest.at_stake.items() if code is not None},
            "reasons": [
                {
                    "kind": line.kind,
                    "reason": line.reason,
                    "sessions": line.sessions,
                    "share": line.share,
                    "low": line.low,
                    "high": line.high,
                    "before": line.before,
                }
                for line in digest.reasons
            ],
            "patterns": [self.pattern_json(row) for row in digest.patterns],
        }


def _headline(row: Pattern) -> str:
    return unlinked(headline(facts_of(row)), 180)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(MAILS),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    made.filters["percent"] = percent
    return made
