"""Where webhooks come in: proves the sender, hears each one once, and does what it says.

Whoever is told 200 has been heard: everything is committed. A webhook whose contents cannot be used is kept with the
reason and told 200 too, for it will never get better by being sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.spellings import spellings
from adapters.postgres.engine import Database
from flows.models import Suppression
from insights.errors import KeyRefused, Refused, Unavailable
from insights.events.dialects import generic, shopify, shopify_consent
from insights.events.dialects.opt_outs import opt_outs
from insights.events.dialects.translation import Envelope
from insights.events.json_body import parsed
from insights.events.order_claims import believed
from insights.events.orders import placed
from insights.events.reception import Message, Reception
from insights.models import WebhookReceipt
from insights.privacy import requests
from insights.recovery.codes import used_up
from insights.sealing import Purpose, Sealer
from insights.sources.signatures import Genuine, SignatureWrong, verify
from insights.sources.store import active_source
from insights.sources.wishes import keep_wish
from insights.vocabulary.addresses import read_address
from insights.vocabulary.ids import ms_to_datetime

log = structlog.get_logger()

REMEMBERED: Final = timedelta(days=30)
"""So long a copy of a webhook is known for one. Shopify tries for two days."""

PATIENCE_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.5
"""Shopify gives up on an answer after five seconds."""

_PRIVACY: Final[Mapping[str, str]] = {
    "customers/redact": "erase_person",
    "customers/data_request": "export_person",
    "shop/redact": "erase_shop",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a webhook. ``repeated``: it was heard before. ``ignored``: how much of it says nothing to us;
    ``unread``: what it says under a name that is none of ours."""

    repeated: bool = False
    ignored: int = 0
    rejected: str | None = None
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class _Webhook:
    project_id: UUID
    source_id: UUID
    provider: str
    genuine: Genuine
    received_ms: int


class Door:
    """The way in for webhooks."""

    def __init__(self, database: Database, reception: Reception, sealer: Sealer) -> None:
        self._database = database
        self._reception = reception
        self._sealer = sealer

    async def hear(
        self, provider: str, address: str, headers: Mapping[str, str], body: bytes, received_ms: int
    ) -> Heard:
        """``headers`` by lower-case names; ``body`` as it came, byte for byte.

        Raises KeyRefused when the sender is not proved, Refused for what is no JSON, Unavailable.
        """
        try:
            webhook = await self._prove(provider, address, headers, body, received_ms)
            if await self._repeated(webhook):
                return Heard(repeated=True)
            heard = await self._take(webhook, parsed(body))
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("webhook_not_stored", provider=provider, error=type(error).__name__)
            raise Unavailable("The database cannot be reached. Nothing was stored; send the same again.") from error
        log.info("webhook_heard", provider=provider, topic=webhook.genuine.topic, ignored=heard.ignored)
        return heard

    async def _prove(
        self, provider: str, address: str, headers: Mapping[str, str], body: bytes, received_ms: int
    ) -> _Webhook:
        # An unknown address is refused as a wrong signature is, so that nobody learns which addresses there are.
        where = read_address(address)
        if where is None:
            raise _refused("this address is not complete; copy it from `whyleft sources list`")
        project_id, source_id = where
        async with self._database.transaction(project_id) as tx:
            source = await active_source(tx, project_id, source_id, provider)
        if source is None:
            raise _refused("there is no such source, or it was revoked")
        secret = self._sealer.open(source.sealed, Purpose.WEBHOOK_SOURCE, project_id, source_id)
        try:
            genuine = verify(provider, secret, headers, body, ms_to_datetime(received_ms))
        except SignatureWrong as error:
            raise _refused(str(error)) from None
        return _Webhook(project_id, source_id, provider, genuine, received_ms)

    async def _repeated(self, webhook: _Webhook) -> bool:
        async with self._database.transaction(webhook.project_id) as tx:
            key = (webhook.project_id, webhook.source_id, webhook.genuine.id)
            return await tx.get(WebhookReceipt, key) is not None

    async def _take(self, webhook: _Webhook, document: object) -> Heard:
        if webhook.provider in ("klaviyo", "braze"):
            return await self._suppress(webhook, document)
        if webhook.provider == "shopify" and webhook.genuine.topic in _PRIVACY:
            return await self._ask(webhook, document)
        if webhook.provider == "shopify" and webhook.genuine.topic in shopify_consent.TOPICS:
            return await self._choose(webhook, document)
        return await self._report(webhook, document)

    async def _report(self, webhook: _Webhook, document: object) -> Heard:
        topic = webhook.genuine.topic
        if webhook.provider == "shopify":
            if topic not in shopify.TOPICS:
                await self._remember(webhook)
                return Heard(ignored=1)
            kind, order = topic, shopify.order_of(topic, document)
            at_ms = shopify.placed_at(topic, document, webhook.received_ms)
            fresh = shopify.placed_just_now(topic, document, webhook.received_ms)
            codes = shopify.codes_of(topic, document)
        else:
            codes = []
            kind, order = webhook.genuine.id, generic.order_of(document)
            at_ms = generic.placed_at(document, webhook.received_ms)
            fresh = generic.placed_just_now(document, webhook.received_ms)
        context = await self._known_of(webhook.project_id, order, at_ms) if order is not None else {}
        if order is not None and "visitor" not in context and fresh:
            context = await self._wait_for_page(webhook.project_id, order, at_ms)
        envelope = Envelope(webhook.received_ms, type=kind, context=context or None, trusted=True)
        taken = await self._reception.take(webhook.project_id, webhook.provider, [Message(document, envelope)])
        async with self._database.transaction(webhook.project_id) as tx:
            if codes and at_ms is not None:
                await used_up(tx, webhook.project_id, codes, ms_to_datetime(at_ms), ms_to_datetime(webhook.received_ms))
            await _receipt(tx, webhook)
        refused, unread = (found[0].error if found else None for found in (taken.refused, taken.unread))
        return Heard(rejected=refused, unread=unread)

    async def _wait_for_page(self, project_id: UUID, order: str, at_ms: int | None) -> dict[str, Any]:
        context: dict[str, Any] = {}
        # The shop's server is often faster than the page after the checkout, which knows better whose visit this was.
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            context = await self._known_of(project_id, order, at_ms)
            if "visitor" in context:
                break
        return context

    async def _known_of(self, project_id: UUID, order: str, at_ms: int | None) -> dict[str, Any]:
        """What is known of an order. ``at_ms``: when it was placed, where that is what the webhook tells: then a page
        that claimed it is believed or not (``events/order_claims``)."""
        if "\0" in order or not order.isprintable():
            return {}
        async with self._database.transaction(project_id) as tx:
            found = await placed(tx, project_id, [order, *_as_pages_say(order)])
            if not found:
                return {}
            if at_ms is not None and not any(one.by_server for one in found):
                claims = [await believed(tx, project_id, one.key, at_ms) for one in found]
                claim = next((claim for claim in claims if claim is not None), None)
                if claim is None:
                    return {"order": found[0].key}
                return {"order": claim.key, "visitor": str(claim.visitor_id), "session": str(claim.session_id)}
        first = next((one for one in found if one.by_server), found[0])
        known = {
            "visitor": str(first.visitor_id),
            "order": first.key,
            "currency": first.currency,
            "bought": first.by_server and first.worth_known,
        }
        return known | ({"session": str(first.session_id)} if first.session_id is not None else {})

    async def _suppress(self, webhook: _Webhook, document: object) -> Heard:
        found, others = opt_outs(webhook.provider, document)
        at = ms_to_datetime(webhook.received_ms)
        rows = {(item.channel, spelled): item.reason for item in found for spelled in spellings(item.recipient)}
        async with self._database.transaction(webhook.project_id) as tx:
            for (channel, recipient), reason in sorted(rows.items()):
                await tx.execute(
                    upsert(Suppression)
                    .values(project_id=webhook.project_id, channel=channel, recipient=recipient, reason=reason, at=at)
                    .on_conflict_do_nothing()
                )
            await _receipt(tx, webhook)
        return Heard(ignored=others)

    async def _choose(self, webhook: _Webhook, document: object) -> Heard:
        wish = shopify_consent.wish_of(webhook.genuine.topic, document, webhook.received_ms)
        async with self._database.transaction(webhook.project_id) as tx:
            if wish is not None:
                await keep_wish(tx, webhook.project_id, wish)
            await _receipt(tx, webhook)
        return Heard(ignored=int(wish is None))

    async def _ask(self, webhook: _Webhook, document: object) -> Heard:
        kind = _PRIVACY[webhook.genuine.topic]
        who = _asked(document) if kind != "erase_shop" else {}
        async with self._database.transaction(webhook.project_id) as tx:
            # The receipt first: of two copies at the same time one waits here and finds it done.
            if await _receipt(tx, webhook):
                await requests.ask(
                    tx, webhook.project_id, kind, who, f"{webhook.provider} {webhook.genuine.topic}", datetime.now(UTC)
                )
        return Heard()

    async def _remember(self, webhook: _Webhook) -> None:
        async with self._database.transaction(webhook.project_id) as tx:
            await _receipt(tx, webhook)


