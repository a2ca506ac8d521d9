"""Catalogue entries: a shop's own live actions as it writes them, checked whole, and made into offers.

All faults are found at once. An entry that could never be shown is a fault too: whoever wrote it waits for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

from flows.conditions import ConditionInvalid
from flows.errors import Fault
from insights.decisions.content import PLACEHOLDER, ShopFacts, Template
from insights.decisions.incentives import Incentive
from insights.decisions.offer import Face, LiveOffer
from insights.decisions.requirements import Requirement, requires
from insights.decisions.small_words import SmallWords, small_words
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

TEMPLATES: Final = get_args(Template)
LINKS: Final = ("@contact", "@policy", "@cart", "@shelf")
WORDS: Final = ("count", "category", "interest", "threshold", "missing", "code", "percent")
WITHOUT_CART: Final = frozenset({Stage.ANONYMOUS, Stage.BROWSER})
_LOCALE: Final = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_HREF: Final = re.compile(r"(/[^/\\].*|/|https://.+|mailto:.+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A live action as a shop wrote it. ``content``: locale → title, body, cta_label, cta_href, dismiss_label, thanks,
    and for a form consent_label; "default" stands for every locale that has no words of its own.

    ``when``: a condition, as text or JSON. ``group``: of the actions of a group one is shown a visit.
    """

    name: str
    action: LiveAction
    template: Template
    content: Mapping[str, Mapping[str, str]]
    stages: tuple[Stage, ...]
    when: str | Mapping[str, Any] | None = None
    priority: int = 50
    enabled: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    group: str = ""
    per_visitor_week: int | None = None
    incentive: Incentive | None = None
    id: UUID | None = field(default=None, compare=False)


def faults_of(entry: Entry, facts: ShopFacts, now: datetime) -> list[Fault]:
    """Everything that is wrong with an entry, each with the place and what to do."""
    faults = [*_content_faults(entry), *_schedule_faults(entry, now)]
    if not entry.stages:
        faults.append(Fault("/stages", "without a stage it is never shown", "name one or more stages"))
    if len(set(entry.stages)) != len(entry.stages):
        faults.append(Fault("/stages", "a stage is named twice", "name each stage once"))
    if entry.action is LiveAction.DO_NOTHING:
        faults.append(Fault("/action", "doing nothing needs no entry: it is always a choice", "choose another action"))
    if entry.when is not None:
        try:
            requires(entry.when, "")
        except ConditionInvalid as error:
            faults += [Fault(f"/when{fault.pointer}", fault.problem, fault.fix) for fault in error.faults]
    if entry.incentive is not None:
        faults += [*_incentive_faults(entry.incentive, facts), *_unseen_code_faults(entry, entry.incentive)]
    elif entry.action is LiveAction.DISCOUNT_POPUP:
        faults.append(
            Fault("/incentive", "a discount without an incentive gives nothing", "say how many percent it gives")
        )
    elif any("{code}" in text or "{percent}" in text for words in entry.content.values() for text in words.values()):
        faults.append(
            Fault("/content", "the words promise a code and nothing is given", "say how many percent it gives")
        )
    return faults


def offer_of(entry: Entry) -> LiveOffer:
    """The offer that an entry makes. Raises ConditionInvalid; entries are checked before they are stored."""
    requirements: tuple[Requirement, ...] = ()
    if entry.when is not None:
        requirements = (requires(entry.when, f"the condition of {entry.name!r} does not hold"),)
    contents = {locale: _drawn(words, small_words(locale)) for locale, words in entry.content.items()}
    default = contents.get("default") or next(iter(contents.values()))
    link = next((words.get("cta_href", "") for words in entry.content.values()), "")
    return LiveOffer(
        action=entry.action,
        stages=frozenset(entry.stages),
        requirements=requirements,
        faces=(Face(entry.template, default, locales=contents),),
        priority=entry.priority,
        because=lambda moment: f"The shop's own action {entry.name!r} fits.",
        needs_link=link if link in LINKS else "",
        entry_id=entry.id,
        incentive=entry.incentive,
        starts_ms=_milliseconds(entry.starts_at),
        ends_ms=_milliseconds(entry.ends_at),
        group=entry.group,
        per_visitor_week=entry.per_visitor_week,
    )


