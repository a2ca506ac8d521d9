"""Which one thing to do about a pattern, with typed parameters: a closed registry of actions for all visitors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from insights.reports.advice import ADVICE, AggregateAction
from insights.vocabulary.reasons import Kind, Reason


class Where(BaseModel):
    """Where an action applies: the cell, the reason, and the page on which most of these visits ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: str
    name: str = Field(max_length=500)
    reason: Reason
    sessions: int = Field(ge=0)
    page: str | None = Field(None, max_length=500)


class FixError(Where):
    """The error that most of the sessions share. ``hits``: how many of the sessions looked at met it."""

    fingerprint: str | None = None
    request: str | None = Field(None, max_length=300, description="Method, path and status of the failing request.")
    script: str | None = Field(None, max_length=300, description="Message of the failing script.")
    hits: int = Field(0, ge=0)


class SmoothThePage(Where):
    """The element at which most clicks went nowhere, or the field that most left, and in how many sessions."""

    element: str | None = Field(None, max_length=300)
    hits: int = Field(0, ge=0)


class ForProduct(Where):
    """The product that most of these sessions were about."""

    product: str | None = Field(None, max_length=200)


PARAMS: Final[Mapping[AggregateAction, type[Where]]] = dict.fromkeys(AggregateAction, Where) | {
    AggregateAction.FIX_ERROR: FixError,
    AggregateAction.SMOOTH_THE_PAGE: SmoothThePage,
    AggregateAction.COMPARE_VALUE: ForProduct,
    AggregateAction.SHOW_COMPARISON: ForProduct,
    AggregateAction.AMPLIFY_VALUE: ForProduct,
    AggregateAction.AMPLIFY_SOCIAL_PROOF: ForProduct,
    AggregateAction.AMPLIFY_URGENCY: ForProduct,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """One action, its parameters as JSON, and the sentence that says it."""

    action: AggregateAction
    params: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What the sessions behind a pattern have in common; None where nothing stands out."""

    page: str | None = None
    product: str | None = None
    element: str | None = None
    element_hits: int = 0
    error: Mapping[str, Any] | None = None
    error_hits: int = 0


def choices(kind: Kind, reason: Reason, *, rises: bool) -> tuple[AggregateAction, ...]:
    """The actions that fit, the usual one first. Fewer people leaving for a reason is nothing to mend."""
    action = ADVICE[reason][0]
    if kind is Kind.ABANDONED and not rises:
        return (AggregateAction.WATCH,)
    return (action,) if action is AggregateAction.WATCH else (action, AggregateAction.WATCH)


def advise(
    action: AggregateAction, reason: Reason, *, dimension: str, name: str, sessions: int, rises: bool, shared: Shared
) -> Advice:
    """The action with what is known of the sessions."""
    given: dict[str, Any] = {
        "dimension": dimension,
        "name": name[:500],
        "reason": reason,
        "sessions": sessions,
        "page": shared.page,
    }
    model = PARAMS[action]
    if model is FixError and shared.error is not None:
        error = shared.error
        given |= {"fingerprint": error.get("fingerprint"), "hits": shared.error_hits}
        if error.get("kind") == "request":
            given["request"] = f"{error.get('method')} {error.get('path')} {error.get('status') or 'no answer'}"[:300]
        else:
            given["script"] = str(error.get("message") or "")[:300] or None
    elif model is SmoothThePage:
        given |= {"element": shared.element, "hits": shared.element_hits}
    elif model is ForProduct:
        given["product"] = shared.product
    params = model.model_validate(given)
    return Advice(action, params.model_dump(mode="json"), _sentence(action, reason, params, rises))


def _sentence(action: AggregateAction, reason: Reason, params: Where, rises: bool) -> str:
    if action is AggregateAction.WATCH:
        if reason is Reason.UNCLEAR:
            return ADVICE[reason][1]
        return "Keep what you changed, and watch it." if not rises else "Watch it before you change anything."
    sentence = ADVICE[reason][1]
    if isinstance(params, FixError) and (params.request or params.script):
        what = params.request or params.script
        return f"{sentence} Most met: {what} ({params.hits} of the sessions looked at)."
    if isinstance(params, SmoothThePage) and params.element:
        return f"{sentence} Most often at {params.element} ({params.hits} of the sessions looked at)."
    return sentence
