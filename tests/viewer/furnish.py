"""Gives a filled shop what else a shop has: members, keys, channels, live actions, policies, views, scheduled mails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from adapters.postgres.engine import Database
from insights.access import members
from insights.access.keys import make_key
from insights.access.roles import Role
from insights.channels.store import Wanted, create
from insights.decisions.entries import Entry
from insights.identity.proof import Mode
from insights.identity.secrets import make_secret, set_mode
from insights.learning.promotion import challenge
from insights.models import IdentityClaim
from insights.patterns.subscribers import subscribe_mail
from insights.plans.entries import create_entry
from insights.plans.shop import change_shop
from insights.segments.store import create_segment
from insights.viewer.saved_views import save_view
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from insights.wiring.services import Services

WORDS = {
    "default": {
        "title": "Free delivery from {threshold}",
        "body": "Only {missing} to go: the kettle would come without delivery costs.",
        "cta_label": "See what fits",
        "cta_href": "/brewers",
    },
    "de": {
        "title": "Ab {threshold} liefern wir frei Haus",
        "body": "Nur noch {missing}, dann kommt der Kessel ohne Versandkosten.",
        "cta_label": "Was dazu passt",
        "cta_href": "/brewers",
    },
}


SEGMENTS = (
    ("big-carts", "Carts worth a call", "cart.value >= 50 EUR and visitor.last_seen_at within 30d"),
    ("friends", "Those whom we know", None),
    ("price-minded", "", 'insight.reason = "price_hesitation" or session.coupons_refused > 0'),
)
"""Name, what it is for, condition."""


@dataclass(frozen=True)
class Furnished:
    """What was made. ``invitation``: the link's secret of somebody who was invited and did not come yet."""

    entry_id: UUID
    policy_id: UUID
    invitation: str


async def furnish(services: Services, project_id: UUID, now: datetime) -> Furnished:
    """Makes all of it, through the code that makes it for real."""
    invitation = await _people(services.database, project_id, now)
    await _channels(services, project_id, now)
    await _signed(services, project_id, now)
    entry = Entry(
        "Free delivery, in our words",
        LiveAction.FREE_SHIPPING_BANNER,
        "banner",
        WORDS,
        (Stage.BROWSER, Stage.CART_ADDER),
        priority=60,
    )
    async with services.database.transaction(project_id) as tx:
        shop = {
            "currency": "EUR",
            "margin_rate": 0.35,
            "free_shipping_from_minor": 6000,
            "shipping_cost_minor": 490,
            "holdout": 0.1,
        }
        await change_shop(tx, project_id, shop, now)
        entry_id = (await create_entry(tx, project_id, entry, now)).id
        policy_id = (await challenge(tx, project_id, "Bolder", {"explorer": "thompson"}, now)).id
        for name, query in (("Phone checkouts", "?page=/checkout&device=phone"), ("Broken", "?reason=technical_error")):
            await save_view(tx, project_id, name, query, now)
        for name, about, when in SEGMENTS:
            await create_segment(tx, project_id, name=name, description=about, written=when, now=now)
        await subscribe_mail(tx, project_id, "grace@kettle.example", report="weekly", now=now)
    return Furnished(entry_id, policy_id, invitation)


async def _people(database: Database, project_id: UUID, now: datetime) -> str:
    """Members, somebody who was invited (their link's secret is returned), and keys of both kinds."""
    links = []
    async with database.transaction(project_id) as tx:
        for name, role in (("grace", Role.ADMIN), ("ada", Role.EDITOR)):
            links.append((await members.invite(tx, project_id, f"{name}@kettle.example", role, now))[1])
        _, waiting = await members.invite(tx, project_id, "linus@kettle.example", Role.READER, now)
        make_key(tx, project_id, "write", role=Role.READER, scopes=(), name="the shop's pages")
        make_key(tx, project_id, "secret", role=Role.READER, scopes=(), name="warehouse export")
    for link in links:
        async with database.transaction(None) as tx:
            invitation, _ = await members.invitation_of(tx, link, now)
            await members.accept(tx, invitation, None, now)
    return waiting


async def _channels(services: Services, project_id: UUID, now: datetime) -> None:
    """One channel that goes well, and one whose key is refused."""
    async with services.database.transaction(project_id) as tx:
        mail = Wanted({"sender": "Quiet Kettle <hello@kettle.example>"}, {"api_key": "re_12345678"})
        good = await create(tx, services.sealer, project_id, "resend", "main-mail", mail, now)
        good.last_ok_at = now - timedelta(minutes=4)
        ill = await create(tx, services.sealer, project_id, "postmark", "spare-mail", mail, now)
        ill.last_error = "The provider refuses the credentials (401): make a new key, or give this one the rights."
        ill.last_error_at, ill.failures = now - timedelta(minutes=2), 3


async def _signed(services: Services, project_id: UUID, now: datetime) -> None:
    """A shop that looks on: its server signs most, by the second of two secrets."""
    async with services.database.transaction(project_id) as tx:
        for _ in range(2):
            await make_secret(tx, services.sealer, project_id, overlap=timedelta(days=7), now=now)
        await set_mode(tx, project_id, Mode.OBSERVE, now)
        for days in range(3):
            for name, signed, unsigned, wrong in (("user_id", 412, 3, days), ("email", 380, 35 + 9 * days, 0)):
                for verdict, claims in (("signed", signed), ("unsigned", unsigned), ("wrong", wrong)):
                    if claims:
                        day = (now - timedelta(days=days)).date()
                        tx.add(IdentityClaim(project_id=project_id, day=day, name=name, verdict=verdict, claims=claims))
