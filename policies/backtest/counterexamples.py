"""Counterexamples: the few subjects that tell most about a change, each with what was read and both outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AwareDatetime, JsonValue

from control_tower.nouns import Money, Noun, Shop
from policies.backtest.differences import ANSWERS, Differences
from policies.backtest.outcomes import NOBODY, Outcomes
from policies.document import Document, Policy
from policies.entitlements import entitle
from policies.judgement import SEVERITIES, explain, plain
from policies.verdict import is_missing

MOST_TELLING = 10


class Side(Noun):
    """One version's outcome for one subject: of kinds, those that differ, or else all that are found or unknown."""

    answers: dict[str, str]
    sentences: tuple[str, ...]
    severity: str | None
    team: str | None
    proposes: tuple[str, ...]
    concluded: dict[str, JsonValue]


class Counterexample(Noun):
    """One subject about which two versions differ: the facts that its rules read, and both outcomes."""

    subject: str
    shop: str
    as_of: AwareDatetime
    differences: tuple[str, ...]
    money_moved: int
    currency: str | None
    severity_moved: int
    facts: dict[str, JsonValue]
    before: Side
    after: Side


def most_telling(
    pattern: npt.NDArray[Any], money: npt.NDArray[Any], severity: npt.NDArray[Any]
) -> npt.NDArray[np.intp]:
    """The places of the ten that tell most: one of each pattern of differences first, by money, then by severity."""
    order = np.lexsort((np.arange(len(money)), -severity.astype(np.int64), -money))
    _, first = np.unique(pattern[order], return_index=True)
    chosen = np.sort(first)[:MOST_TELLING]
    others = np.setdiff1d(np.arange(min(len(order), 2 * MOST_TELLING)), chosen)
    return np.asarray(order[np.concatenate([chosen, others])[:MOST_TELLING]])


def told(differences: Differences, facts: pd.DataFrame, as_of: datetime, shop: Shop) -> tuple[Counterexample, ...]:
    """The counterexamples among these facts, in words."""
    changed = np.flatnonzero(differences.pattern)
    by = (differences.pattern, differences.money_moved, differences.severity_moved)
    rows = changed[most_telling(*(values[changed] for values in by))]
    return tuple(_each(differences, rows, facts.take(rows).reset_index(drop=True), as_of, shop))


def _each(
    differences: Differences, rows: npt.NDArray[np.intp], facts: pd.DataFrame, as_of: datetime, shop: Shop
) -> Iterator[Counterexample]:
    sides = (differences.before, differences.after)
    known = [entitle(side.policy, facts[list(side.policy.facts)], as_of) for side in sides]
    said = [side.said(rows) for side in sides]
    for place, (row, words) in enumerate(zip(map(int, rows), differences.told(rows), strict=True)):
        was, now = (answers[row] for answers in said)
        kinds = _kinds(differences.kinds, was, now)
        names = [_read(side.policy, kinds) for side in sides]
        values = [{str(name): frame[name].iloc[place] for name in frame.columns} for frame in known]
        raw = {name: plain(facts[name].iloc[place]) for name in facts.columns if name in names[0] | names[1]}
        currency = facts["currency"].iloc[place]
        yield Counterexample(
            subject=str(facts[sides[0].policy.subject].iloc[place]),
            shop=shop.id,
            as_of=as_of,
            differences=words,
            money_moved=int(differences.money_moved[row]),
            currency=None if is_missing(currency) else str(currency),
            severity_moved=int(differences.severity_moved[row]),
            facts=raw,
            before=_side(sides[0], row, {kind: was.get(kind, 0) for kind in kinds}, names[0], values[0], as_of),
            after=_side(sides[1], row, {kind: now.get(kind, 0) for kind in kinds}, names[1], values[1], as_of),
        )


def _kinds(known: tuple[str, ...], was: Mapping[str, int], now: Mapping[str, int]) -> tuple[str, ...]:
    """The kinds about which the answer turned; where none did, those that either version finds or can't tell."""
    turned = tuple(kind for kind in known if was.get(kind, 0) != now.get(kind, 0))
    return turned or tuple(kind for kind in known if was.get(kind) or now.get(kind))


def _side(
    side: Outcomes, row: int, said: Mapping[str, int], names: set[str], values: Mapping[str, Any], as_of: datetime
) -> Side:
    policy = side.policy
    own = [kind for kind in said if kind in policy.kinds]
    severity, team = int(side.severity[row]), int(side.team[row])
    asked = side.asked[side.asked["row"] == row]
    return Side(
        answers={kind: ANSWERS[answer] for kind, answer in said.items()},
        sentences=tuple(explain(policy, kind, values, as_of).sentence for kind in own),
        severity=None if severity == NOBODY else SEVERITIES[severity],
        team=None if team < 0 else side.teams[team],
        proposes=tuple(
            _words(action, target, amount, values["currency"])
            for action, target, amount in zip(asked["action"], asked["target"], asked["amount"], strict=True)
        ),
        concluded={name: plain(values[name]) for name in sorted(names.intersection(policy.conclusions))},
    )


def _words(action: str, target: str, amount: int, currency: Any) -> str:
    money = f" of {Money(amount=amount, currency=str(currency))}" if amount else ""
    return f"{action}{money} on {target}"


def _read(policy: Policy, kinds: tuple[str, ...]) -> set[str]:
    """The facts that the rules of these kinds read, and what is concluded from facts on the way."""
    asked: list[str] = []
    for rule in policy.rules:
        if rule.kind in kinds:
            conditions = [rule.when, *(row.when for row in rule.severity), *(row.when for row in rule.team)]
            conditions += [remedy.when for remedy in rule.propose]
            asked += [name for text in conditions if text for name in policy.expression(text).names]
            asked += [name for name in (rule.money, *(remedy.amount for remedy in rule.propose)) if name]
    asked += [name for offer in policy.propose if offer.when for name in policy.expression(offer.when).names]
    behind = _behind(policy)
    found: set[str] = set()
    while asked:
        name = asked.pop()
        if name not in found:
            found.add(name)
            asked += behind.get(name, ())
    return found - set(policy.thresholds)


def _behind(policy: Policy) -> dict[str, set[str]]:
    """What each conclusion is drawn from."""
    behind: dict[str, set[str]] = {}
    documents: list[Document] = [policy, *(one for versions in policy.bound.values() for one in versions)]
    for document in documents:
        for name, table in document.tables.items():
            read = {read for row in table.rows for read in document.condition(row).names}
            dated = {policy.entitlements.in_force_on} if policy.entitlements and document is not policy else set()
            clause = {f"{name}_clause"} if f"{name}_clause" in policy.promised else set()
            behind.setdefault(name, set()).update(read - set(document.thresholds), dated, clause)
            behind.setdefault(f"{name}_clause", set()).add(name)
            behind.setdefault(f"{name}_today", set()).add(name)
        for name in document.derived:
            read = set(document.formula(name).names) - set(document.thresholds)
            behind.setdefault(name, set()).update(read)
    return behind
