"""The form of a live action, to and from what the API takes: percent, whole money, a block of words a language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flows.conditions import to_words, understand
from insights.errors import Refused
from insights.viewer.action_preview import built_in
from insights.viewer.condition_form import written
from insights.viewer.typed_figures import amount, in_major, in_percent, share, whole
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

KINDS: Final = tuple(action.value for action in LiveAction if action is not LiveAction.DO_NOTHING)
WORDS: Final = {
    "title": "Headline",
    "body": "Text",
    "cta_label": "Button",
    "cta_href": "Where the button leads",
    "dismiss_label": "To close it",
    "consent_label": "Beside the box of whom you may write to",
    "input_label": "Over the field for the address",
    "thanks": "Once they left their address",
}
"""A part of an action's words → what stands over its field, in the order of the form."""

LABELS: Final = {
    "name": "Name",
    "template": "Looks like",
    "stages": "Who may see it",
    "when": "When",
    "priority": "Priority",
    "group": "Group",
    "per_visitor_week": "Most a visitor sees it a week",
    "starts_at": "From",
    "ends_at": "Until",
    "percent": "Percent off the cart",
    "cost": "What it costs you besides",
    "margin_floor": "Margin that must be left, in percent of the cart",
    "budget": "Most that is given away a day",
    "valid_days": "Days that a code is good for",
    "per_visitor": "Codes that one visitor ever gets",
    "per_email": "Codes that one mailbox ever gets",
    "per_device": "Codes a day for one device",
}
"""Field → what stands over it."""

_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_PLACE: Final = re.compile(r"language\.([0-9]{1,3})")
_INCENTIVE: Final = {"cost_minor": "cost", "budget_minor": "budget"}
_BEGIN: Final = {
    "chat_invite": "session.in_trouble = true",
    "short_form": "session.in_trouble = true",
    "cart_save": "cart.items > 0 and (session.leaving = true or session.stalled = true)",
    "trust_card": "session.asks_policy = true",
    "comparison_card": "session.compared_in_category >= 3",
    "free_shipping_banner": "cart.items > 0",
    "recommendation_carousel": "session.leaving = true",
    "identity_capture": "visitor.has_email = false",
    "discount_popup": "session.leaving = true and cart.items > 0",
}
"""Kind → a condition to begin with."""

_DISCOUNT: Final = {
    "title": "{percent} % off this cart",
    "body": "Your code: {code}",
    "cta_label": "To the cart",
    "cta_href": "@cart",
    "dismiss_label": "No, thanks",
}


def begun(kind: str) -> dict[str, str]:
    """Field → what stands in the form of a new action: the words and stages of the built-in one."""
    offer = built_in(kind)
    stages: tuple[Stage, ...] = (Stage.CART_ADDER, Stage.HIGH_INTENT)
    fields = {"action": kind, "when": _BEGIN[kind], "priority": "50", "template": "popup", "language.0": "default"}
    words: Mapping[str, str] = _DISCOUNT
    if offer is not None and offer.faces:
        stages, face = tuple(offer.stages), offer.faces[0]
        fields |= {"priority": str(offer.priority), "template": face.template}
        cta, asked = face.content.get("cta") or {}, face.content.get("input") or {}
        words = {
            "title": face.content["title"],
            "body": face.content["body"],
            "cta_label": cta.get("label", ""),
            "cta_href": cta.get("href") or "",
            "dismiss_label": face.content.get("dismiss_label", ""),
            "consent_label": asked.get("consent_label", ""),
            "input_label": asked.get("label", ""),
            "thanks": face.content.get("thanks", ""),
        }
    if kind == LiveAction.DISCOUNT_POPUP:
        fields |= {"percent": "10", "valid_days": "7", "per_visitor": "1", "per_device": "3"}
    return fields | {f"stage.{stage}": "1" for stage in stages} | {f"{name}.0": text for name, text in words.items()}


