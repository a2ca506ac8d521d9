"""The catalogue over HTTP, and what it gives away when many ask at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from adapters.postgres.engine import DatabaseUrls
from insights.decisions.plan import ARMS, Learned
from insights.decisions.situation import NAMES
from insights.models import Decision, DiscountCode, LiveClaim, LiveSpend
from insights.plans.load import Stamp, read_stamp
from insights.policies.policy import Policy, Settings
from insights.policies.sums import Sums
from insights.privacy.erase import erase_visitors
from insights.settings import Settings as ServerSettings
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api
from tests.process import running

WORDS = {
    "default": {"title": "{percent} % for you", "body": "Your code is {code}.", "cta_label": "Go", "cta_href": "@cart"}
}


def discount(**other: Any) -> dict[str, Any]:
    return {
        "name": "ten",
        "action": "discount_popup",
        "template": "popup",
        "content": WORDS,
        "stages": ["cart_adder", "high_intent"],
        "when": "session.leaving = true",
        "priority": 95,
        "incentive": {"percent": 10, "per_device": 1000},
    } | other


async def ask(api: Api, method: str, path: str, **options: Any) -> Any:
    headers = api.headers | options.pop("headers", {})
    return await api.client.request(method, path, headers=headers, **options)


async def with_margin(api: Api) -> None:
    answer = await ask(api, "PATCH", "/v1/shop", json={"currency": "EUR", "margin_rate": 0.4})
    assert answer.status_code == 200


async def leaves_with_a_cart(
    api: Api, visitor: str | None = None, session: str | None = None, **headers: str
) -> dict[str, Any] | None:
    """Somebody puts 50.00 in the cart and is about to leave; the action that they are shown."""
    page = {"path": "/product/kettle", "url": "https://shop.example/product/kettle"}
    cart = {"path": "/cart", "url": "https://shop.example/cart"}
    props = {"product_id": "k", "price_minor": 5_000, "currency": "EUR", "quantity": 1, "cart_total_minor": 5_000}
    events = [
        api.event("page_viewed", page),
        api.event("cart_added", props),
        api.event("page_viewed", cart),
        api.event("exit_intent", {}),
    ]
    for seq, event in enumerate(events):
        event |= {"seq": seq, "t": event["t"] - 10_000 + seq}
    who = {"visitor": visitor or str(uuid4()), "session": session or str(uuid7())}
    batch = api.batch(*events, **who, page={"url": "https://shop.example/cart"})
    answer = await api.send(batch, headers=headers)
    assert answer.status_code == 200, answer.text
    action: dict[str, Any] | None = answer.json()["action"]
    return action


async def stamp_of(api: Api) -> Stamp:
    async with api.services.database.transaction(api.project_id) as tx:
        return await read_stamp(tx, api.project_id)


async def test_where_names_must_be_signed_nobody_is_asked_to_type_one(api: Api) -> None:
    own = {"title": "Ten percent", "consent_label": "Yes, write to me", "cta_label": "Send", "body": "For your order."}
    entry = discount(name="letter", action="identity_capture", content={"default": own}, incentive=None)
    assert (await ask(api, "POST", "/v1/live-actions", json=entry)).status_code == 201
    believing = await stamp_of(api)
    await ask(api, "POST", "/v1/identity/secrets", json={})
    assert (await ask(api, "PATCH", "/v1/identity", json={"mode": "required"})).status_code == 200
    # Processes that have a plan at hand make another.
    assert await stamp_of(api) != believing
    shown = await leaves_with_a_cart(api)
    assert shown is not None
    assert (shown["action"], shown["content"]["input"]) == ("cart_save", None)


@pytest.mark.parametrize(
    ("asked", "closes"),
    [
        ("fr-CA", "Fermer"),
        ("de-AT", "Nicht jetzt"),
        ("zh-TW", "關閉"),
        ("zh-tw", "關閉"),
        ("zh-Hant-TW,zh", "關閉"),
        ("eo", "Esperanto"),
        ("it-IT", "Close"),
        ("fi-FI", "Sulje"),
        ("fil-PH", "Close"),
        ("*", "Close"),
    ],
)
async def test_what_closes_an_action_is_said_in_the_language_of_its_words(api: Api, asked: str, closes: str) -> None:
    await with_margin(api)
    words = WORDS["default"]
    content = {
        "default": words,
        "fr": words,
        "fi": words,
        "de": words | {"dismiss_label": "Nicht jetzt"},
        "zh-TW": words,
        "eo": words | {"dismiss_label": "Esperanto"},
    }
    made = await ask(api, "POST", "/v1/live-actions", json=discount(content=content))
    assert made.status_code == 201, made.text
    action = await leaves_with_a_cart(api, **{"accept-language": asked})
    assert action is not None
    assert action["content"]["dismiss_label"] == closes


async def test_a_discount_takes_the_place_of_the_built_in_one_and_shows_its_own_code(api: Api) -> None:
    await with_margin(api)
    made = await ask(api, "POST", "/v1/live-actions", json=discount())
    assert made.status_code == 201, made.text
    action = await leaves_with_a_cart(api)
    assert action is not None
    assert action["action"] == "discount_popup"
    assert action["content"]["title"] == "10 % for you"
    async with api.services.database.transaction(api.project_id) as tx:
        code = (await tx.scalars(select(DiscountCode.code))).one()
        decision = (await tx.scalars(select(Decision).where(Decision.action == "discount_popup"))).one()
    assert code in action["content"]["body"]
    assert decision.given_minor == 500
    listed = (await ask(api, "GET", "/v1/live-actions")).json()
    assert [one["spent_today_minor"] for one in listed["live_actions"]] == [500]
    assert "discount_popup" not in [one["action"] for one in listed["built_in"]]
    redeemed = await ask(api, "POST", f"/v1/codes/{code}/redeem")
    assert redeemed.json() == {"percent": 10}


async def test_fifty_at_once_never_overdraw_one_budget(api: Api) -> None:
    await with_margin(api)
    incentive = {"percent": 10, "per_device": 1000, "budget_minor": 3_700}
    await ask(api, "POST", "/v1/live-actions", json=discount(incentive=incentive))
    await api.services.plans.plan_of(api.project_id)
    shown = await asyncio.gather(*(leaves_with_a_cart(api) for _ in range(50)))
    discounts = [one for one in shown if one is not None and one["action"] == "discount_popup"]
    assert len(discounts) == 7
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(LiveSpend.spent_minor)) == 3_500
        assert await tx.scalar(select(func.count()).select_from(DiscountCode)) == 7
        assert (
            await tx.scalar(select(func.count()).select_from(Decision).where(Decision.action == "discount_popup")) == 7
        )


async def test_fresh_visitor_ids_from_one_device_farm_no_codes(api: Api) -> None:
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount(incentive={"percent": 10, "per_device": 3}))
    browser = {"user-agent": "Farmer/1.0"}
    shown = await asyncio.gather(*(leaves_with_a_cart(api, **browser) for _ in range(60)))
    assert sum(one is not None and one["action"] == "discount_popup" for one in shown) == 3
    other = await leaves_with_a_cart(api, **{"user-agent": "Somebody/1.0"})
    assert other is not None
    assert other["action"] == "discount_popup"


async def test_one_address_gets_one_code_however_many_devices_it_is_given_on(api: Api) -> None:
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount())
    visits = [(str(uuid4()), str(uuid7())) for _ in range(4)]
    for visitor, session in visits:
        said = api.event("identified", {"email": "ada@example.org"})
        said["t"] -= 60_000
        assert (await api.send(api.batch(said, visitor=visitor, session=session))).status_code == 200
    shown = await asyncio.gather(
        *(leaves_with_a_cart(api, *visit, **{"user-agent": f"Device/{n}"}) for n, visit in enumerate(visits))
    )
    shown += [await leaves_with_a_cart(api, *visit, **{"user-agent": "Another/1.0"}) for visit in visits]
    assert sum(one is not None and one["action"] == "discount_popup" for one in shown) == 1
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(DiscountCode)) == 1
    stranger = await leaves_with_a_cart(api)
    assert stranger is not None
    assert stranger["action"] == "discount_popup"


async def test_one_mailbox_gets_one_code_whatever_accounts_and_spellings_it_is_given_under(api: Api) -> None:
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount())
    spellings = ["ada@example.org", "ADA+shop@example.org", "ada@example.org", "ada+2@example.org", "bob@example.org"]
    visits = [(str(uuid4()), str(uuid7())) for _ in spellings]
    for number, (email, (visitor, session)) in enumerate(zip(spellings, visits, strict=True)):
        # An account each: they are several customers, and no link makes one person of them.
        said = api.event("identified", {"email": email, "user_id": f"account-{number}"})
        said["t"] -= 60_000
        assert (await api.send(api.batch(said, visitor=visitor, session=session))).status_code == 200
    shown = await asyncio.gather(
        *(leaves_with_a_cart(api, *visit, **{"user-agent": f"Device/{n}"}) for n, visit in enumerate(visits))
    )
    assert sum(one is not None and one["action"] == "discount_popup" for one in shown) == 2
    async with api.services.database.transaction(api.project_id) as tx:
        counted = (await tx.scalars(select(LiveClaim).where(LiveClaim.scope.startswith("mailbox ")))).all()
        assert [one.count for one in counted] == [1, 1]
        await erase_visitors(tx, api.project_id, [UUID(visits[-1][0])])
        left = (await tx.scalars(select(LiveClaim).where(LiveClaim.scope.startswith("mailbox ")))).all()
    assert len(left) == 1


async def test_without_room_what_ranks_next_is_shown_and_what_would_have_been_is_logged(api: Api) -> None:
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount(incentive={"percent": 10, "budget_minor": 10}))
    shown = await leaves_with_a_cart(api)
    assert shown is not None
    assert shown["action"] == "cart_save"
    async with api.services.database.transaction(api.project_id) as tx:
        full, next_best = (await tx.scalars(select(Decision).order_by(Decision.policy))).all()
        assert await tx.scalar(select(func.count()).select_from(DiscountCode)) == 0
    assert (full.action, full.policy, full.held_back) == ("do_nothing", "no_room", "discount_popup")
    assert (full.entry_id, full.given_minor) == (None, None)
    assert (next_best.action, next_best.policy, str(next_best.id)) == ("cart_save", "rules-1", shown["decision_id"])
    assert next_best.excluded["discount_popup"] == "its budget, cap or codes had just run out"
    assert "discount_popup" not in next_best.probabilities
    assert next_best.decided_at > full.decided_at


async def test_of_many_that_have_no_room_a_few_are_tried(api: Api) -> None:
    await with_margin(api)
    for number in range(5):
        too_little = {"percent": 10, "budget_minor": 10 + number}
        entry = discount(name=f"discount {number}", priority=95 - number, incentive=too_little)
        await ask(api, "POST", "/v1/live-actions", json=entry)
    assert await leaves_with_a_cart(api) is None
    async with api.services.database.transaction(api.project_id) as tx:
        assert {one.policy for one in await tx.scalars(select(Decision))} == {"no_room"}
        assert await tx.scalar(select(func.count()).select_from(Decision)) == 3


async def test_one_code_a_visitor_who_is_shown_other_actions_on_later_visits(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(ServerSettings(data_dir=tmp_path, action_gap_seconds=0), database_urls) as process:
        api, visitor = Api(process), str(uuid4())
        await with_margin(api)
        await ask(api, "POST", "/v1/live-actions", json=discount())
        shown = [await leaves_with_a_cart(api, visitor) for _ in range(2)]
    assert [one and one["action"] for one in shown] == ["discount_popup", "cart_save"]


async def test_a_visitor_reads_it_in_their_language(api: Api) -> None:
    words = WORDS | {"de": {"title": "{percent} % für Sie", "body": "Ihr Code: {code}"}}
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount(content=words))
    german = await leaves_with_a_cart(api, **{"accept-language": "de-AT,de;q=0.9", "user-agent": "a"})
    french = await leaves_with_a_cart(api, **{"accept-language": "fr", "user-agent": "b"})
    assert german is not None and french is not None
    assert german["content"]["title"] == "10 % für Sie"
    assert french["content"]["title"] == "10 % for you"


async def test_a_disabled_entry_shows_nothing_of_its_kind(api: Api) -> None:
    await with_margin(api)
    made = (await ask(api, "POST", "/v1/live-actions", json=discount())).json()
    await ask(api, "PUT", f"/v1/live-actions/{made['id']}", json=discount(enabled=False))
    action = await leaves_with_a_cart(api)
    assert action is None or action["action"] != "discount_popup"
    assert (await ask(api, "DELETE", f"/v1/live-actions/{made['id']}")).status_code == 204
    assert (await ask(api, "GET", f"/v1/live-actions/{made['id']}")).status_code == 404


async def test_an_older_etag_and_a_taken_name_change_nothing(api: Api) -> None:
    await with_margin(api)
    made = await ask(api, "POST", "/v1/live-actions", json=discount())
    path = f"/v1/live-actions/{made.json()['id']}"
    assert (await ask(api, "PUT", path, json=discount(priority=1))).status_code == 200
    old = await ask(api, "PUT", path, json=discount(priority=2), headers={"if-match": made.headers["etag"]})
    assert old.status_code == 412
    assert (await ask(api, "POST", "/v1/live-actions", json=discount())).status_code == 409


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stages": []}, "/stages"),
        ({"stages": ["anonymous", "browser"]}, "no cart"),
        ({"content": {"default": {"title": "Ten off", "body": "Hurry not."}}}, "nobody would read the code"),
        ({"name": "a\x00b"}, "name: holds a NUL"),
        ({"content": {"default": {"title": "a\x00b", "body": "{code}"}}}, "content.default.title: holds a NUL"),
        ({"when": 'page.path = "/\x00"'}, "when: holds a NUL"),
        ({"content": {"de": {"title": "a", "body": "b"}}}, "content.default"),
        ({"content": {"default": {"title": " ", "body": "b"}}}, "/content/default/title"),
        ({"content": {"default": {"title": "{cod}", "body": "b"}}}, "{cod}"),
        ({"content": {"default": {"title": "a", "body": "b", "cta_href": "javascript:x"}}}, "cta_href"),
        ({"when": "session.leavin = true"}, "session.leavin"),
        ({"when": 'insight.reason = "unclear"'}, "insight.reason"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}, "before it starts"),
        ({"incentive": None}, "/incentive"),
        ({"incentive": {"percent": 50}}, "cannot bear 50 %"),
        ({"incentive": {"percent": 10, "margin_floor": 0.35}}, "cannot bear"),
        ({"incentive": {"percent": 10, "budget_minor": 0}}, "budget"),
        ({"action": "do_nothing", "incentive": None, "content": {"default": {"title": "a", "body": "b"}}}, "/action"),
        ({"action": "fly"}, "action"),
        ({"template": "hologram"}, "template"),
        ({"unheard": 1}, "unheard"),
    ],
)
async def test_what_could_never_be_shown_is_refused_with_the_reason(
    api: Api, change: dict[str, Any], says: str
) -> None:
    await with_margin(api)
    answer = await ask(api, "POST", "/v1/live-actions", json=discount(**change))
    assert answer.status_code in (400, 422), answer.text
    assert says in answer.text.replace("\\", "")


@pytest.mark.parametrize(("margin_rate", "percent", "floor"), [(0.3, 10, 0.2), (0.35, 10, 0.25), (0.6, 15, 0.45)])
async def test_what_leaves_just_the_margin_it_must_is_shown(
    api: Api, margin_rate: float, percent: int, floor: float
) -> None:
    await ask(api, "PATCH", "/v1/shop", json={"currency": "EUR", "margin_rate": margin_rate})
    incentive = {"percent": percent, "margin_floor": floor, "per_device": 1000}
    answer = await ask(api, "POST", "/v1/live-actions", json=discount(incentive=incentive))
    assert answer.status_code == 201, answer.text
    action = await leaves_with_a_cart(api)
    assert action is not None
    assert action["action"] == "discount_popup"


async def test_without_margin_data_nothing_can_be_given_away(api: Api) -> None:
    answer = await ask(api, "POST", "/v1/live-actions", json=discount())
    assert answer.status_code == 400
    assert "say first what margin the shop has" in answer.text


async def test_other_projects_see_none_of_it(api: Api) -> None:
    answer = await ask(api, "GET", f"/v1/live-actions/{uuid7()}")
    assert answer.status_code == 404


async def test_past_the_deadline_the_rules_decide_alone(api: Api) -> None:
    plan = await api.services.plans.plan_of(api.project_id)
    sums = Sums.empty(len(ARMS), len(NAMES))
    learned = replace(plan, learned=Learned(Policy.of(sums, Settings()), 1))
    api.services.plans._pages[api.project_id.int].plan = learned
    object.__setattr__(api.services.action_limits, "deadline_ms", 60_000)
    await leaves_with_a_cart(api)
    object.__setattr__(api.services.action_limits, "deadline_ms", -1)
    await leaves_with_a_cart(api)
    async with api.services.database.transaction(api.project_id) as tx:
        policies = list(await tx.scalars(select(Decision.policy).order_by(Decision.decided_at)))
    assert policies == ["learned-1", "rules-1"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/policies", {"name": "a\x00b"}),
        ("POST", "/v1/policies", {"name": "a\ud800b"}),
        ("PATCH", "/v1/shop", {"contact_href": "/a\x00b"}),
        ("POST", "/v1/live-actions", discount(group="a\ud800b")),
    ],
)
async def test_what_the_database_cannot_hold_is_refused_by_name(
    api: Api, method: str, path: str, body: dict[str, Any]
) -> None:
    sent = {"content": json.dumps(body).encode(), "headers": {"content-type": "application/json"}}
    answer = await ask(api, method, path, **sent)
    assert answer.status_code in (400, 422)
    assert "holds" in answer.text
