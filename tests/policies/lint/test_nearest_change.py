"""What would have to be otherwise: the fewest facts, the nearest values, each evaluated."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from policies import Policy, load
from policies.lint.records import Evaluator
from policies.nearest_change import Change, nearest_changes
from tests.policies import drawing
from tests.thorough import up_to

DAY = date(2026, 4, 1)
FULFILMENT, RETURNS = load("fulfilment", DAY), load("returns", DAY)
LOST = {
    "handed_over": True, "on_its_way": True, "hours_since_handed_over": 240.0, "fulfillment_id": "f-1",
    "hours_past_deliver_by": 12.0,
}  # fmt: skip


def changes(policy: Policy, name: str, **facts: Any) -> list[Change]:
    return nearest_changes(policy, dict(policy.ordinary) | facts, DAY, name)


def sentences(policy: Policy, name: str, **facts: Any) -> list[str]:
    return [change.sentence for change in changes(policy, name, **facts)]


def test_what_time_changes_comes_first_and_is_told_with_its_limit():
    first, *others = changes(FULFILMENT, "lost_shipment", **LOST)
    assert first.sentence == "No lost shipment if hours_past_deliver_by were below 0 (is 12)."
    assert first.facts["hours_past_deliver_by"] < 0
    assert first.outcome == "no"
    assert "No lost shipment if cancelled were true (is false)." in [one.sentence for one in others]


def test_a_limit_that_still_counts_is_told_as_such():
    assert sentences(RETURNS, "return_outside_window", days_held=30.5)[0].startswith(
        "No return outside window if days_held were 30 or less (is 30.5)"
    )
    assert "return_outcome would be nothing if days_held were above 30 (is 10)." in sentences(RETURNS, "return_outcome")


def test_a_day_is_told_as_a_day():
    told = sentences(RETURNS, "return_outcome", bought_on="2025-12-10", requested_on="2026-01-20", days_held=38)
    assert "return_outcome would be nothing if requested_on were 2026-02-01 or later (is 2026-01-20)." in told


def test_every_word_that_would_do_is_named():
    told = sentences(RETURNS, "return_not_inspected", inspected=False, business_days_since_received=4)
    assert "No return not inspected if status were rejected or cancelled (is inspected)." in told


def test_where_evidence_is_missing_both_answers_are_told():
    told = sentences(FULFILMENT, "stuck_order", hours_past_ship_by=None)
    assert told[0] == "No stuck order if hours_past_ship_by were known, and 0 or less (is missing)."
    assert told[-1] == "Stuck order if hours_past_ship_by were known, and above 0 (is missing)."


def test_where_one_fact_is_not_enough_the_fewest_that_are_go_together():
    (one,) = changes(FULFILMENT, "lost_shipment")
    assert one.facts.keys() == {"on_its_way", "hours_since_handed_over", "hours_past_deliver_by"}
    assert one.sentence == (
        "Lost shipment if on_its_way were true (is false), hours_since_handed_over were known, and above 96 "
        "(is missing) and hours_past_deliver_by were 0 or more (is -158)."
    )


def test_who_it_is_and_when_it_was_bought_is_left_as_it_is():
    bought = {"bought_on": "2025-12-26", "requested_on": "2026-01-31", "days_held": 31}
    for change in changes(RETURNS, "return_outcome", **bought):
        assert not change.facts.keys() & {"bought_on", "return_id", "order_id", "customer_id", "currency"}


def test_an_outcome_that_nothing_can_change_has_no_changes():
    assert changes(RETURNS, "return_outcome", bought_on=None) == []


def test_a_rule_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(PolicyError, match="there is no rule or table 'lost_shipmen'") as refused:
        changes(FULFILMENT, "lost_shipmen")
    assert "lost_shipment" in str(refused.value)


@settings(max_examples=up_to(12), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
@pytest.mark.parametrize("policy", [FULFILMENT, RETURNS], ids=lambda one: one.id)
def test_a_change_brings_what_it_says_and_none_of_its_facts_is_needless(policy: Policy, drawn):
    facts = drawn.draw(drawing.record(policy))
    kind = drawn.draw(st.sampled_from(policy.kinds))
    evaluator = Evaluator(policy, DAY)
    when = policy.rule(kind).when
    for change in nearest_changes(policy, facts, DAY, kind):
        assert evaluator.answer(when, {**facts, **change.facts}).value == change.outcome
        for name in change.facts:
            fewer = {one: value for one, value in change.facts.items() if one != name}
            assert evaluator.answer(when, {**facts, **fewer}).value != change.outcome
