import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.nouns import Severity
from policies import explain, judge, proposals, score
from policies.document import expressions_of
from policies.examples import failing
from policies.terms import Rung
from tests.thorough import up_to

AS_OF = datetime(2026, 1, 7, 10, tzinfo=UTC)  # Wednesday, 11:00 in Berlin
ON_ITS_WAY = {
    "handed_over": True,
    "on_its_way": True,
    "hours_since_handed_over": 240.0,
    "labelled": True,
    "first_scan": True,
    "fulfillment_id": "f-1",
    "carrier": "acme",
    "service": "standard",
    "business_days_since_label": 1.0,
    "business_days_since_last_scan": 1.0,
}


def test_every_example_of_the_business_is_kept(fulfilment):
    assert failing(fulfilment) == []


def test_every_rule_has_an_example_that_it_finds_and_every_action_one_that_proposes_it(fulfilment):
    assert {kind for example in fulfilment.examples for kind in example.yes} == set(fulfilment.kinds)
    proposed = {action for example in fulfilment.examples for action in example.proposes}
    assert proposed == {"refund", "reship", "hold"}


def test_an_example_that_does_not_hold_is_told(fulfilment):
    wrong = fulfilment.examples[1].model_copy(update={"yes": ("unpaid_order",)})
    told = failing(fulfilment.model_copy(update={"examples": (wrong,)}))
    name = "an approved order past its ship-by promise is stuck"
    assert told == [f"{name}: yes should be ['unpaid_order'] and is ['stuck_order']"]


def test_every_number_and_fact_is_used(fulfilment):
    read = {name for _, text in expressions_of(fulfilment) for name in fulfilment.expression(text).names}
    shown = " ".join(remedy.reason for rule in fulfilment.rules for remedy in rule.propose)
    assert [name for name in fulfilment.thresholds if name not in read and name not in shown] == []


def test_the_lane_acts_once_a_person_has_ruled(fulfilment):
    assert fulfilment.rung is Rung.act


def test_what_a_proposal_rests_on_stands_still_while_a_person_thinks(fulfilment):
    """A clock among them would void every ruling by the time it is given."""
    clocks = {name for name, fact in fulfilment.facts.items() if fact.clock}
    assert clocks == {name for name in fulfilment.facts if name.startswith(("hours_", "business_days_"))}
    assert not clocks & {name for rule in fulfilment.rules for r in rule.propose for name in r.rests_on}


@pytest.mark.parametrize(
    ("facts", "severity", "team", "member"),
    [
        ({"hours_past_ship_by": 5.0}, "sev2", "warehouse", "W1"),
        ({"hours_past_ship_by": 73.0}, "sev1", "warehouse", "W1"),
        ({"hours_past_ship_by": 5.0, "seller_id": "s-9"}, "sev2", "seller-desk", "s-9"),
        (ON_ITS_WAY | {"hours_past_deliver_by": 5.0}, "sev2", "carrier-desk", "acme"),
        (ON_ITS_WAY | {"hours_past_deliver_by": 169.0}, "sev1", "carrier-desk", "acme"),
        (ON_ITS_WAY | {"cancelled": True}, "sev1", "carrier-desk", "acme"),
        (ON_ITS_WAY | {"shipped_on_hold": True}, "sev1", "warehouse", "W1"),
        ({"contradictions": 1}, "sev3", "warehouse", "W1"),
        ({"cancelled": True}, "sev2", "payments", None),
    ],
)
def test_how_bad_and_whose(fulfilment, orders, shop, facts, severity, team, member):
    frame = orders(facts)
    (order,) = score(fulfilment, judge(fulfilment, frame, AS_OF), frame, AS_OF, shop).to_dict("records")
    assert (order["severity"], order["team"]) == (severity, team)
    assert order["member"] == member or (member is None and pd.isna(order["member"]))


