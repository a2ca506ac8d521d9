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
from insights.models import PushSubscription
from insights.recovery.short import told_of

_OF_THE_SERVERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "email": SAMPLE,
    "webhook": {"type": "test", "data": {"note": "A test of this channel that you sent yourself."}},
    "ticket": {"title": "A test of this channel", "body": "You sent it yourself. Close it."},
}
_SET_BY: Final[Mapping[str, str]] = {"email": "WHYLEFT_SMTP_URL", "webhook": "WHYLEFT_WEBHOOK_URL"}
"""Ways out of the server itself, and the setting that opens each."""

_TO_SOMEBODY: Final[Mapping[str, str]] = {
    "email": "an e-mail address of your own",
    "sms": "a phone number of your own such as +4915112345678",
    "push": "the id of a subscription of your own (GET /v1/push/subscriptions)",
    "ads": "an e-mail address of your own",
    "esp": "an e-mail address of your own",
    "shop": "the e-mail address of a customer account of your own",
}

TO_NOBODY: Final = frozenset({"ticket", "webhook"})
"""What goes where they all go, whoever it is about."""
_BY_ADDRESS: Final = frozenset({"ads", "esp", "shop"})
"""What knows people by an address inside the content."""


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
    content: Mapping[str, object] | None = None,
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
        raise Refused(f"to: {name} reaches somebody; give {_TO_SOMEBODY[channel.name]}.", field="to")
    if channel.name in TO_NOBODY:
        to = None
    if channel.name in _BY_ADDRESS and to:
        said = {**said, "email": to}
    if channel.name == "push" and to:
        said = {**said, "subscription": await _subscription(database, project_id, to)}
    return await send_through(database, channels, project_id, channel, name, to, said, now)


async def send_through(
    database: Database,
    channels: ProjectChannels,
    project_id: UUID,
    channel: Channel,
    name: str,
    to: str | None,
    content: Mapping[str, object],
    now: datetime,
) -> Trial:
    """Sends ``content`` to ``to`` through a channel that goes by ``name``, under a key of its own. It counts nowhere
    but in how the channel fares."""
    result = await channel.send(SendIntent(f"test-{uuid4()}", to, content))
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
            spam = ", in the spam folder too" if to and "@" in to else ""
            todo = f"Look whether it arrived{f' at {to}' if to else ''}{spam}."
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


async def _subscription(database: Database, project_id: UUID, to: str) -> dict[str, Any]:
    """The subscription of this id. Raises Refused."""
    try:
        identifier = UUID(to)
    except ValueError:
        identifier = UUID(int=0)
    async with database.transaction(project_id) as tx:
        found = await tx.get(PushSubscription, (project_id, identifier))
    if found is None:
        raise Refused(f"to: there is no push subscription {to[:60]!r} in this project.", field="to")
    return told_of(found)


async def _channel(database: Database, channels: ProjectChannels, project_id: UUID, name: str) -> Channel:
    try:
        async with database.transaction(project_id) as tx:
            return channels.opened(await named(tx, project_id, name))
    except NotFound as error:
        if name in channels.servers:
            return channels.servers[name]
        own = f" The server's own: {', '.join(sorted(channels.servers))}." if channels.servers else ""
        if name in _SET_BY:
            own += f" It has one called {name} where {_SET_BY[name]} is set: give this command the server's settings."
        raise NotFound(error.detail + own) from None
