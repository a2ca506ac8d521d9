"""The values that a due step's words may use: the shop, the way back, what was in the cart, a code if one is given."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import SendRequest, Skip
from insights.identity.contact import Contact, read_contact
from insights.models import Project
from insights.recovery.links import Links, Target
from insights.recovery.mail_values import (
    answers_of,
    cart_link,
    first_name,
    kept_values,
    reason_of,
    things_of_cart,
    things_seen,
    way_back,
)
from insights.recovery.message_faults import SAMPLE
from insights.recovery.own_addresses import check_url
from insights.recovery.plain import one_line
from insights.recovery.step_code import discount, sample_code
from insights.recovery.unsubscribe import Claim, sign


class StepValues:
    """Finds the values of steps. Raises SettingInvalid for an address that cannot stand in a link.

    ``shop_url`` is where messages lead back to, "" for the page that was left; ``signing_secret`` signs the links to
    unsubscribe, ``links`` all others.
    """

    def __init__(self, links: Links, *, shop_url: str, signing_secret: bytes) -> None:
        if shop_url:
            check_url("WHYLEFT_SHOP_URL", shop_url)
        self._links = links
        self._shop_url = shop_url
        self._secret = signing_secret

    async def of(
        self, tx: AsyncSession, request: SendRequest, channel: str, recipient: str, visitor: Contact
    ) -> dict[str, Any] | Skip:
        """The values that a message's words may use, a discount code among them where the step gives one."""
        project = await tx.get_one(Project, request.project_id)
        link = way_back(request.trigger, self._shop_url, project.allowed_origins, channel)
        if link is None:
            return Skip(
                "no_shop_address",
                "There is nowhere to send the visitor back to: set WHYLEFT_SHOP_URL, or add the shop's origin to the "
                "project.",
            )
        claim = Claim(request.project_id, request.visitor_id, channel, recipient)
        unsubscribe_url = f"{self._links.public_url}/v1/unsubscribe?token={sign(self._secret, claim)}"
        values = _values(request, one_line(project.name, 60), link, unsubscribe_url)
        values["cart_link"] = self._cart_link(request, link)
        values["first_name"] = first_name(visitor.traits)
        code = await discount(tx, request)
        if isinstance(code, Skip):
            return code
        return values if code is None else values | {"code": code}

    async def sample(self, tx: AsyncSession, request: SendRequest) -> dict[str, Any]:
        """What the visitor's message would say, with a sample for the code and for the link to unsubscribe."""
        visitor = await read_contact(tx, request.project_id, request.visitor_id)
        project = await tx.get_one(Project, request.project_id)
        link = way_back(request.trigger, self._shop_url, project.allowed_origins) or str(SAMPLE["link"])
        unsubscribe_url = f"{self._links.public_url}/v1/unsubscribe?token=sample"
        values = _values(request, one_line(project.name, 60), link, unsubscribe_url)
        values["cart_link"] = self._cart_link(request, link)
        values["first_name"] = first_name(visitor.traits) if visitor is not None else ""
        values["code"] = sample_code(request.params)
        return values

    def _cart_link(self, request: SendRequest, link: str) -> str:
        token = self._links.sign(Target("cart", request.project_id, request.run_id, request.step_id), request.now)
        return cart_link(link, request.params.get("cart_url"), token, request.trigger)


def _values(request: SendRequest, shop: str, link: str, unsubscribe_url: str) -> dict[str, Any]:
    things, total = things_of_cart(request.trigger)
    viewed = things_seen(request.trigger)
    return {
        "shop": shop,
        "link": link,
        "unsubscribe_url": unsubscribe_url,
        "has_cart": bool(things),
        "things": things or viewed,
        "viewed": viewed,
        "total": total,
        "answers": answers_of(request.params),
        "form": kept_values(request.trigger),
        "reason": reason_of(request.trigger),
    }
