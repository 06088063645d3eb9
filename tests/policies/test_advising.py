"""Advice: what teams are told to do, how long for, and how it is put back; and when nothing is advised."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from control_tower.errors import PolicyError
from policies import Policy, advice, judge, load, read
from policies.examples import failing, situations
from policies.lint.linting import found_in
from policies.terms import Example

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
ADVISING = (
    "    effort_minutes: 10\n  - kind: very_slow",
    """    effort_minutes: 10
    advise:
      - action: change_message
        when: hours > 2 * grace
        owner: content
        expires_after: 3 business days
        prior: seller
        counter: "Let it say {seller} again."
        reason: "Late by {hours} h."
  - kind: very_slow""",
)


@pytest.fixture
def advising(write: Callable[..., Path]) -> Policy:
    return load(write(ADVISING), AS_OF)


def advised(policy: Policy, **facts: object) -> pd.DataFrame:
    known = {"order_id": "1", "currency": "EUR", "seller": "s-1", "late": True, "hours": 30, "amount": 5}
    frame = situations(policy, [Example(name="a case", facts={**known, **facts})])  # type: ignore[arg-type]
    return advice(policy, judge(policy, frame, AS_OF), frame, AS_OF)


def test_advice_names_its_owner_its_evidence_its_end_and_the_way_back(advising: Policy) -> None:
    (one,) = advised(advising).to_dict("records")
    assert (one["kind"], one["action"], one["owner"]) == ("slow", "change_message", "content")
    assert (one["reason"], one["expires_after"]) == ("Late by 30 h.", "3 business days")
    assert (one["prior_of"], json.loads(one["prior"]), one["counter"]) == ("seller", "s-1", "Let it say s-1 again.")
    assert json.loads(one["evidence"]) == {"grace": 10.0, "hours": 30.0, "late": True, "seller": "s-1"}


@pytest.mark.parametrize("lost", ["late", "hours", "seller"])
def test_nothing_is_advised_for_want_of_evidence(advising: Policy, lost: str) -> None:
    assert advised(advising, **{lost: None}).empty, "and what nobody knows can't be put back"


def test_nothing_is_advised_where_its_condition_or_its_rule_says_no(advising: Policy) -> None:
    assert advised(advising, hours=15).empty
    assert advised(advising, late=False).empty


ASKING = (
    ADVISING[0],
    ADVISING[1]
    .replace("action: change_message", "action: ask_for_method")
    .replace("        prior: seller\n", "")
    .replace('        counter: "Let it say {seller} again."\n', ""),
)


def test_who_is_advised_to_ask_changes_nothing_and_has_nothing_to_put_back(write: Callable[..., Path]) -> None:
    policy = load(write(ASKING), AS_OF)
    (one,) = advised(policy, seller=None).to_dict("records")
    assert (one["action"], one["prior_of"], json.loads(one["prior"]), one["counter"]) == (
        "ask_for_method",
        "",
        None,
        "",
    )
    with pytest.raises(PolicyError, match="changes nothing: no prior, no counter"):
        read(write((ASKING[0], ASKING[1].replace("        owner", "        prior: seller\n        owner"))))
    with pytest.raises(PolicyError, match="change_message needs prior and counter"):
        read(write((ADVISING[0], ADVISING[1].replace("        prior: seller\n", ""))))


def test_below_the_rung_recommend_nothing_is_advised(write: Callable[..., Path]) -> None:
    assert advised(load(write(ADVISING, ("rung: recommend", "rung: route")), AS_OF)).empty


def test_two_rules_that_advise_the_same_advise_it_once(write: Callable[..., Path]) -> None:
    again = ADVISING[1].partition("    advise:")[2].partition("  - kind")[0]
    twice = ("    effort_minutes: 5\n  - kind: owed", f"    effort_minutes: 5\n    advise:{again}  - kind: owed")
    found = advised(load(write(ADVISING, twice), AS_OF), hours=60)
    assert found["kind"].tolist() == ["slow"], "in the words of the earlier rule"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("prior: seller", "prior: sellr"), "there is no fact 'sellr'"),
        (("{seller} again", "it again"), "it does not show seller"),
        (("{hours} h.", "{hous} h."), "there is no fact or threshold 'hous'"),
        (("hours > 2 * grace\n        owner", "hors > 2\n        owner"), "there is no fact or threshold 'hors'"),
        (("action: change_message", "action: refund"), "refund"),
        (("3 business days", "soon"), "expires_after"),
    ],
)
def test_advice_that_makes_no_sense_is_refused_with_its_line(
    write: Callable[..., Path], change: tuple[str, str], said: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        read(write((ADVISING[0], ADVISING[1].replace(*change))))
    assert said in str(refused.value) and "small.yaml:" in str(refused.value)


def test_the_linter_finds_advice_that_can_never_be_given(write: Callable[..., Path]) -> None:
    never = ADVISING[1].replace("hours > 2 * grace", "hours < grace")
    (one,) = [each for each in found_in(read(write((ADVISING[0], never)))) if "change_message" in each.where]
    assert (one.check, one.sentence) == ("never_fires", "No case of slow satisfies its change_message.")


def test_the_linter_finds_advice_that_is_given_for_want_of_evidence(write: Callable[..., Path]) -> None:
    rash = ADVISING[1].replace("hours > 2 * grace", "missing(amount) or amount > 3")
    found = [each for each in found_in(read(write((ADVISING[0], rash)))) if each.check == "missing_evidence"]
    assert [each.where for each in found] == ["rules.slow.change_message.amount"]
    assert found[0].sentence.startswith("A change_message is advised for want of evidence")


def test_an_example_says_what_is_advised(write: Callable[..., Path]) -> None:
    example = """examples:
  - name: a late order
    facts: {order_id: "1", currency: EUR, seller: s-1, late: true, hours: 30, amount: 0}
    yes: [slow]
    advises: [%s]
"""
    file = write(ADVISING)
    beside = file.with_name("small.examples.yaml")
    beside.write_text(example % "change_message")
    assert failing(read(file)) == []
    beside.write_text(example % "")
    (told,) = failing(read(file))
    assert told == "a late order: advises should be nothing and is ['change_message']"


def test_a_day_has_no_part_in_it(advising: Policy) -> None:
    facts: dict[str, Any] = {"order_id": "1", "currency": "EUR", "seller": "s", "late": True, "hours": 30, "amount": 5}
    frame = situations(advising, [Example(name="a case", facts=facts)])
    told = advice(advising, judge(advising, frame, AS_OF), frame)
    assert told.equals(advice(advising, judge(advising, frame, AS_OF), frame, date(2026, 3, 2)))
