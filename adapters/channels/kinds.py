"""The kinds of channel that a project may set up, each with the form it takes: this list is the registry.

A new kind is a class in a file of its own, one line here, an example in tests/channels/contract and a page in
docs/channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ValidationError

from adapters.channels.ads.google_audience import GoogleAudience
from adapters.channels.ads.meta import MetaAudience, MetaConversions
from adapters.channels.ads.reddit import RedditAudience, RedditConversions
from adapters.channels.contract import Channel
from adapters.channels.customers.braze import Braze
from adapters.channels.customers.klaviyo import Klaviyo
from adapters.channels.customers.segment_out import SegmentOut
from adapters.channels.customers.shopify import Shopify
from adapters.channels.customers.signed_webhook import SignedWebhook
from adapters.channels.email_services.postmark import Postmark
from adapters.channels.email_services.resend import Resend
from adapters.channels.email_services.sendgrid import SendGrid
from adapters.channels.email_services.ses import Ses
from adapters.channels.errors import ChannelMisconfigured, FormRefused
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ProviderChannel
from adapters.channels.line import Line
from adapters.channels.push.fcm import Fcm
from adapters.channels.push.web_push import WebPush
from adapters.channels.sms.http_sms import HttpSms
from adapters.channels.sms.twilio import Twilio
from adapters.channels.smtp_relay import SmtpRelay
from adapters.channels.work.github import Github
from adapters.channels.work.hubspot import Hubspot
from adapters.channels.work.jira import Jira
from adapters.channels.work.linear import Linear
from adapters.channels.work.slack import Slack

AnyChannel = ProviderChannel[Any, Any]

_ALL: Final[tuple[type[AnyChannel], ...]] = (
    Resend,
    SendGrid,
    Postmark,
    Ses,
    SmtpRelay,
    Twilio,
    HttpSms,
    WebPush,
    Fcm,
    Github,
    Jira,
    Linear,
    Slack,
    Hubspot,
    MetaConversions,
    MetaAudience,
    GoogleAudience,
    RedditConversions,
    RedditAudience,
    Klaviyo,
    Braze,
    Shopify,
    SegmentOut,
    SignedWebhook,
)

KINDS: Final[Mapping[str, type[AnyChannel]]] = {kind.kind: kind for kind in _ALL}


def open_channel(
    kind: str, settings: Mapping[str, object], credentials: Mapping[str, object], line: Line, *, id: UUID | None = None
) -> Channel:
    """A channel made of its row. Raises ChannelMisconfigured, naming the field."""
    found = kind_of(kind)
    return found(read_settings(found, settings), read_credentials(found, credentials), line, id=id)


def kind_of(kind: str) -> type[AnyChannel]:
    """The class of a kind. Raises ChannelMisconfigured."""
    if kind not in KINDS:
        raise ChannelMisconfigured(f"kind: there is no channel {kind!r}; use one of {', '.join(sorted(KINDS))}.")
    return KINDS[kind]


def read_settings(kind: type[AnyChannel], given: Mapping[str, object]) -> ChannelSettings:
    """Settings as the kind has them. Raises FormRefused."""
    try:
        return kind.settings_model.model_validate(dict(given))
    except ValidationError as error:
        raise _refused("settings", error, kind.settings_model) from None


def read_credentials(kind: type[AnyChannel], given: Mapping[str, object]) -> ChannelCredentials:
    """Credentials as the kind has them. Raises FormRefused, which never repeats what was given."""
    try:
        return kind.credentials_model.model_validate(dict(given))
    except ValidationError as error:
        raise _refused("credentials", error, kind.credentials_model) from None


def _refused(part: str, error: ValidationError, form: type[BaseModel]) -> FormRefused:
    fields = {field.alias or name: field.description or "" for name, field in form.model_fields.items()}
    return FormRefused(part, error.errors(include_input=False, include_url=False)[0], fields)
