"""The parameters of suggested actions: one type per action, so that a suggestion can be carried out as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from insights.vocabulary.actions import LiveAction, RecoveryAction

MOST_PRODUCTS: Final = 5

ProductId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Line = Annotated[str, StringConstraints(max_length=500)]
Products = Annotated[list[ProductId], Field(max_length=MOST_PRODUCTS)]
Message = Literal[
    "discount_24h", "saved_cart_help", "trust_answers", "value_comparison", "cart_reminder", "it_is_fixed"
]
Topic = Literal["returns", "payment", "delivery", "company", "privacy", "guarantee"]


class Params(BaseModel):
    """Base of all parameters: nothing beyond what is listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DoNothing(Params):
    """Nothing is done, and there is nothing to say about it."""


class SendEmail(Params):
    """Which message, about which products (the one seen last first), and what it answers."""

    message: Message
    products: Products = []
    topics: Annotated[list[Topic], Field(max_length=6)] = []
    discount_percent: Annotated[int, Field(ge=1, le=90)] | None = None
    discount_hours: Annotated[int, Field(ge=1, le=720)] | None = None
    after: Literal["ticket_fixed"] | None = None


class FailingRequest(Params):
    """A request without its query and ids; status 0: no answer."""

    method: Line
    path: Line
    status: int


class FailingScript(Params):
    """A script error without what differs from visitor to visitor."""

    message: Line
    source: Line | None = None
    line: int | None = None


class CreateTicket(Params):
    """What an engineer needs: the failing thing, its stack, how often it failed in this visit, where it was met."""

    fingerprint: Line | None = None
    priority: Literal["low", "normal", "high"]
    request: FailingRequest | None = None
    script: FailingScript | None = None
    element: Line | None = None
    field: Line | None = None
    stack: Annotated[list[Line], Field(max_length=12)] = []
    count: Annotated[int, Field(ge=1)]
    page: Line | None = None


class TriggerRetargeting(Params):
    """Show these products elsewhere."""

    products: Products


class Amplify(Params):
    """What worked and should be shown more: by which live action, for which products, on which page."""

    what: Literal["offer", "promo", "reviews", "short_path", "saved_cart", "recommendation"]
    live_action: LiveAction | None = None
    promo: Literal["countdown", "low_stock", "code", "free_shipping"] | None = None
    products: Products = []
    page: Line | None = None


class AddToSegment(Params):
    """Which segment the visitor belongs to, and what to amplify for people like them."""

    segment: Literal["value_buyers", "acts_on_urgency", "reads_reviews", "follows_recommendations", "quick_buyers"]
    amplify: Amplify


class TagCustomer(Params):
    """Which tag the customer gets, and what to amplify for people like them."""

    tag: Literal["returning"]
    amplify: Amplify


PARAMS: Final[Mapping[RecoveryAction, type[Params]]] = MappingProxyType(
    {
        RecoveryAction.DO_NOTHING: DoNothing,
        RecoveryAction.SEND_EMAIL: SendEmail,
        RecoveryAction.CREATE_TICKET: CreateTicket,
        RecoveryAction.TRIGGER_RETARGETING: TriggerRetargeting,
        RecoveryAction.ADD_TO_SEGMENT: AddToSegment,
        RecoveryAction.TAG_CUSTOMER: TagCustomer,
    }
)
"""The actions that are suggested, each with the type of its parameters."""
