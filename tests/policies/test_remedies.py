import json
from datetime import UTC, date, datetime

import pandas as pd

from policies import judge, load, proposals

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)
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


def proposed(policy, *rows, as_of=None):
    facts = frame(*rows)
    return proposals(policy, judge(policy, facts, AS_OF), facts, as_of).to_dict("records")


def test_a_proposal_says_what_on_what_how_much_why_and_what_it_rests_on(small):
    (refund,) = proposed(small, LATE)
    assert json.loads(refund.pop("rests_on")) == {"late": True, "amount": 500}
    assert refund == {
        "subject": "A1",
        "order_id": "A1",
        "kind": "owed",
        "action": "refund",
        "target": "A1",
        "amount": 500,
        "currency": "EUR",
        "reason": "Late, and EUR 5.00 is owed.",
    }


def test_what_is_not_known_never_makes_money_payable(small):
    for lost in ("late", "hours", "amount", "currency"):
        assert proposed(small, LATE | {lost: None}) == []


def test_the_remedys_own_condition_takes_the_threshold_of_the_day(small):
    assert len(proposed(small, LATE, as_of=date(2026, 5, 31))) == 1
    assert proposed(small, LATE, as_of=date(2026, 6, 1)) == []


def test_below_the_rung_recommend_nothing_is_proposed(write):
    for rung in ("observe", "route"):
        assert proposed(load(write(("rung: recommend", f"rung: {rung}")), AS_OF), LATE) == []


def test_two_rules_never_propose_one_action_on_one_target_twice(write):
    again = """
  - kind: also_owed
    means: we owe money, said again
    when: late and amount > 1
    sentence: "{amount:money} is owed."
    severity: sev3
    family: cash
    score: 1
    team: payments
    effort_minutes: 5
    propose:
      - {action: refund, target: order_id, amount: amount, reason: "Again.", rests_on: [amount]}
"""
    file = write()
    file.write_text(file.read_text() + again)
    (refund,) = proposed(load(file, AS_OF), LATE)
    assert refund["kind"] == "owed", "the earlier rule of the policy speaks"


def test_proposals_are_sorted_and_each_stays_the_same_whoever_else_is_proposed_for(small):
    orders = [LATE | {"order_id": name, "amount": len(name) * 100} for name in ("C", "AA", "BBB")]
    together = proposed(small, *orders)
    assert [row["order_id"] for row in together] == ["AA", "BBB", "C"]
    assert together == sorted((proposed(small, order)[0] for order in orders), key=lambda row: row["order_id"])
