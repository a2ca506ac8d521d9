"""Shopify: tags on customers, single-use discount codes, draft orders as links back to a cart.

Reference (read 2026-11-21): https://shopify.dev/docs/api/admin-graphql/2026-01. Errors come inside a 200, twice: those
of the call (``errors``) and those of what it asks for (``userErrors``). Content, by ``do``: tag {email, set, remove};
code {code, percent, until}; draft {email, items [{variant_id, quantity}], code}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent, Unknown
from adapters.channels.customers.customer import listed, wanted
from adapters.channels.erasing import NOBODY, Named
from adapters.channels.graphql import codes_of, data_of, errors_of, graphql
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel, text_of
from adapters.channels.line import Answer, Broken, Request
from adapters.channels.verdict import NEW_KEY_PAUSE, said, short
from adapters.channels.work.report import marker_of

VERSION: Final = "2026-01"
_CUSTOMER: Final = "query ($email: String!) { customerByIdentifier(identifier: {emailAddress: $email}) { id } }"
_CUSTOMER_BY: Final = "query ($by: CustomerIdentifierInput!) { customerByIdentifier(identifier: $by) { id } }"
_ERASE: Final = (
    "mutation ($id: ID!) { customerRequestDataErasure(customerId: $id) { "
    "customerId userErrors { code field message } } }"
)
_TAGS: Final = (
    "mutation ($id: ID!, $set: [String!]!, $remove: [String!]!) { "
    "tagsAdd(id: $id, tags: $set) { userErrors { field message } } "
    "tagsRemove(id: $id, tags: $remove) { userErrors { field message } } }"
)
_CODE: Final = (
    "mutation ($input: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $input) { "
    "codeDiscountNode { id } userErrors { field code message } } }"
)
_FIND_DRAFT: Final = "query ($query: String!) { draftOrders(first: 1, query: $query) { nodes { id invoiceUrl } } }"
_DRAFT: Final = (
    "mutation ($input: DraftOrderInput!) { draftOrderCreate(input: $input) { "
    "draftOrder { id invoiceUrl } userErrors { field message } } }"
)


class ShopifySettings(ChannelSettings):
    """Which shop."""

    shop: str = Field(description="NAME.myshopify.com", pattern=r"^[a-z0-9][a-z0-9-]{0,60}\.myshopify\.com$")


class ShopifyCredentials(ChannelCredentials):
    """A custom app's token."""

    access_token: SecretStr = Field(
        description="shpat_…, with write_customers, write_discounts, write_draft_orders, write_customer_data_erasure.",
        min_length=8,
    )


