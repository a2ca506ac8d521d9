"""Turns a due send step into a message: which channel an action uses, what it says, or why nothing is sent.

Called inside the send gate's transaction. What a message needs from the database (address, shop name, a discount code)
is read and written there, so that a message that never goes out leaves no trace but its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.mail import MailInvalid, address
from flows.ports import Composed, Done, SendRequest, Skip
from insights.conditions.consent import consents
from insights.identity.contact import read_contact
from insights.profiles.language import language
from insights.recovery import marks, next_visit, short, to_tools, tools
from insights.recovery.links import Links, Target
from insights.recovery.message_content import MessageContent
from insights.recovery.message_render import MessageBroken, MessageTemplates, Rendered
from insights.recovery.message_store import names_of_messages, published_message
from insights.recovery.message_values import OF_PEOPLE
from insights.recovery.own_addresses import check_base
from insights.recovery.plain import one_line
from insights.recovery.rendering import Rendering
from insights.recovery.step_code import discount
from insights.recovery.step_values import StepValues
from insights.recovery.templates import Messages
from insights.vocabulary.actions import RecoveryAction

_ONLY_READ: Final = frozenset(
    {
        RecoveryAction.CREATE_TICKET,
        RecoveryAction.CALL_WEBHOOK,
        RecoveryAction.CREATE_CRM_TASK,
        RecoveryAction.DO_NOTHING,
    }
)
"""Actions whose messages need no consent, so that no cap is asked of them, and issue no code."""


class MessageComposer:
    """Composes the messages of all projects. Raises SettingInvalid for an address that cannot stand in a link.

    ``public_url`` is where people reach this server; ``shop_url`` is where messages lead back to, "" for the page that
    was left; ``signing_secret`` signs unsubscribe links.
    """

    def __init__(
        self, *, public_url: str, shop_url: str, signing_secret: bytes, messages: Messages | None = None
    ) -> None:
        check_base("WHYLEFT_PUBLIC_URL", public_url)
        self.public_url = public_url.rstrip("/")
        self.templates = MessageTemplates()
        self.rendering = Rendering(self.templates)
        self.messages = messages or Messages(templates=self.templates)
        self.links = Links(signing_secret, public_url)
        self.values = StepValues(self.links, shop_url=shop_url, signing_secret=signing_secret)

    def only_reads(self, action: str) -> bool:
        return action in _ONLY_READ

    async def compose(self, tx: AsyncSession, request: SendRequest) -> Composed | Done | Skip:
        match request.action:
            case RecoveryAction.SEND_EMAIL:
                return await self._email(tx, request)
            case RecoveryAction.SEND_SMS | RecoveryAction.SEND_PUSH:
                return await self._short(tx, request)
            case RecoveryAction.SHOW_POPUP:
                return await self._next_visit(tx, request)
            case RecoveryAction.CREATE_TICKET:
                return await to_tools.ticket_of(tx, self.public_url, request)
            case RecoveryAction.CALL_WEBHOOK:
                return await to_tools.call_of(tx, request)
            case RecoveryAction.TAG_CUSTOMER:
                done = await marks.tag(tx, request)
                contact = await read_contact(tx, request.project_id, request.visitor_id)
                return await tools.tagged(tx, request, contact, done) if isinstance(done, Done) else done
            case RecoveryAction.ADD_TO_SEGMENT:
                done = await marks.add_to_segment(tx, request)
                contact = await read_contact(tx, request.project_id, request.visitor_id)
                return await tools.in_audience(tx, request, contact, done) if isinstance(done, Done) else done
            case RecoveryAction.TRIGGER_RETARGETING:
                return tools.retargeting(request, await read_contact(tx, request.project_id, request.visitor_id))
            case RecoveryAction.SUPPRESS_MESSAGES:
                return tools.quiet(request, await read_contact(tx, request.project_id, request.visitor_id))
            case RecoveryAction.CREATE_CRM_TASK:
                return await to_tools.crm_of(tx, self.rendering, self.public_url, request)
            case RecoveryAction.DO_NOTHING:
                return Skip("do_nothing", "This step does nothing on purpose.")
            case _:
                return Skip("channel_not_configured", f"This server has no channel for {request.action}.")

    async def _email(self, tx: AsyncSession, request: SendRequest) -> Composed | Skip:
        name = request.params.get("message")
        content = await self.content(tx, request.project_id, name) if isinstance(name, str) else None
        if content is None:
            known = ", ".join(await names_of_messages(tx, request.project_id, self.messages))
            return Skip("no_such_message", f"There is no message {one_line(str(name), 80)!r}: use one of {known}.")
        visitor = await read_contact(tx, request.project_id, request.visitor_id)
        if visitor is None or not visitor.email:
            return Skip("no_address", "The visitor gave no e-mail address.")
        try:
            # Lower case throughout, so that one mailbox is one entry of the suppression list however it is spelt.
            recipient = address(visitor.email).lower()
        except MailInvalid:
            return Skip("no_address", "What the visitor gave is no e-mail address that can be written to.")
        # The gate asks again; asked here too, so that no code is issued for nobody.
        if not consents(visitor.consent, "email"):
            return Skip("no_consent", "The visitor has not agreed to messages by email.")
        values = await self.values.of(tx, request, "email", recipient, visitor)
        if isinstance(values, Skip):
            return values
        locale = await language(tx, request.project_id, request.visitor_id)
        try:
            mail = await self.rendering.beside(request.project_id, self._mail, request, content, locale, values)
        except MessageBroken as error:
            return Skip("message_broken", f"The message {name!r} {error}.")
        return Composed(
            channel="email",
            recipient=recipient,
            content={
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "unsubscribe_url": values["unsubscribe_url"],
            },
            needs_consent=True,
        )

    def _mail(
        self, request: SendRequest, content: MessageContent, locale: str | None, values: Mapping[str, Any]
    ) -> Rendered:
        """The mail with its links leading through this server. Raises MessageBroken."""
        mail = self.templates.render(content, locale, values)
        html = self.links.tracked(
            mail.html,
            Target("click", request.project_id, request.run_id, request.step_id),
            request.now,
            keep=values["unsubscribe_url"],
            clicks=content.track_links,
            pixel=content.open_pixel,
        )
        return replace(mail, html=html)

    async def _short(self, tx: AsyncSession, request: SendRequest) -> Composed | Skip:
        is_sms = request.action == RecoveryAction.SEND_SMS
        channel = short.SMS if is_sms else short.PUSH
        visitor = await read_contact(tx, request.project_id, request.visitor_id)
        recipient: str | Skip = str(request.visitor_id)
        if is_sms:
            recipient = short.number_of(visitor.phone if visitor is not None else None, request.params)
        if isinstance(recipient, Skip):
            return recipient
        if visitor is None or not consents(visitor.consent, channel):
            return Skip("no_consent", f"The visitor has not agreed to messages by {channel}.")
        values = await self.values.of(tx, request, channel, recipient, visitor)
        if isinstance(values, Skip):
            return values
        if is_sms:
            return await short.sms_of(self.rendering, request, recipient, values)
        return await short.push_of(tx, self.rendering, request, values)

    async def _next_visit(self, tx: AsyncSession, request: SendRequest) -> Done | Skip:
        code = await discount(tx, request)
        if isinstance(code, Skip):
            return code
        if code is None:
            return await next_visit.keep_for_next_visit(tx, request, None)
        given = {"code": str(code["text"]), "percent": str(code["percent"])}
        return await next_visit.keep_for_next_visit(tx, request, given, timedelta(hours=code["hours"]))

    async def example(
        self,
        tx: AsyncSession,
        request: SendRequest,
        content: MessageContent,
        locale: str | None,
        known_as: Mapping[str, Any] | None = None,
    ) -> Rendered:
        """The message as this visitor would get it, whether or not they may be written to: nothing is issued, the code
        and the link to unsubscribe are samples. ``known_as``: values that stand for what the visitor or the shop said
        of them (OF_PEOPLE), where theirs must not be shown. Raises MessageBroken."""
        values = await self.values.sample(tx, request)
        if known_as is not None:
            values |= {name: known_as[name] for name in OF_PEOPLE}
        chosen = locale or await self.locale(tx, request)
        return await self.rendering.message(request.project_id, content, chosen, values)

    async def locale(self, tx: AsyncSession, request: SendRequest) -> str | None:
        """The language that the visitor's browser says."""
        return await language(tx, request.project_id, request.visitor_id)

    async def content(self, tx: AsyncSession, project_id: UUID, name: str) -> MessageContent | None:
        """What goes out under a name: the shop's own message, or the one that comes along; None for neither."""
        return await published_message(tx, project_id, name) or self.messages.content(name)