def test_the_first_answer_is_due_by_severity_in_the_shops_business_time(fulfilment, orders, shop):
    frame = orders(
        {"order_id": "1", "hours_past_ship_by": 73.0},
        {"order_id": "2", "hours_past_ship_by": 5.0},
        {"order_id": "3", "contradictions": 1},
    )
    due = score(fulfilment, judge(fulfilment, frame, AS_OF), frame, AS_OF, shop)["due_at"]
    assert [moment.strftime("%d %H:%M") for moment in due] == ["07 10:30", "07 12:00", "08 17:00"]


def test_a_refund_is_of_what_is_left_to_refund_and_says_so(fulfilment, orders):
    frame = orders({"cancelled": True, "refunded_amount": 1500, "refundable_amount": 3500})
    (refund,) = proposals(fulfilment, judge(fulfilment, frame, AS_OF), frame).to_dict("records")
    assert (refund["action"], refund["target"], refund["amount"], refund["currency"]) == (
        "refund",
        "1001",
        3500,
        "EUR",
    )
    assert refund["reason"] == "Paid, cancelled and never handed over; EUR 35.00 is still to be refunded."
    assert json.loads(refund["rests_on"])["refunded_amount"] == 1500


@settings(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=st.data())
def test_losing_evidence_never_brings_a_refund_or_a_reship(fulfilment, orders, lost):
    """A refund needs every fact that its rule names; whatever else is lost, it stays as it was."""
    cases = {
        "refund": {"cancelled": True},
        "reship": ON_ITS_WAY | {"hours_past_deliver_by": 169.0, "deliver_by": "2026-01-01T00:00:00+00:00"},
        "nothing": {},
    }
    wanted = lost.draw(st.sampled_from(sorted(cases)))
    names = st.sets(st.sampled_from(sorted(set(fulfilment.facts) - {"order_id"})), max_size=4)
    frame = orders(cases[wanted] | dict.fromkeys(lost.draw(names)))
    found = proposals(fulfilment, judge(fulfilment, frame, AS_OF), frame)
    assert set(found["action"]) <= {wanted}
    assert found["amount"].dropna().isin([5000]).all()


def test_a_sentence_is_made_of_the_facts(fulfilment, orders):
    row = orders({"hours_past_ship_by": 5.25}).to_dict("records")[0]
    told = explain(fulfilment, "stuck_order", row, AS_OF)
    assert told.sentence == (
        "Approved, and not handed over 5.2 hours after the ship-by promise (2026-01-07 17:00 UTC)."
    )
    assert told.values["ship_by"] == "2026-01-07T17:00:00+00:00"


def test_facts_as_they_come_back_from_parquet_are_judged_the_same(fulfilment, orders, tmp_path):
    rows = [{"order_id": f"{n:03}"} | dict(example.facts) for n, example in enumerate(fulfilment.examples)]
    frame = orders(*rows)
    frame["order_id"] = [f"{n:03}" for n in range(len(frame))]
    frame.to_parquet(tmp_path / "facts.parquet")
    again = pd.read_parquet(tmp_path / "facts.parquet")
    first, second = (judge(fulfilment, facts, AS_OF) for facts in (frame, again))
    assert first.to_dict("records") == second.to_dict("records")


@pytest.mark.slow
def test_a_hundred_thousand_orders_are_judged_and_weighed_alike_on_every_run(fulfilment, orders, shop):
    """Each example a few thousand times over: every copy of an order gets the verdict of the first."""
    rows = orders(*[dict(example.facts) for example in fulfilment.examples])
    copies = 100_000 // len(rows)
    frame = rows.loc[np.tile(np.arange(len(rows)), copies)].reset_index(drop=True)
    frame["order_id"] = [f"{n:07}" for n in range(len(frame))]
    found = judge(fulfilment, frame, AS_OF)
    each = found.assign(example=found["row"] % len(rows)).groupby(["example", "kind", "answer"]).size()
    assert set(each) == {copies}
    weighed = score(fulfilment, found, frame, AS_OF, shop)
    assert set(weighed["severity"]) <= set(Severity)
    assert len(weighed) == copies * sum(bool(example.yes) for example in fulfilment.examples)
