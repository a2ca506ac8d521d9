"""Decisions of a policy that has learned: what is drawn, what is logged, who is held out."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.decide import HOLDOUT, Choice, Limits
from insights.decisions.offer import Catalogue
from insights.decisions.plan import ARM, ARMS, Learned, Plan
from insights.decisions.rank import RULES
from insights.decisions.situation import NAMES
from insights.policies.policy import Policy, Settings
from insights.policies.sums import Sums
from insights.profiles.profile import ACTION_BIT
from insights.vocabulary.actions import LiveAction
from tests.profiles.visit import Visit

WIDE = Limits(actions_per_session=9, gap_ms=0)
SALT = b"salt"


def taught(rewards: dict[LiveAction, float], outcomes: int = 4_000) -> Learned:
    """A policy to whom each action brought so much, whatever the situation; the others brought nothing."""
    sums, rng = Sums.empty(len(ARMS), len(NAMES)), np.random.default_rng(1)
    for _ in range(outcomes):
        arm = int(rng.integers(len(ARMS)))
        row = np.concatenate([[1.0], rng.random(len(NAMES) - 1) < 0.2])
        sums.add(arm, row, rewards.get(ARMS[arm], 0.0) + float(rng.normal()) * 0.1)
    return Learned(Policy.of(sums, Settings()), 7)


def leaving_with_a_cart() -> Visit:
    visit = Visit()
    return visit.product("moka", "brewers").add().wait(60).page("/").event("exit_intent")


def chosen(visit: Visit, plan: Plan, decision_id: UUID | None = None) -> Choice:
    choice = visit.decide(plan=plan, limits=WIDE, decision_id=decision_id or uuid4())
    assert choice is not None
    return choice


def test_what_earned_most_is_shown_most_and_the_log_holds_the_exact_chances() -> None:
    plan = Plan(salt=SALT, learned=taught({LiveAction.DO_NOTHING: 1.0}))
    counts = dict.fromkeys(LiveAction, 0)
    choice = chosen(leaving_with_a_cart(), plan)
    for _ in range(2_000):
        counts[chosen(leaving_with_a_cart(), plan).action] += 1
    assert choice.policy == "learned-7"
    assert sum(choice.probabilities.values()) == pytest.approx(1.0)
    for action, chance in choice.probabilities.items():
        assert counts[LiveAction(action)] / 2_000 == pytest.approx(chance, abs=0.04)
    assert choice.learning.rules is LiveAction.CART_SAVE
    assert choice.learning.say == pytest.approx(0.8, abs=0.05)
    assert choice.probabilities["cart_save"] == pytest.approx(1 - choice.learning.say, abs=0.05)


def test_without_experience_the_rules_decide_nearly_always() -> None:
    plan = Plan(salt=SALT, learned=taught({}, outcomes=0))
    choice = chosen(leaving_with_a_cart(), plan)
    assert choice.learning.say == pytest.approx(0.1)
    assert choice.probabilities["cart_save"] > 0.9


def test_the_same_decision_draws_the_same_action() -> None:
    plan, decision_id = Plan(salt=SALT, learned=taught({})), uuid4()
    assert len({chosen(leaving_with_a_cart(), plan, decision_id).action for _ in range(20)}) == 1


def test_a_held_out_visitor_gets_nothing_and_it_is_logged_what_the_rules_would_have_done() -> None:
    choice = chosen(leaving_with_a_cart(), Plan(salt=SALT, holdout=1.0, learned=taught({})))
    assert choice.action is LiveAction.DO_NOTHING
    assert choice.policy == HOLDOUT
    assert choice.offer is None
    assert choice.probabilities["do_nothing"] == 1.0
    assert choice.learning.rules is LiveAction.CART_SAVE
    assert choice.learning.holdout


def test_as_many_are_held_out_as_asked_for_and_raising_the_share_frees_nobody() -> None:
    visitors = [uuid4() for _ in range(4_000)]
    few, many = Plan(salt=SALT, holdout=0.05), Plan(salt=SALT, holdout=0.2)
    held = {visitor for visitor in visitors if few.holds_out(visitor)}
    assert len(held) / 4_000 == pytest.approx(0.05, abs=0.015)
    assert sum(map(many.holds_out, visitors)) / 4_000 == pytest.approx(0.2, abs=0.03)
    assert all(many.holds_out(visitor) for visitor in held)
    assert not any(Plan(salt=SALT).holds_out(visitor) for visitor in visitors)


def test_who_is_left_alone_is_left_alone_by_a_policy_as_well() -> None:
    visit = Visit(pace=2).shelf("beans").product("a").product("b").product("c").add()
    visit.page("/").event("hover_hesitation", section="price").add()
    plan = Plan(salt=SALT, learned=taught({LiveAction.FREE_SHIPPING_BANNER: 5.0}))
    for _ in range(50):
        choice = visit.decide(plan=plan, limits=WIDE)
        visit.profile.quiet_at = 0
        assert choice is not None
        assert choice.action is LiveAction.DO_NOTHING


def test_after_a_draw_of_nothing_there_is_no_second_draw_before_something_new_comes_up() -> None:
    plan = Plan(salt=SALT, learned=taught({LiveAction.DO_NOTHING: 5.0}, outcomes=100_000))
    visit = leaving_with_a_cart()
    first = chosen(visit, plan)
    assert first.action is LiveAction.DO_NOTHING
    for _ in range(30):
        visit.at_ms += 10
        assert visit.decide(plan=plan, limits=WIDE) is None
    visit.wait(1).event("coupon_tried", accepted=False)
    assert visit.decide(plan=plan, limits=WIDE) is not None


def test_only_what_is_eligible_ever_has_a_chance() -> None:
    plan = Plan(salt=SALT, learned=taught({LiveAction.DISCOUNT_POPUP: 9.0}))
    choice = chosen(leaving_with_a_cart(), plan)
    assert "discount_popup" not in choice.probabilities
    assert choice.excluded["discount_popup"] == "no margin data"


def test_rules_alone_are_logged_as_certain() -> None:
    choice = chosen(leaving_with_a_cart(), Plan())
    assert choice.policy == RULES
    assert choice.probabilities["cart_save"] == 1.0
    assert choice.learning.say == 0.0


def test_a_situation_is_as_long_as_its_names_finite_and_begins_with_one() -> None:
    row = chosen(leaving_with_a_cart(), Plan()).learning.row
    assert row.shape == (len(NAMES),)
    assert np.isfinite(row).all()
    assert row[0] == 1.0
    assert row[NAMES.index("leaving")] == 1.0
    assert row[NAMES.index("in_cart")] == 1.0
    assert ARM[LiveAction.DO_NOTHING] == len(ARMS) - 1


def test_of_who_is_held_out_the_first_moment_for_acting_is_logged_as_soon_as_it_comes() -> None:
    """What the others are shown at once must not wait here, or the two could not be compared."""
    treated, held = Plan(salt=SALT), Plan(salt=SALT, holdout=1.0)
    moments = []
    for plan in (treated, held):
        # First left alone, as they are doing well; then, within the quiet minute, they are not.
        visit = Visit(pace=2).shelf("beans").product("a").product("b").product("c").add()
        visit.page("/").event("hover_hesitation", section="price").add()
        acted = []
        for step in range(20):
            visit.wait(2).event("scrolled", depth=0.1)
            choice = visit.decide(plan=plan, limits=WIDE)
            if choice is not None:
                would = choice.action if choice.learning.held_back is None else choice.learning.held_back
                acted.append((step, would))
        assert acted[0] == (0, LiveAction.DO_NOTHING)
        moments.append(next(one for one in acted if one[1] is not LiveAction.DO_NOTHING))
    assert moments[0] == moments[1]


def test_what_is_held_back_is_drawn_as_for_the_others() -> None:
    learned = taught({LiveAction.DO_NOTHING: 1.0})
    for _ in range(50):
        decision_id = uuid4()
        shown = chosen(leaving_with_a_cart(), Plan(salt=SALT, learned=learned), decision_id)
        held = chosen(leaving_with_a_cart(), Plan(salt=SALT, holdout=1.0, learned=learned), decision_id)
        assert held.learning.held_back is shown.action
        assert shown.learning.held_back is None


def test_what_had_no_room_is_passed_over_at_once_and_the_chances_are_of_the_others() -> None:
    (saving,) = (offer for offer in DEFAULT_CATALOGUE.offers if offer.action is LiveAction.CART_SAVE)
    entry, other = uuid4(), uuid4()
    shops = Catalogue((replace(saving, entry_id=entry, priority=99), replace(saving, entry_id=other)))
    visit, plan = leaving_with_a_cart(), Plan(salt=SALT, catalogue=shops, learned=taught({LiveAction.CART_SAVE: 9.0}))
    # What was noted of the choice that had no room is that nothing was done.
    visit.profile.quiet = visit.profile.quiet_open = ACTION_BIT[LiveAction.CART_SAVE]
    visit.profile.quiet_at = visit.at_ms
    assert visit.decide(plan=plan, limits=WIDE) is None
    choice = visit.decide(plan=plan, limits=WIDE, without={entry})
    assert choice is not None
    assert choice.shown is None or choice.shown.entry_id == other
    assert sum(choice.probabilities.values()) == pytest.approx(1.0)
    assert visit.decide(plan=plan, limits=WIDE, without={entry, other}) is None
