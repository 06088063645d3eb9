"""Flips: what two versions decide otherwise about the same facts, counted.

Every number is of the after side against the before side, so that two versions swapped give the mirror image,
and the numbers of several views add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from control_tower.errors import PolicyError
from control_tower.nouns import Noun, Shop
from policies.backtest.counterexamples import Counterexample, most_telling, told
from policies.backtest.differences import YES, Differences
from policies.backtest.outcomes import Codes, outcomes
from policies.document import Policy

Amounts = dict[str, int]  # minor units by currency
N = TypeVar("N", bound=Noun)


class Turned(Noun):
    """How the answers about one kind differ, in subjects, and by how much the money at risk by it does.

    An answer that was or becomes unknown is counted as that, whatever it was before or becomes.
    """

    found_before: int
    found_after: int
    newly_found: int
    no_longer_found: int
    became_unknown: int
    became_known: int
    money: Amounts

    @property
    def flips(self) -> int:
        """The subjects about which the answer differs."""
        return self.newly_found + self.no_longer_found + self.became_unknown + self.became_known


class Sum(Noun):
    """How many, and how much of each currency."""

    count: int = 0
    amount: Amounts = Field(default={})


class Asked(Noun):
    """How the proposals of one action differ; on the same target with another amount, one is amended.

    The amount of `amended` is after less before.
    """

    gained: Sum
    lost: Sum
    amended: Sum


class Load(Noun):
    """What waits for one team: cases, and minutes of effort."""

    cases_before: int
    cases_after: int
    minutes_before: int
    minutes_after: int


class Flips(Noun):
    """Everything that two versions decide otherwise about the same subjects."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    subjects: int
    changed: int
    kinds: dict[str, Turned]
    proposals: dict[str, Asked]
    teams: dict[str, Load]
    at_risk_before: Amounts
    at_risk_after: Amounts
    counterexamples: tuple[Counterexample, ...]


def compare(before: Policy, after: Policy, facts: pd.DataFrame, as_of: datetime, shop: Shop) -> Flips:
    """Let both versions decide about the same facts, and tell the two apart.

    Args:
        facts: one row for each subject, with the facts that either version reads. What the versions and
            their entitlements conclude from them is concluded anew.
        as_of: aware; the moment whose numbers hold.

    Raises:
        PolicyError: a fact is lacking or not of its type, a subject has two rows, or the two versions
            are about different things.
    """
    if before.subject != after.subject:
        what = f"is about {after.subject}, and {before.reference} about {before.subject}"
        raise PolicyError(what, where=after.reference, remedy="compare versions of one lane")
    facts = facts.reset_index(drop=True)
    was, now = outcomes(before, facts, as_of, shop), outcomes(after, facts, as_of, shop)
    differences, sums = Differences(was, now), _Sums(facts["currency"])
    return Flips(
        before=(before.reference,),
        after=(after.reference,),
        subjects=len(facts),
        changed=int(np.count_nonzero(differences.pattern)),
        kinds={kind: _turned(differences, kind, sums) for kind in differences.kinds},
        proposals=_proposals(differences, sums),
        teams=_loads(was.queue(), now.queue()),
        at_risk_before=sums.of(was.money),
        at_risk_after=sums.of(now.money),
        counterexamples=told(differences, facts, as_of, shop),
    )


class _Sums:
    """Adds money up by currency; money of no known currency is no money, and nor is nothing."""

    def __init__(self, currency: pd.Series[Any]) -> None:
        self.codes, self.names = pd.factorize(currency)

    def of(self, money: Codes, rows: npt.NDArray[Any] | None = None) -> Amounts:
        codes = self.codes if rows is None else self.codes[rows]
        total = np.zeros(len(self.names) + 1, dtype=np.int64)
        np.add.at(total, codes, money)  # code -1, of no currency, is the last
        return {str(name): int(amount) for name, amount in zip(self.names, total, strict=False) if amount}


def _turned(differences: Differences, kind: str, sums: _Sums) -> Turned:
    turns = {turn.replace(" ", "_"): int(rows.sum()) for turn, rows in differences.turns(kind).items()}
    sides = (differences.before, differences.after)
    found = [int((side.answers(kind) == YES).sum()) for side in sides]
    money = sums.of(sides[1].risk(kind) - sides[0].risk(kind))
    return Turned(found_before=found[0], found_after=found[1], money=money, **turns)


def _proposals(differences: Differences, sums: _Sums) -> dict[str, Asked]:
    found: dict[str, dict[str, Sum]] = {}
    for (action, how), asked in differences.asked.groupby(["action", "how"]):
        amount = (asked["amount_after"] - asked["amount_before"]).to_numpy() * (-1 if how == "lost" else 1)
        told = Sum(count=len(asked), amount=sums.of(amount, asked["row"].to_numpy()))
        found.setdefault(str(action), {"gained": Sum(), "lost": Sum(), "amended": Sum()})[str(how)] = told
    return {action: Asked(**found[action]) for action in sorted(found)}


def _loads(was: pd.DataFrame, now: pd.DataFrame) -> dict[str, Load]:
    """The load of every team that either version names."""
    both = was.join(now, how="outer", lsuffix="_before", rsuffix="_after").fillna(0).astype(np.int64)
    return {str(team): Load.model_validate(row) for team, row in both.sort_index().to_dict("index").items()}


def together(several: Sequence[Flips]) -> Flips:
    """The flips of several views as one."""
    return reduce(_added, several)


def _added(one: Flips, other: Flips) -> Flips:
    return Flips(
        before=tuple(dict.fromkeys((*one.before, *other.before))),
        after=tuple(dict.fromkeys((*one.after, *other.after))),
        subjects=one.subjects + other.subjects,
        changed=one.changed + other.changed,
        kinds=_merged(one.kinds, other.kinds, _counts),
        proposals=_merged(one.proposals, other.proposals, _asked),
        teams=_merged(one.teams, other.teams, _counts),
        at_risk_before=_amounts(one.at_risk_before, other.at_risk_before),
        at_risk_after=_amounts(one.at_risk_after, other.at_risk_after),
        counterexamples=_chosen((*one.counterexamples, *other.counterexamples)),
    )


def _merged(one: dict[str, N], other: dict[str, N], add: Callable[[N, N], N]) -> dict[str, N]:
    names = dict.fromkeys((*one, *other))
    return {
        name: add(one[name], other[name]) if name in one and name in other else (one | other)[name] for name in names
    }


def _counts(one: N, other: N) -> N:
    """Two nouns of whole numbers and amounts, added up field by field."""
    fields = type(one).model_fields
    added = {name: _sum(getattr(one, name), getattr(other, name)) for name in fields}
    return type(one)(**added)


def _sum(one: Any, other: Any) -> Any:
    return _amounts(one, other) if isinstance(one, dict) else one + other


def _asked(one: Asked, other: Asked) -> Asked:
    return Asked(**{how: _counts(getattr(one, how), getattr(other, how)) for how in Asked.model_fields})


def _amounts(one: Amounts, other: Amounts) -> Amounts:
    total = {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
    return {name: amount for name, amount in total.items() if amount}


def _chosen(examples: Iterable[Counterexample]) -> tuple[Counterexample, ...]:
    held = tuple(examples)
    if not held:
        return ()
    pattern = pd.factorize(pd.Series([each.differences for each in held], dtype=object))[0]
    money, severity = (np.array([getattr(each, name) for each in held]) for name in ("money_moved", "severity_moved"))
    return tuple(held[place] for place in most_telling(pattern, money, severity))
