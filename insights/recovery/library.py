"""The messages that come along, read once a process, and the threads in which it is looked over what flows say."""

from __future__ import annotations

from functools import cache

from insights.recovery.message_render import MessageTemplates
from insights.recovery.rendering import Rendering
from insights.recovery.templates import Messages


@cache
def shipped() -> Messages:
    """The messages that come along."""
    return Messages(templates=looking().templates)


@cache
def looking() -> Rendering:
    """Threads for looking flows over, of each project one at a time: one of 300 KB takes most of a second, in which the
    event loop has everybody else's requests to answer."""
    return Rendering(MessageTemplates())
