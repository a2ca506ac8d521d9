"""The channels of a process: the server's own, and those that projects set up."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.channels.contract import Channel
from adapters.channels.line import Line
from adapters.channels.smtp import SmtpChannel
from adapters.channels.ticket import TicketOutbox
from adapters.channels.webhook import WebhookChannel
from insights.channels.ways import ProjectChannels
from insights.sealing import Sealer
from insights.settings import Settings
from insights.wiring.secrets import sealer


def channels_of(settings: Settings, sealing: Sealer | None = None, line: Line | None = None) -> ProjectChannels:
    """The channels of projects, beside the server's own."""
    return ProjectChannels(_channels(settings), sealing or sealer(settings), line or provider_line(settings))


def provider_line(settings: Settings) -> Line:
    """How providers are called: on the public internet alone, unless the operator's webhooks may lead inside."""
    if settings.webhook_allow_private:
        return Line(public=lambda _address: True)
    return Line()


def _channels(settings: Settings) -> Mapping[str, Channel]:
    channels: list[Channel] = [TicketOutbox(settings.data_dir / "tickets.jsonl")]
    if settings.smtp_url:
        channels.append(SmtpChannel(settings.smtp_url, sender=settings.mail_from))
    if settings.webhook_url:
        channels.append(
            WebhookChannel(
                settings.webhook_url, secret=settings.webhook_secret, allow_private=settings.webhook_allow_private
            )
        )
    return {channel.name: channel for channel in channels}
