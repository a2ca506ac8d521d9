from __future__ import annotations

import re

import msgspec
import pytest

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import ShopFacts, fill
from insights.decisions.eligibility import eligible
from insights.decisions.guardrails import Limits
from insights.decisions.moment import Moment, moment_of
from insights.decisions.offer import Catalogue, Face, LiveOffer
from insights.intents.stage import stage_of
from insights.vocabulary.actions import LiveAction
from tests.profiles.visit import Visit

PRESSURE = re.compile(
    r"\b(hurry|only \d|last chance|ends|expires?|now or never|don't miss|act now|limited|guarantee)\b|!", re.I
)

FACES = [(offer, face) for offer in DEFAULT_CATALOGUE.offers for face in offer.faces]
SHOWN = [(offer, face) for offer, face in FACES if offer.action is not LiveAction.DISCOUNT_POPUP]
NAMES = [f"{offer.action.value}-{offer.faces.index(face)}" for offer, face in SHOWN]


def moment_of_visit(visit: Visit, path: str = "/") -> Moment:
    stage = stage_of(visit.profile, visit.intent)
    return moment_of(visit.profile, visit.intent, stage, now_ms=visit.at_ms, event_type=visit.told[-1].type, path=path)


def test_every_action_but_doing_nothing_is_in_the_catalogue_once() -> None:
    actions = [offer.action for offer in DEFAULT_CATALOGUE.offers]
    assert sorted(actions) == sorted(set(LiveAction) - {LiveAction.DO_NOTHING})


def test_priorities_differ_so_that_the_rules_never_toss_a_coin() -> None:
    priorities = [offer.priority for offer in DEFAULT_CATALOGUE.offers]
    assert len(set(priorities)) == len(priorities)


@pytest.mark.parametrize(("offer", "face"), SHOWN, ids=NAMES)
def test_content_is_what_the_browser_can_draw(offer: LiveOffer, face: Face) -> None:
    visit = Visit().product("a").product("b").add()
    facts = ShopFacts(contact_href="/contact", free_shipping_from_minor=5000, currency="EUR")
    drawn = fill(face.template, face.content, moment_of_visit(visit), facts)
    assert drawn.template in ("banner", "popup")
    content = msgspec.json.decode(msgspec.json.encode(drawn.content))
    assert set(content) <= {"title", "body", "cta", "input", "dismiss_label", "thanks"}
    assert content["title"] and content["body"] and content["dismiss_label"]
    assert "{" not in str([content["title"], content["body"], content.get("thanks")])
    if content["input"] is None:
        assert content["cta"] is None or content["cta"]["href"].startswith("/")
    else:
        assert drawn.template == "popup"
        assert content["input"]["kind"] == "email"
        assert content["input"]["label"] and content["input"]["consent_label"]
        assert content["cta"]["label"] and content["thanks"]


@pytest.mark.parametrize(("offer", "face"), SHOWN, ids=NAMES)
def test_the_words_put_nobody_under_pressure(offer: LiveOffer, face: Face) -> None:
    said = " ".join(str(face.content.get(part) or "") for part in ("title", "body", "thanks"))
    assert not PRESSURE.search(said)


def test_a_link_to_a_page_nobody_knows_is_left_out() -> None:
    visit = Visit().page("/").add()
    drawn = fill("banner", {"title": "x", "cta": {"label": "y", "href": "@cart"}}, moment_of_visit(visit), ShopFacts())
    assert drawn.content["cta"] is None


def test_a_category_named_like_a_word_of_ours_is_only_a_name() -> None:
    visit = Visit().product("a", category="{missing}").product("b", category="{missing}")
    drawn = fill("banner", {"title": "{count} of {category} and {nonsense}"}, moment_of_visit(visit), ShopFacts())
    assert drawn.content["title"] == "2 of “{missing}” and "


def test_filling_in_never_changes_the_catalogue() -> None:
    before = msgspec.json.encode([dict(face.content) for _, face in FACES])
    visit = Visit().page("/cart").product("a").add()
    for _, face in FACES:
        fill(face.template, face.content, moment_of_visit(visit), ShopFacts())
    assert msgspec.json.encode([dict(face.content) for _, face in FACES]) == before


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (6000, "EUR", "60.00 EUR"),
        (5, "USD", "0.05 USD"),
        (500, "JPY", "500 JPY"),
        (12750, "KWD", "12.750 KWD"),
        (12345, "CLF", "1.2345 CLF"),
    ],
)
def test_money_is_written_out_with_its_currency(minor: int, currency: str, text: str) -> None:
    facts = ShopFacts(free_shipping_from_minor=minor, currency=currency)
    drawn = fill("banner", {"title": "from {threshold}"}, moment_of_visit(Visit().page("/")), facts)
    assert drawn.content["title"] == f"from {text}"


def test_a_discount_is_never_made_up_for_a_shop_that_set_up_none() -> None:
    visit = Visit().product("a").product("b").add()
    for facts, reason in ((ShopFacts(), "no margin data"), (ShopFacts(margin_rate=0.4), "the shop set up none")):
        moment = moment_of_visit(visit)
        _, excluded = eligible(moment, Catalogue(DEFAULT_CATALOGUE.offers, facts), Limits())
        assert excluded["discount_popup"] == reason