class Shopify(HttpChannel[ShopifySettings, ShopifyCredentials]):
    """POST /admin/api/…/graphql.json."""

    kind = "shopify"
    title = "Shopify"
    word = "shop"
    settings_model = ShopifySettings
    credentials_model = ShopifyCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(2, 20)
    sample: ClassVar[Mapping[str, Any]] = {"do": "tag", "set": ["whyleft-test"]}
    when_erased: ClassVar[str] = "Shopify took the request; it erases once its own waiting time after an order is over."

    def request(self, intent: SendIntent) -> Request:
        """The call that changes something; whom and what it is about is asked for first, where that is needed."""
        do = wanted(intent, "tag", "code", "draft")
        if do == "code":
            return self._ask(_CODE, {"input": _code(intent, self.line.now().isoformat())})
        if do == "draft":
            return self._ask(_DRAFT, {"input": _draft(intent)})
        return self._ask(_TAGS, {"id": "", "set": listed(intent, "set"), "remove": listed(intent, "remove")})

    async def send(self, intent: SendIntent) -> Result:
        try:
            request = self.request(intent)
            do = wanted(intent, "tag", "code", "draft")
            if do == "tag":
                return await self._tag(intent, text_of(intent.content, "email", 320))
            if do == "draft":
                made = await self._draft_of(intent)
                if made is not None:
                    return made
            return self.judged(await self.call(request), intent)
        except (ContentInvalid, TypeError, ValueError) as error:
            return Rejected(
                str(error) if isinstance(error, ContentInvalid) else "The content cannot be written as JSON."
            )

    async def _tag(self, intent: SendIntent, email: str) -> Result:
        asked = await self.call(self._ask(_CUSTOMER, {"email": email}, harmless=True))
        refused = self._refused(asked) if isinstance(asked, Answer) else None
        found = data_of(asked, "customerByIdentifier") if isinstance(asked, Answer) else None
        if not isinstance(asked, Answer) or refused is not None or asked.status != 200:
            return refused or self._nothing_done(asked, intent)
        if not isinstance(found, Mapping) or not isinstance(found.get("id"), str):
            if data_of(asked) is None:
                return Retry("Shopify's answer is unreadable, and nothing was changed yet.")
            return Rejected("The shop has no customer with this e-mail address.")
        change = {"id": found["id"], "set": listed(intent, "set"), "remove": listed(intent, "remove")}
        return self.judged(await self.call(self._ask(_TAGS, change)), intent)

    async def _draft_of(self, intent: SendIntent) -> Result | None:
        """The draft of an earlier try; None when there is none."""
        asked = await self.call(self._ask(_FIND_DRAFT, {"query": f"tag:{marker_of(intent.key)}"}, harmless=True))
        nodes = data_of(asked, "draftOrders", "nodes") if isinstance(asked, Answer) else None
        if not isinstance(asked, Answer) or not isinstance(nodes, list):
            refused = self._refused(asked) if isinstance(asked, Answer) else None
            return refused or self._nothing_done(asked, intent)
        return _drafted(nodes[0]) if nodes and isinstance(nodes[0], Mapping) else None

    def _nothing_done(self, asked: Answer | Broken, intent: SendIntent) -> Result:
        """A question that broke changed nothing."""
        result = self.judged(asked, intent) if not isinstance(asked, Answer) or asked.status != 200 else None
        return (
            result if isinstance(result, Retry | Rejected) else Retry("Shopify could not be asked; nothing was done.")
        )

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        refused = self._refused(answer)
        if refused is not None or answer.status != 200 or answer.is_page:
            return refused
        data = data_of(answer)
        if not isinstance(data, Mapping):
            return Unknown("Shopify's answer cannot be read.")
        complaints = [
            complaint
            for part in data.values()
            if isinstance(part, Mapping) and isinstance(part.get("userErrors"), list)
            for complaint in part["userErrors"]
            if isinstance(complaint, Mapping)
        ]
        # A code is ours alone: that it is taken means that an earlier try arrived.
        if complaints and not all(complaint.get("code") == "TAKEN" for complaint in complaints):
            return Rejected(f"Shopify refuses this: {short(complaints[0].get('message'))}.")
        made = data_of(answer, "discountCodeBasicCreate", "codeDiscountNode")
        if isinstance(made, Mapping):
            return Accepted(str(made.get("id")))
        draft = data_of(answer, "draftOrderCreate", "draftOrder")
        if isinstance(draft, Mapping):
            return _drafted(draft)
        known = {"tagsAdd", "discountCodeBasicCreate", "draftOrderCreate"} & set(data)
        return Accepted() if known else Unknown("Shopify's answer says nothing of what was asked.")

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """customerRequestDataErasure for every customer with one of these addresses or numbers."""
        named = [{"emailAddress": email} for email in person.emails]
        named += [{"phoneNumber": phone} for phone in person.phones]
        customers: set[str] = set()
        for by in named:
            asked = await self.asked(self._ask(_CUSTOMER_BY, {"by": by}))
            if not isinstance(asked, Answer):
                return asked
            if data_of(asked) is None:
                refused = self.judged_erasure(asked)
                return refused if isinstance(refused, Retry | Rejected) else Retry("Shopify could not be asked.")
            found = data_of(asked, "customerByIdentifier", "id")
            customers |= {found} if isinstance(found, str) else set()
        return [self._ask(_ERASE, {"id": customer}) for customer in sorted(customers)]

    def read_erased(self, answer: Answer) -> Result | None:
        refused = self._refused(answer)
        if refused is not None or answer.status != 200:
            return refused
        said_of = data_of(answer, "customerRequestDataErasure")
        if not isinstance(said_of, Mapping):
            return Unknown("Shopify's answer cannot be read.")
        complaints = [one for one in said_of.get("userErrors") or () if isinstance(one, Mapping)]
        if any(one.get("code") == "DOES_NOT_EXIST" for one in complaints):
            return Accepted(detail=NOBODY)
        if complaints:
            return Rejected(f"Shopify does not erase them: {short(complaints[0].get('message'))}.")
        return Accepted()

    def _refused(self, answer: Answer) -> Result | None:
        errors = errors_of(answer)
        if answer.status in (401, 403) and not answer.is_page:
            return Retry(f"Shopify refuses the token ({answer.status}): make a new one.", after=NEW_KEY_PAUSE)
        if not errors:
            return None
        codes, words = codes_of(errors), said(answer)
        if "THROTTLED" in codes:
            return Retry(f"Shopify asks to wait{words}.", after=timedelta(seconds=5))
        if "ACCESS_DENIED" in codes:
            return Retry(f"The token lacks a right{words}: add the scopes of the channel's page.", after=NEW_KEY_PAUSE)
        if codes & {"INTERNAL_SERVER_ERROR", "MAX_COST_EXCEEDED"}:
            return Unknown(f"Shopify failed{words}.")
        return Rejected(f"Shopify refuses this{words}.")

    def _ask(self, document: str, variables: dict[str, Any], *, harmless: bool = False) -> Request:
        login = {"x-shopify-access-token": self.credentials.access_token.get_secret_value()}
        address = f"https://{self.settings.shop}/admin/api/{VERSION}/graphql.json"
        return graphql(address, document, variables, login, harmless=harmless)


