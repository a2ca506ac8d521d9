"""What a flow is: a trigger, steps that name what follows them, and bounds. ``validate`` finds everything wrong.

``triggers``, ``steps`` and ``settings`` are the parts, ``flow`` the whole.
"""

from flows.definition.flow import FlowDefinition, conditions_of, props_of, segments_of
from flows.definition.part import PLACE, VISITOR_ZONE, WEEKDAYS, WrittenCondition
from flows.definition.settings import Cap, FlowSettings, Goal, QuietHours, Success
from flows.definition.steps import (
    AnyStep,
    AwaitedEvent,
    Branch,
    Exit,
    LocalTime,
    Send,
    Share,
    Signal,
    Split,
    Step,
    Wait,
    ways_of,
)
from flows.definition.triggers import (
    ApiTrigger,
    CartRange,
    EventTrigger,
    InsightTrigger,
    PatternTrigger,
    Scalar,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
    TriggerRule,
)
from flows.definition.validate import ANY_WORDS, Vocabulary, validate

__all__ = [
    "ANY_WORDS",
    "PLACE",
    "VISITOR_ZONE",
    "WEEKDAYS",
    "AnyStep",
    "ApiTrigger",
    "AwaitedEvent",
    "Branch",
    "Cap",
    "CartRange",
    "EventTrigger",
    "Exit",
    "FlowDefinition",
    "FlowSettings",
    "Goal",
    "InsightTrigger",
    "LocalTime",
    "PatternTrigger",
    "QuietHours",
    "Scalar",
    "ScheduleTrigger",
    "SegmentTrigger",
    "Send",
    "Share",
    "Signal",
    "Split",
    "Step",
    "Success",
    "Trigger",
    "TriggerRule",
    "Vocabulary",
    "Wait",
    "WrittenCondition",
    "conditions_of",
    "props_of",
    "segments_of",
    "validate",
    "ways_of",
]
