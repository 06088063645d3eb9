from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.nouns import Shop
from policies import judge, score
from tests.thorough import up_to

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)  # Monday, 10:00 in Berlin
LATE = {"order_id": "A1", "currency": "EUR", "seller": "s1", "late": True, "hours": 12.0, "amount": 500}


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    kinds = {
        "order_id": "str",
        "currency": "str",
        "seller": "str",
        "late": "boolean",
        "hours": "Float64",
        "amount": "Int64",
    }
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in kinds.items()})


@pytest.fixture
def weigh(small, shop: Shop):
    def weighed(*rows: dict[str, object]) -> list[dict[str, object]]:
        facts = frame(*rows)
        return score(small, judge(small, facts, AS_OF), facts, AS_OF, shop).to_dict("records")

    return weighed


def test_an_order_is_as_bad_as_its_worst_finding(weigh):
    (order,) = weigh(LATE)
    assert (order["kinds"], order["severity"]) == (["owed", "slow"], "sev2")
    (order,) = weigh(LATE | {"hours": 101.0})
    assert order["severity"] == "sev1"


def test_findings_of_one_family_score_no_more_than_its_cap(weigh):
    (order,) = weigh(LATE | {"hours": 51.0, "amount": 0})
    assert (order["kinds"], order["score"]) == (["slow", "very_slow"], 60), "40 and 40, capped at 60"


def test_a_score_can_be_worse_than_each_finding(weigh):
    (order,) = weigh(LATE | {"hours": 51.0})
    assert (order["score"], order["severity"]) == (130, "sev1")


def test_the_worst_finding_names_the_team_and_its_member(weigh):
    assert [(order["team"], order["member"]) for order in weigh(LATE)] == [("seller-desk", "s1")]
    (order,) = weigh(LATE | {"seller": None})
    assert order["team"] == "warehouse" and pd.isna(order["member"])
    (order,) = weigh(LATE | {"hours": 1.0})
    assert order["team"] == "payments"


def test_sev1_is_due_in_half_an_hour_and_sev3_in_a_business_day(weigh):
    due = [
        order["due_at"].isoformat() for order in weigh(LATE | {"hours": 101.0}, LATE | {"order_id": "A2", "hours": 1.0})
    ]
    assert due == ["2026-03-02T09:30:00+00:00", "2026-03-03T17:00:00+00:00"]


def test_priority_is_expected_loss_times_urgency_by_effort(weigh):
    first, second = weigh(LATE | {"hours": 24.0, "amount": 0}, LATE | {"order_id": "A2", "hours": 48.0, "amount": 400})
    assert first["priority"] == 0.0
    assert second["priority"] == pytest.approx(400 * 0.5 * 2 * 2**2 / 10)


def test_urgency_has_a_ceiling(weigh):
    (order,) = weigh(LATE | {"hours": 1e6, "amount": 400})
    assert order["priority"] == pytest.approx(400 * 0.5 * 4 * 8 / 10)


def test_money_at_risk_is_exact_and_an_unknown_amount_is_none_but_still_presses(weigh):
    (order,) = weigh(LATE | {"amount": 2**53 + 1})
    assert (order["money_amount"], order["currency"]) == (2**53 + 1, "EUR")
    (order,) = weigh(LATE | {"amount": None})
    assert pd.isna(order["money_amount"])
    assert order["priority"] == pytest.approx(10000 * 0.5 * 2 * 2 ** (12 / 24) / 10)


def test_an_answer_that_is_unknown_brings_no_money(weigh):
    (order,) = weigh(LATE | {"late": None, "hours": 60.0})
    assert (order["kinds"], order["unknown"]) == (["very_slow"], ["owed", "slow"])
    assert pd.isna(order["money_amount"])
    assert order["priority"] == 0.0


def test_an_order_with_nothing_but_unknown_answers_is_not_scored(weigh):
    assert weigh(LATE | {"late": None}) == []


facts_of_an_order = st.fixed_dictionaries(
    {
        "seller": st.sampled_from([None, "s1"]),
        "late": st.sampled_from([None, True, False]),
        "hours": st.sampled_from([None, 0.0, 10.5, 51.0, 101.0]),
        "amount": st.sampled_from([None, 0, 500]),
    }
)


@settings(max_examples=up_to(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=facts_of_an_order, lost=st.sampled_from(["seller", "late", "hours", "amount"]))
def test_missing_evidence_never_lowers_a_risk(weigh, row, lost):
    order = {"order_id": "A1", "currency": "EUR"} | row
    before, after = weigh(order), weigh(order | {lost: None})
    if before and after:
        assert after[0]["severity"] <= before[0]["severity"], "sev1 is the worst"
        assert after[0]["score"] >= before[0]["score"]
        assert after[0]["due_at"] <= before[0]["due_at"]


@settings(max_examples=up_to(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(facts_of_an_order, max_size=6), shuffled=st.randoms())
def test_an_order_is_weighed_the_same_alone_among_others_and_in_any_order(weigh, several, shuffled):
    orders = [{"order_id": f"A{n}", "currency": "EUR"} | row for n, row in enumerate(several)]
    alone = [weighed for order in orders for weighed in weigh(order)]
    shuffled.shuffle(orders)
    together = weigh(*orders)
    assert repr(together) == repr(alone)


def test_findings_of_other_facts_are_refused(small, shop):
    facts = frame(LATE, LATE | {"order_id": "A2"})
    found = judge(small, facts, AS_OF)
    for others in (facts.iloc[::-1].reset_index(drop=True), facts.head(1)):
        with pytest.raises(PolicyError, match="not of these facts"):
            score(small, found, others, AS_OF, shop)