def shown(definition: Mapping[str, Any], currency: str | None) -> dict[str, str]:
    """Field → what stands in the form of a stored action."""
    plain = ("name", "action", "template", "priority", "group", "per_visitor_week")
    when = definition.get("when")
    fields = {"when": to_words(understand(when)) if isinstance(when, Mapping) else when or ""}
    fields |= {name: _text(definition.get(name)) for name in plain}
    fields |= {f"stage.{stage}": "1" for stage in definition["stages"]}
    fields |= {name: _at(definition.get(name)) for name in ("starts_at", "ends_at")}
    content = sorted(definition["content"].items(), key=lambda one: (one[0] != "default", one[0]))
    for place, (locale, words) in enumerate(content):
        fields |= {f"language.{place}": locale} | {f"{name}.{place}": words.get(name, "") for name in WORDS}
    if given := definition.get("incentive"):
        counts = ("percent", "valid_days", "per_visitor", "per_email", "per_device")
        fields |= {name: _text(given.get(name)) for name in counts}
        fields["margin_floor"] = in_percent(given.get("margin_floor"))
        fields["cost"] = in_major(given.get("cost_minor") or None, currency)
        fields["budget"] = in_major(given.get("budget_minor"), currency)
    return fields


def body_of(form: Mapping[str, str], currency: str | None, *, enabled: bool) -> dict[str, Any]:
    """What the API is told of a form. Raises Refused."""
    body: dict[str, Any] = {name: form.get(name, "").strip() for name in ("name", "action", "template", "group")}
    body["content"] = contents_of(form)
    body["stages"] = [stage.value for stage in Stage if form.get(f"stage.{stage}")]
    body["when"] = written(form.get("when", ""))
    priority = whole("priority", LABELS["priority"], form.get("priority", ""))
    body |= {"enabled": enabled, "priority": 50 if priority is None else priority}
    body["per_visitor_week"] = whole("per_visitor_week", LABELS["per_visitor_week"], form.get("per_visitor_week", ""))
    for name in ("starts_at", "ends_at"):
        at = form.get(name, "").strip()
        body[name] = f"{at}Z" if _AT.fullmatch(at) else at or None
    incentive: dict[str, Any] = {}
    for name in ("percent", "valid_days", "per_visitor", "per_email", "per_device"):
        incentive[name] = whole(name, LABELS[name], form.get(name, ""))
    incentive["margin_floor"] = share("margin_floor", LABELS["margin_floor"], form.get("margin_floor", ""))
    incentive["cost_minor"] = amount("cost", LABELS["cost"], form.get("cost", ""), currency)
    incentive["budget_minor"] = amount("budget", LABELS["budget"], form.get("budget", ""), currency)
    given = {name: value for name, value in incentive.items() if value is not None}
    # Without either it gives nothing: what else stands there bounds a gift that there is none of.
    body["incentive"] = given if given.get("percent") or given.get("cost_minor") else None
    return body


def places_of(form: Mapping[str, str]) -> list[int]:
    """The blocks of words that a form has, by their numbers."""
    return sorted(int(found[1]) for name in form if (found := _PLACE.fullmatch(name)))


def written_places(form: Mapping[str, str]) -> list[int]:
    """Those blocks that say anything."""
    return [
        place
        for place in places_of(form)
        if any(form.get(f"{name}.{place}", "").strip() for name in ("language", *WORDS))
    ]


def contents_of(form: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Locale → words. A language whose words were all taken out is left out. Raises Refused."""
    found: dict[str, dict[str, str]] = {}
    for place in places_of(form):
        locale = form[f"language.{place}"].strip()
        words = {name: text for name in WORDS if (text := form.get(f"{name}.{place}", "").strip())}
        if not words and locale != "default":
            continue
        field = f"language.{place}"
        if not locale:
            raise Refused("Language: say which one these words are in: de, or de-AT.", field=field)
        if locale in found:
            raise Refused(f"Language: there are two blocks of words in {locale[:20]}.", field=field)
        found[locale] = words
    return found


def called(pointer: str, typed: Mapping[str, str]) -> tuple[str, str]:
    """The form's field, and what stands over it, of what the API calls ``pointer``."""
    first, *rest = pointer.strip("/").split("/")
    if first == "content":
        locale = rest[0] if rest else "default"
        place = next((n for n in places_of(typed) if typed[f"language.{n}"].strip() == locale), 0)
        name = rest[1] if len(rest) > 1 else "language" if rest else "title"
        within = f" ({locale})" if locale != "default" else ""
        return f"{name}.{place}", (WORDS.get(name) or "Language") + within
    if first == "incentive":
        first = _INCENTIVE.get(rest[0], rest[0]) if rest else "percent"
    return first, LABELS.get(first, "")


def _at(written: str | None) -> str:
    """A stored moment in UTC, as a field for a date and a time has it."""
    if written is None:
        return ""
    at = datetime.fromisoformat(written).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}".removesuffix(":00")


def _text(value: object) -> str:
    return "" if value is None else str(value)
