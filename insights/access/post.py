"""Writes the mails of members: an invitation, a link to set a new password. Sent behind the request's back."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

import structlog

from adapters.channels.contract import Accepted, Channel, SendIntent

log = structlog.get_logger()

INVITATION: Final = (
    "{who} invites you to look at “{project}” in Whyleft.\n\nOpen this link within a week; it works once:\n{link}\n"
)
RESET: Final = (
    "Somebody, probably you, asked for a new password for Whyleft.\n\nOpen this link within an hour; it works once:\n"
    "{link}\n\nIf it was not you, do nothing: your password is as it was.\n"
)


class Post:
    """Sends them through the server's own mail relay; without one it only makes links. ``viewer_url``: …/app."""

    def __init__(self, channel: Channel | None, viewer_url: str) -> None:
        self._channel = channel
        self._viewer_url = viewer_url.rstrip("/")
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def can_send(self) -> bool:
        """Whether there is a mail relay."""
        return self._channel is not None

    def invitation_link(self, token: str) -> str:
        """Where an invitation is accepted."""
        return f"{self._viewer_url}/invitation?link={token}"

    def reset_link(self, token: str) -> str:
        """Where a new password is set."""
        return f"{self._viewer_url}/password?link={token}"

    def invite(self, email: str, who: str, project: str, token: str) -> None:
        """Mails an invitation."""
        text = INVITATION.format(who=who, project=project, link=self.invitation_link(token))
        self._send(email, f"{who} invites you to Whyleft", text)

    def reset(self, email: str, token: str) -> None:
        """Mails a link to set a new password."""
        self._send(email, "A new password for Whyleft", RESET.format(link=self.reset_link(token)))

    async def close(self) -> None:
        """Waits for what is being sent."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _send(self, email: str, subject: str, text: str) -> None:
        if self._channel is None:
            return
        intent = SendIntent(f"access:{uuid4()}", email, {"subject": subject, "text": text})
        task = asyncio.create_task(self._deliver(self._channel, intent), name="mail to a member")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    @staticmethod
    async def _deliver(channel: Channel, intent: SendIntent) -> None:
        result = await channel.send(intent)
        if not isinstance(result, Accepted):
            log.warning("access_mail_not_sent", why=result.why)
