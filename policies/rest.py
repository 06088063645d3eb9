"""Rest: the subjects of which nothing changes by the passing of time alone, proved and not guessed.

A fact that is a clock is taken away, and every condition is asked again. What is yes or no without the clock is so
whatever the clock says: that is what Kleene's logic promises of an unknown. A clock that is missing stays missing, for
what it counts from is missing; a condition that reads no clock, or none that is known, can only change with a row.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.document import Policy
from policies.expressions import Expression
from policies.judgement import columns_of
from policies.sentences import slots
from policies.terms import Rule
from policies.tree import And, Arithmetic, Comparison, Membership, Node, Not, Or, Presence
from policies.truth import Columns, evaluate

Flags = npt.NDArray[np.bool_]


def at_rest(policy: Policy, facts: pd.DataFrame, as_of: date) -> Flags:
    """The subjects whose findings, severities, owners and proposals no later moment changes.

    It holds for as long as their rows, the policy and its numbers stay what they are. A kind that merges subjects
    that share a cause is never at rest where it is found: what becomes of it rests on others.

    Args:
        facts: one row for each subject, as `judge` takes them.
        as_of: the moment whose thresholds hold.

    Returns:
        A flag for each row.
    """
    moving = [name for name in policy.columns if name in policy.conclusions or policy.facts[name].clock]
    real, still = columns_of(policy, facts, as_of), columns_of(policy, without(facts, moving), as_of)

    def steady(text: str | None) -> Flags:
        return _steady(policy, policy.expression(text), still, facts, moving) if text else np.ones(len(facts), bool)

    rest, found = np.ones(len(facts), dtype=bool), np.zeros(len(facts), dtype=bool)
    for rule in policy.rules:
        said = ~evaluate(policy.expression(rule.when), real).no
        rest &= steady(rule.when)
        if rule.merge is not None or _shows(policy, rule) & set(moving):
            rest &= ~said
        for text in _conditions(rule):
            rest &= steady(text) | ~said
        found |= said
    for text in (*(floor.when for floor in policy.floors), *(offer.when for offer in policy.propose)):
        rest &= steady(text) | ~found
    return rest


def _conditions(rule: Rule) -> list[str | None]:
    """The conditions that what is made of a finding rests on."""
    asked = [remedy.when for remedy in rule.propose] + [advised.when for advised in rule.advise]
    return [*(row.when for row in rule.severity), *(row.when for row in rule.team), *asked]


def _shows(policy: Policy, rule: Rule) -> set[str]:
    """The facts that are handed on, as they are, with what is found: whose it is, how much, and what is proposed."""
    named = {rule.money, *(row.member for row in rule.team)}
    for remedy in (*rule.propose, *policy.propose):
        named |= {remedy.target, remedy.amount, *remedy.rests_on, *slots(remedy.reason, policy.catalogue)}
    return {name for name in named if name}


def without(facts: pd.DataFrame, moving: list[str]) -> pd.DataFrame:
    """The facts, with nothing in these columns."""
    return facts.assign(**{name: pd.Series(pd.NA, index=facts.index, dtype=facts[name].dtype) for name in moving})


def _steady(policy: Policy, condition: Expression, still: Columns, facts: pd.DataFrame, moving: list[str]) -> Flags:
    """Where a condition is the same at any later moment."""
    truth = evaluate(condition, still)
    steady = truth.yes | truth.no
    if asks_whether_known(condition.tree) & set(moving):  # which is answered by what was taken away
        steady = np.zeros(len(facts), dtype=bool)
    running = np.zeros(len(facts), dtype=bool)
    for name in condition.names:
        if name in policy.conclusions:
            running |= True
        elif name in moving:
            running |= facts[name].notna().to_numpy()
    return np.asarray(steady | ~running)


def asks_whether_known(node: Node) -> set[str]:
    """The facts that a condition asks to be missing, or known."""
    match node:
        case Presence(name):
            return {name}
        case And(parts) | Or(parts):
            return {name for part in parts for name in asks_whether_known(part)}
        case Not(operand) | Membership(operand):
            return asks_whether_known(operand)
        case Comparison(left=left, right=right) | Arithmetic(left=left, right=right):
            return asks_whether_known(left) | asks_whether_known(right)
    return set()