def _drawn(words: Mapping[str, str], small: SmallWords) -> dict[str, Any]:
    content: dict[str, Any] = {"title": words.get("title", ""), "body": words.get("body", "")}
    label = words.get("cta_label", "")
    consent = words.get("consent_label", "")
    content["cta"] = {"label": label, "href": words.get("cta_href") or None} if label else None
    content["input"] = (
        {"kind": "email", "label": words.get("input_label", small.email), "consent_label": consent} if consent else None
    )
    content["dismiss_label"] = words.get("dismiss_label", small.close)
    if words.get("thanks"):
        content["thanks"] = words["thanks"]
    return content


def _content_faults(entry: Entry) -> list[Fault]:
    faults = []
    if entry.template not in TEMPLATES:
        faults.append(Fault("/template", "there is no such template", f"one of {', '.join(TEMPLATES)}"))
    if not entry.content:
        faults.append(Fault("/content", "there are no words to show", 'give at least content.default with a "title"'))
    if entry.content and "default" not in entry.content:
        faults.append(Fault("/content", "visitors of other locales would see nothing", "give content.default as well"))
    for locale, words in entry.content.items():
        at = f"/content/{locale}"
        if locale != "default" and not _LOCALE.fullmatch(locale):
            faults.append(Fault(at, "this is no locale", "write it as de or de-AT"))
        for name in ("title", "body"):
            if not words.get(name, "").strip():
                faults.append(Fault(f"{at}/{name}", "there is nothing to read", "write it"))
        href = words.get("cta_href", "")
        if href and href not in LINKS and not _HREF.fullmatch(href):
            faults.append(
                Fault(
                    f"{at}/cta_href", "this address is not safe to offer", f"a path, https://…, or {', '.join(LINKS)}"
                )
            )
        for name, text in words.items():
            for word in PLACEHOLDER.findall(text):
                if word not in WORDS:
                    faults.append(Fault(f"{at}/{name}", f"there is no {{{word}}}", f"one of {', '.join(WORDS)}"))
    return faults


def _schedule_faults(entry: Entry, now: datetime) -> list[Fault]:
    if entry.ends_at is None:
        return []
    if entry.starts_at is not None and entry.ends_at <= entry.starts_at:
        return [Fault("/ends_at", "it ends before it starts: it is never shown", "let it end later")]
    if entry.enabled and entry.ends_at <= now:
        return [Fault("/ends_at", "this is over: it is never shown", "let it end later, or leave that out")]
    return []


def _incentive_faults(incentive: Incentive, facts: ShopFacts) -> list[Fault]:
    at = "/incentive"
    if facts.margin_rate is None or not facts.currency:
        return [
            Fault(
                at,
                "without margin data nothing may be given away: it is never shown",
                "say first what margin the shop has, and in which currency",
            )
        ]
    faults = []
    # Rounded: 0.3 - 0.1 is less than 0.2 by a hair.
    rate = round(facts.margin_rate - incentive.percent / 100, 9)
    if rate < incentive.margin_floor or (rate <= 0 and incentive.cost_minor > 0):
        faults.append(
            Fault(
                f"{at}/percent",
                f"a margin of {facts.margin_rate * 100:.4g} % cannot bear {incentive.percent} % off and leave "
                f"{incentive.margin_floor * 100:.4g} %: it is never shown",
                "give less, or let less of the margin be left",
            )
        )
    if incentive.percent == 0 and incentive.cost_minor == 0:
        faults.append(Fault(at, "this gives nothing", "give percent or something that costs, or leave it out"))
    if incentive.budget_minor is not None and incentive.budget_minor < max(1, incentive.cost_minor):
        faults.append(Fault(f"{at}/budget_minor", "the budget does not pay for one: it is never shown", "raise it"))
    return faults


def _unseen_code_faults(entry: Entry, incentive: Incentive) -> list[Fault]:
    faults = []
    if entry.stages and set(entry.stages) <= WITHOUT_CART:
        at = "in these stages there is no cart that it could come off: it is never shown"
        faults.append(Fault("/stages", at, "add cart_adder, high_intent or customer"))
    for locale, words in entry.content.items():
        if incentive.percent and not any("{code}" in words.get(part, "") for part in ("title", "body")):
            faults.append(
                Fault(f"/content/{locale}/body", "nobody would read the code", "put {code} into title or body")
            )
    return faults


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
