"""Sends one to yourself and says in words what the answer means and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from adapters.channels.contract import Accepted, Channel, Rejected, Result, Retry, SendIntent, Suppress, Unknown
from adapters.channels.email_services.message import SAMPLE
from adapters.channels.http_channel import ProviderChannel
from adapters.postgres.engine import Database
from insights.channels.store import named
from insights.channels.ways import ProjectChannels
from insights.errors import NotFound, Refused

_OF_THE_SERVERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "email": SAMPLE,
    "webhook": {"type": "test", "data": {"note": "A test of this channel that you sent yourself."}},
    "ticket": {"title": "A test of this channel", "body": "You sent it yourself. Close it."},
}
_TO_SOMEBODY: Final = frozenset({"email", "sms"})


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test. ``result``: accepted, retry, rejected, suppress or unknown; ``todo``: what to do now."""

    channel: str
    result: str
    said: str
    todo: str
    provider_id: str | None

    @property
    def good(self) -> bool:
        return self.result == "accepted"


async def send_test(
    database: Database,
    channels: ProjectChannels,
    project_id: UUID,
    name: str,
    to: str | None,
    now: datetime,
    content: Mapping[str, Any] | None = None,
) -> Trial:
    """Sends a test through the project's channel ``name``, or the server's own of that word, whether it is enabled or
    not. ``content`` takes the place of the sample. Raises NotFound, Refused."""
    channel = await _channel(database, channels, project_id, name)
    sample = channel.sample if isinstance(channel, ProviderChannel) else _OF_THE_SERVERS.get(channel.name, {})
    said = content or sample
    if not said:
        raise Refused(
            f"content: {name} has no sample of its own; send the content that its page lists.", field="content"
        )
    if channel.name in _TO_SOMEBODY and not to:
        what = "an e-mail address" if channel.name == "email" else "a phone number such as +4915112345678"
        raise Refused(f"to: {name} writes to somebody; give {what} of your own.", field="to")
    result = await channel.send(SendIntent(f"test-{uuid4()}", to, said))
    if channel.id is not None:
        try:
            async with database.transaction(project_id) as tx:
                await channels.heard(tx, project_id, channel, result, now)
        except SQLAlchemyError:
            # It was sent; how the channel fares is said another time.
            pass
    return explained(name, result, to)


def explained(name: str, result: Result, to: str | None) -> Trial:
    """A result in words. Pure."""
    match result:
        case Accepted():
            words = f"The provider took it{f' as {result.provider_id}' if result.provider_id else ''}"
            words += f" ({result.detail})." if result.detail else "."
            todo = f"Look whether it arrived{f' at {to}' if to else ''}, in the spam folder too."
            return Trial(name, "accepted", words, todo, result.provider_id)
        case Retry():
            later = (
                "Messages in this state wait and are tried again; nothing is lost. Mend what it says, then test again."
            )
            return Trial(name, "retry", f"It did not go out now. {result.why}", later, None)
        case Rejected():
            never = "Messages in this state are given up. Mend what it says, then test again."
            return Trial(name, "rejected", f"It did not go out. {result.why}", never, None)
        case Suppress():
            gone = "In a flow this recipient would be put on the suppression list. Test with another recipient."
            return Trial(name, "suppress", f"It did not go out. {result.why}", gone, None)
        case Unknown():
            look = "Look in the provider's own log. A flow repeats it only where a second copy does no harm."
            return Trial(name, "unknown", f"Nobody can say whether it went out. {result.why}", look, None)


async def _channel(database: Database, channels: ProjectChannels, project_id: UUID, name: str) -> Channel:
    try:
        async with database.transaction(project_id) as tx:
            return channels.opened(await named(tx, project_id, name))
    except NotFound as error:
        if name in channels.servers:
            return channels.servers[name]
        own = f" The server's own: {', '.join(sorted(channels.servers))}." if channels.servers else ""
        raise NotFound(error.detail + own) from None