def _code(intent: SendIntent, now: str) -> dict[str, Any]:
    code, percent = text_of(intent.content, "code", 60), intent.content.get("percent")
    if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= 100:
        raise ContentInvalid("percent must be a whole number from 1 to 100.")
    wanted_of: dict[str, Any] = {
        "title": f"Whyleft {code}",
        "code": code,
        "startsAt": now,
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"all": "ALL"},
        "customerGets": {"value": {"percentage": percent / 100}, "items": {"all": True}},
    }
    if intent.content.get("until") is not None:
        wanted_of["endsAt"] = text_of(intent.content, "until", 40)
    return wanted_of


def _draft(intent: SendIntent) -> dict[str, Any]:
    items = intent.content.get("items")
    if not isinstance(items, list) or not 0 < len(items) <= 100:
        raise ContentInvalid("items must be a list of {variant_id, quantity}.")
    lines = []
    for item in items:
        variant = str(item.get("variant_id", "")) if isinstance(item, Mapping) else ""
        quantity = item.get("quantity", 1) if isinstance(item, Mapping) else 0
        if not variant.rpartition("/")[2].isdigit() or not isinstance(quantity, int) or not 1 <= quantity <= 999:
            raise ContentInvalid("Each of items needs a variant_id of the shop and a quantity from 1 to 999.")
        lines.append({"variantId": f"gid://shopify/ProductVariant/{variant.rpartition('/')[2]}", "quantity": quantity})
    made: dict[str, Any] = {"lineItems": lines, "tags": ["whyleft", marker_of(intent.key)]}
    if intent.content.get("email"):
        made["email"] = text_of(intent.content, "email", 320)
    if intent.content.get("code"):
        made["discountCodes"] = [text_of(intent.content, "code", 60)]
    return made


def _drafted(draft: Mapping[str, object]) -> Accepted:
    url = draft.get("invoiceUrl")
    return Accepted(str(draft.get("id")), url if isinstance(url, str) else None)
