"""What writes to members."""

from __future__ import annotations

from adapters.channels.smtp import SmtpChannel
from insights.access.post import Post
from insights.settings import Settings


def post(settings: Settings) -> Post:
    """What writes to members."""
    relay = SmtpChannel(settings.smtp_url, sender=settings.mail_from) if settings.smtp_url else None
    return Post(relay, f"{settings.public_url.rstrip('/')}/app")
