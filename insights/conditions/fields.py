"""The registry: every field that a condition may ask about, wherever conditions are used.

``session.…`` is the visit they are in, or their latest. ``visitor.…``, ``consent.…`` and ``intent.…`` are as of now.
``insight.…``, ``error.…`` and ``cart.…`` in a flow are those of the visit that started the run; in a segment they are
the latest.
"""

from __future__ import annotations

from typing import Final

from flows.conditions import Condition, Field, Fields, Param, Type, understand
from flows.delivery_facts import DELIVERY_FIELDS
from insights.conditions.event_fields import EVENT_FIELDS
from insights.conditions.places import IN_FLOW, IN_PAGE, PLACE_WORDS, STORED, Place
from insights.conditions.profile_fields import PROFILE_FIELDS
from insights.profiles.pages import PageKind
from insights.vocabulary.reasons import Kind, Reason

DEVICES: Final = ("phone", "tablet", "desktop")
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CHANNELS: Final = ("email", "sms", "push", "onsite")
SOURCES: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer")

_LIVE_FIELDS: Final = (
    Field("session.leaving", Type.BOOLEAN, "They are about to leave.", places=IN_PAGE),
    Field("session.stalled", Type.BOOLEAN, "They have a cart and stopped moving forward.", places=IN_PAGE),
    Field("session.in_trouble", Type.BOOLEAN, "Cart or checkout failed them twice just now.", places=IN_PAGE),
    Field("session.doubts_price", Type.BOOLEAN, "They hesitate over a price just now.", places=IN_PAGE),
    Field("session.asks_policy", Type.BOOLEAN, "They read about returns or delivery just now.", places=IN_PAGE),
    Field("session.shelf_elsewhere", Type.BOOLEAN, "There is an overview page to lead them back to.", places=IN_PAGE),
    Field("page.kind", Type.CHOICE, "The page they are on.", choices=tuple(PageKind), places=IN_PAGE),
    Field("page.path", Type.TEXT, "The path of the page they are on.", places=IN_PAGE),
)

_STORED_FIELDS: Final = (
    Field("visitor.tags", Type.SET, "Tags that you or a flow put on them."),
    Field(
        "visitor.segments",
        Type.SET,
        "Your segments that they are in now; in a live action those they were in when their last visit closed.",
    ),
    Field("visitor.identified", Type.BOOLEAN, "Your shop told who they are (a user id).", places=STORED),
    Field("visitor.has_phone", Type.BOOLEAN, "Their phone number is known.", places=STORED),
    Field("visitor.first_seen_at", Type.TIME, "Their first event.", places=STORED),
    Field("visitor.last_seen_at", Type.TIME, "Their latest event.", places=STORED),
    Field(
        "visitor.time_zone",
        Type.TEXT,
        "Their browser's time zone by today's name, such as Asia/Kolkata.",
        places=STORED,
    ),
    Field("visitor.local_time", Type.CLOCK, "The time of day where they are.", places=STORED),
    Field("visitor.local_weekday", Type.CHOICE, "The day of the week where they are.", choices=WEEKDAYS, places=STORED),
    Field("visitor.language", Type.TEXT, "Their browser's language, such as de-AT.", places=STORED),
    Field("visitor.country", Type.TEXT, "Their trait country, or address.country.", places=STORED),
    Field(
        "visitor.trait",
        Type.TEXT,
        "A trait that your shop gave them, as a text.",
        params=(Param("name", Type.TEXT),),
        places=STORED,
    ),
    Field(
        "visitor.trait_number",
        Type.NUMBER,
        "A trait that is a number.",
        params=(Param("name", Type.TEXT),),
        places=STORED,
    ),
    *(
        Field(f"consent.{channel}", Type.BOOLEAN, f"They may be written to by {channel}.", places=STORED)
        for channel in CHANNELS
    ),
    *(Field(f"session.{source}", Type.TEXT, "Where they came from.", places=STORED) for source in SOURCES),
    Field("session.device", Type.CHOICE, "By the width of their window.", choices=DEVICES, places=STORED),
    Field("session.landing_path", Type.TEXT, "The path of the first page.", places=STORED),
    Field("session.exit_path", Type.TEXT, "The path of the last page.", places=STORED),
    Field("session.started_at", Type.TIME, "When it began.", places=STORED),
    Field("insight.kind", Type.CHOICE, "What came of the visit.", choices=tuple(Kind), places=STORED),
    Field("insight.reason", Type.CHOICE, "Why.", choices=tuple(Reason), places=STORED),
    Field("insight.confidence", Type.NUMBER, "How sure that is.", least=0, most=1, places=STORED),
    Field("insight.visit_ended_at", Type.TIME, "When that visit ended.", places=STORED),
)

_FLOW_FIELDS: Final = (
    Field("error.fingerprint", Type.TEXT, "Which error hit them; the same for everybody it hits.", places=IN_FLOW),
    Field("error.kind", Type.CHOICE, "What failed.", choices=("request", "script"), places=IN_FLOW),
    Field("error.status", Type.INTEGER, "The status of the failed request; 0 for no answer.", places=IN_FLOW),
    Field("error.path", Type.TEXT, "The path of the failed request.", places=IN_FLOW),
    Field("error.message", Type.TEXT, "The message of the script error.", places=IN_FLOW),
    Field("error.count", Type.INTEGER, "How often it hit them in that visit.", least=0, places=IN_FLOW),
)

FIELDS: Final = Fields(
    (*PROFILE_FIELDS, *_LIVE_FIELDS, *_STORED_FIELDS, *_FLOW_FIELDS, *DELIVERY_FIELDS, *EVENT_FIELDS),
    PLACE_WORDS,
)


def condition(written: object, place: Place) -> Condition:
    """The condition that a text or a JSON form stands for, checked for where it is used. Raises ConditionInvalid."""
    return understand(written, FIELDS, place.value)