async def forget_old_receipts(tx: AsyncSession, project_id: UUID) -> None:
    """Forgets webhooks that came so long ago that no sender tries again."""
    await tx.execute(
        delete(WebhookReceipt).where(
            WebhookReceipt.project_id == project_id, WebhookReceipt.received_at < func.now() - REMEMBERED
        )
    )


async def _receipt(tx: AsyncSession, webhook: _Webhook) -> bool:
    """Remembers a webhook; False when it was remembered before."""
    added = await tx.scalar(
        upsert(WebhookReceipt)
        .values(
            project_id=webhook.project_id,
            source_id=webhook.source_id,
            webhook_id=webhook.genuine.id,
            topic=_storable(webhook.genuine.topic),
            received_at=ms_to_datetime(webhook.received_ms),
        )
        .on_conflict_do_nothing()
        .returning(WebhookReceipt.webhook_id)
    )
    return added is not None


def _asked(document: object) -> dict[str, Any]:
    """Who Shopify asks about. Raises Refused."""
    body = document if isinstance(document, dict) else {}
    customer = body.get("customer")
    customer = customer if isinstance(customer, dict) else {}
    orders = body.get("orders_to_redact") or body.get("orders_requested")
    who: dict[str, Any] = {
        name: _storable(str(customer[field]))
        for name, field in (("user_id", "id"), ("email", "email"), ("phone", "phone"))
        if isinstance(customer.get(field), str | int) and customer[field] != ""
    }
    if isinstance(orders, list):
        numbers = [_storable(str(order)) for order in orders if isinstance(order, str | int)]
        # Whoever bought without a name is known by their order alone, as the page called it.
        who["orders"] = [name for number in numbers for name in (number, *_as_pages_say(number))]
    if not who:
        raise Refused("customer: is missing; the request names nobody.", field="customer")
    return who


def _as_pages_say(order: str) -> list[str]:
    """How a script in Shopify's checkout may have named the order that webhooks call by its bare number."""
    return [f"gid://shopify/{kind}/{order}" for kind in ("OrderIdentity", "Order")]


def _storable(said: str) -> str:
    return said.replace("\0", "").encode(errors="replace").decode()[:500]


def _refused(why: str) -> KeyRefused:
    return KeyRefused(f"This webhook is not accepted: {why}.")
