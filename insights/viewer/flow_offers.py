"""What the builder offers where a step names something of the project: its messages, segments and channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from insights.recovery.channel_faults import WORDS
from insights.recovery.short import TEXTS
from insights.viewer.gate import Viewer
from insights.viewer.own_api import OwnApi
from insights.vocabulary.actions import RecoveryAction


async def offers_of(api: OwnApi, request: Request, viewer: Viewer) -> Mapping[str, Any]:
    """``segments``: names; ``messages`` and ``channels``: action → names. What the API does not tell is left out: its
    field is then one to write into."""
    offers: dict[str, Any] = {}
    segments = await api.ask(request, viewer, "GET", "/v1/segments")
    if segments.ok:
        offers["segments"] = sorted(segment["name"] for segment in segments.body["segments"])
    messages = await api.ask(request, viewer, "GET", "/v1/messages")
    if messages.ok:
        mails = {message["name"] for part in ("messages", "built_in") for message in messages.body[part]}
        short = sorted(TEXTS)
        offers["messages"] = {
            RecoveryAction.SEND_EMAIL: sorted(mails),
            RecoveryAction.SEND_SMS: short,
            RecoveryAction.SEND_PUSH: short,
        }
    channels = await api.ask(request, viewer, "GET", "/v1/channels")
    if channels.ok:
        offers["channels"] = {
            action: [channel["name"] for channel in channels.body["channels"] if channel["word"] in words]
            for action, words in WORDS.items()
        }
    return offers
