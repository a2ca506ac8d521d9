from __future__ import annotations

import math

import pytest

from insights.intents import prior
from insights.intents.features import FEATURES, SKEW_MS, features
from insights.intents.score import SCORES, explain, score
from insights.profiles.profile import Profile
from tests.profiles.visit import START, Visit


def log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def test_the_prior_weighs_only_features_there_are() -> None:
    assert set(prior.WEIGHTS) == set(prior.BIAS) == set(SCORES)
    for weights in prior.WEIGHTS.values():
        assert set(weights) <= set(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES) == len(features(Profile(), START))


def test_every_feature_moves_some_score() -> None:
    assert {name for weights in prior.WEIGHTS.values() for name in weights} == set(FEATURES)


def test_a_stranger_gets_the_bias_and_nothing_else() -> None:
    intent = score(Profile(), START)
    assert log_odds(intent.propensity) == pytest.approx(prior.BIAS["propensity"])
    assert intent.affinity == {}
    assert intent.model == "prior-1"
    assert [term.feature for term in explain(Profile(), START)["propensity"]] == ["bias"]


def test_the_terms_of_a_score_add_up_to_it() -> None:
    visit = Visit()
    visit.shelf("beans").product("harbour").product("meadow").product("harbour").add()
    visit.event("hover_hesitation", selector="p.price", ms=2500).event("coupon_tried", accepted=False)
    visit.event("exit_intent")
    intent, terms = visit.intent, explain(visit.profile, visit.at_ms)
    for name in SCORES:
        assert sum(term.adds for term in terms[name]) == pytest.approx(log_odds(getattr(intent, name)))
        sizes = [abs(term.adds) for term in terms[name][1:]]
        assert sizes == sorted(sizes, reverse=True)
        assert all(sizes)


def test_propensity_rises_on_the_way_to_an_order_and_is_certain_after_it() -> None:
    visit = Visit()
    seen = [visit.page("/").intent.propensity]
    seen.append(visit.product("moka", "brewers").intent.propensity)
    seen.append(visit.add().intent.propensity)
    seen.append(visit.event("checkout_started", items=1).intent.propensity)
    seen.append(visit.event("checkout_step", step="payment").intent.propensity)
    seen.append(visit.event("purchased", order_id="1").intent.propensity)
    assert seen == sorted(seen)
    assert seen[0] < 0.05
    assert seen[-2] > 0.5
    assert seen[-1] == 1.0


def test_a_sign_of_leaving_raises_the_bounce_risk_and_fades_as_they_stay() -> None:
    visit = Visit()
    before = visit.page("/").product("moka").intent.bounce_risk
    leaving = visit.event("exit_intent").intent.bounce_risk
    stayed = visit.wait(120).event("clicked").intent.bounce_risk
    assert leaving > before
    assert stayed < leaving


def test_looks_at_prices_and_refused_coupons_speak_of_price() -> None:
    visit = Visit()
    plain = visit.page("/").product("moka").intent.price_sensitivity
    hovering = visit.event("hover_hesitation", selector="[data-price]", ms=3000).intent.price_sensitivity
    refused = visit.event("coupon_tried", accepted=False).intent.price_sensitivity
    assert plain < 0.2 < hovering < refused
    assert refused > 0.5


def test_hovering_over_something_else_does_not() -> None:
    visit = Visit()
    visit.page("/").product("moka")
    before = visit.intent.price_sensitivity
    assert visit.event("hover_hesitation", selector="button.add", ms=3000).intent.price_sensitivity == before


def test_things_that_break_cost_propensity_and_raise_the_risk() -> None:
    visit = Visit()
    visit.product("moka").add()
    before = visit.intent
    visit.event("request_failed", path="/api/cart", status=500).event("rage_click", count=4)
    assert visit.intent.propensity < before.propensity
    assert visit.intent.bounce_risk > before.bounce_risk


def test_affinity_is_a_distribution_with_the_favourite_first() -> None:
    visit = Visit()
    visit.product("a", "cups").product("b", "beans").product("c", "beans").add("d", "brewers")
    affinity = visit.intent.affinity
    assert sum(affinity.values()) == pytest.approx(1)
    assert next(iter(affinity)) == "brewers"
    assert set(affinity) == {"cups", "beans", "brewers"}


def test_a_browser_clock_that_is_minutes_off_is_not_taken_for_silence() -> None:
    visit = Visit()
    visit.page("/")
    assert score(visit.profile, visit.at_ms + SKEW_MS) == score(visit.profile, visit.at_ms - SKEW_MS)
    gone = score(visit.profile, visit.at_ms + SKEW_MS + 1_800_000)
    assert gone.bounce_risk > visit.intent.bounce_risk


def test_an_intent_is_logged_as_it_was() -> None:
    visit = Visit()
    intent = visit.product("moka").intent
    assert intent.as_dict() == {
        "propensity": intent.propensity,
        "bounce_risk": intent.bounce_risk,
        "price_sensitivity": intent.price_sensitivity,
        "affinity": {"beans": 1.0},
        "model": "prior-1",
    }
