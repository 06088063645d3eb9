"""Outcomes: what one version of a policy makes of many subjects, in codes, so that a million fit in memory.

The numbers are those of `judge`, `score` and `proposals`; property tests say so. Facts are judged a slice at
a time, and only codes are kept of a slice. Groups that share a cause are known by a hash of what they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Shop
from policies.document import Policy
from policies.entitlements import entitle
from policies.judgement import SEVERITIES, columns_of, holds, judge
from policies.remedies import scoring
from policies.risk import score
from policies.terms import Merge, Remedy, Rule, Rung
from policies.truth import Columns, evaluate

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
SLICE = 1 << 17
NOBODY = len(SEVERITIES)  # the severity of a subject about which nothing was found


@dataclass(frozen=True)
class Group:
    """Which subjects may share a rule's cause: what they share as a hash, whether known, and whether they are hit."""

    key: npt.NDArray[np.uint64]
    known: Flags
    hit: Flags

    def shared(self, merge: Merge) -> Codes:
        """The number of the group whose cause a subject shares, or -1."""
        which, _ = pd.factorize(self.key[self.known])
        hit = self.hit[self.known]
        size, hits = np.bincount(which), np.bincount(which, weights=hit)
        enough = (hits >= merge.at_least) & (hits >= merge.share * size)
        shared = np.full(len(self.key), -1, dtype=np.int64)
        shared[self.known] = np.where(hit & enough[which], which, -1)
        return shared


@dataclass(frozen=True)
class Outcomes:
    """What a policy makes of each subject; arrays are as long as the facts.

    `severity` is a place in SEVERITIES or NOBODY, `team` a place in `teams` or -1, `money` what is at risk in
    minor units or 0. `found` has a row for each finding (row, rule, yes, severity, team, money), `asked` one for
    each proposal (row, action, target, amount in minor units or 0).
    """

    policy: Policy
    teams: tuple[str, ...]
    severity: npt.NDArray[np.int8]
    team: npt.NDArray[np.int16]
    money: Codes
    found: pd.DataFrame
    asked: pd.DataFrame
    groups: dict[int, Group]

    def answers(self, kind: str) -> npt.NDArray[np.int8]:
        """What the rule of a kind says of each subject: 0 for no, 1 for unknown, 2 for yes."""
        said = np.zeros(len(self.severity), dtype=np.int8)
        mine = self._of(kind)
        said[self.found["row"].to_numpy()[mine]] = np.where(self.found["yes"].to_numpy()[mine], 2, 1)
        return said

    def said(self, rows: npt.NDArray[np.intp]) -> dict[int, dict[str, int]]:
        """What every rule says of a few subjects, by row and kind."""
        told = {int(row): dict.fromkeys(self.policy.kinds, 0) for row in rows}
        few = self.found[np.isin(self.found["row"], rows)]
        for row, rule, yes in zip(few["row"], few["rule"], few["yes"], strict=True):
            told[row][self.policy.kinds[rule]] = 2 if yes else 1
        return told

    def risk(self, kind: str) -> Codes:
        """The money at risk by the findings of a kind that are a yes; 0 where there is none."""
        risk = np.zeros(len(self.severity), dtype=np.int64)
        mine = self._of(kind)
        risk[self.found["row"].to_numpy()[mine]] = self.found["money"].to_numpy()[mine]
        return risk

    def queue(self) -> pd.DataFrame:
        """The load by team: cases, and the minutes that they take; indexed by team.

        Subjects that share a cause are one case, and a case takes the minutes of each of its kinds once.
        """
        found = self.found[self.found["yes"]]
        row, rule, team = (found[name].to_numpy() for name in ("row", "rule", "team"))
        pivot, team = self._pivots(row, rule, team.copy())
        points = np.array([each.score for each in self.policy.rules])[rule]
        order = np.lexsort((rule, -points, found["severity"].to_numpy(), pivot))
        begins = np.diff(pivot[order], prepend=-1) != 0
        theirs = team[order][begins]
        effort = np.array([each.effort_minutes for each in self.policy.rules])
        each_kind = np.sort((np.cumsum(begins) - 1) * len(effort) + rule[order])
        once = each_kind[np.diff(each_kind, prepend=-1) != 0]
        minutes = np.bincount(once // len(effort), weights=effort[once % len(effort)], minlength=len(theirs))
        return pd.DataFrame(
            {
                "cases": np.bincount(theirs, minlength=len(self.teams)),
                "minutes": np.bincount(theirs, weights=minutes, minlength=len(self.teams)).astype(np.int64),
            },
            index=list(self.teams),
        )

    def _of(self, kind: str) -> Flags:
        number = self.policy.kinds.index(kind) if kind in self.policy.kinds else -1
        return np.asarray(self.found["rule"].to_numpy() == number)

    def _pivots(self, row: Codes, rule: Codes, team: Codes) -> tuple[Codes, Codes]:
        """The case and team of each finding: its subject's own case, or that of a cause that many share."""
        pivot, size, own = row.copy(), len(self.severity), np.ones(len(row), dtype=bool)
        merging = sorted(self.groups, key=lambda number: not _merge(self.policy.rules[number]).alone)
        for place, number in enumerate(merging, start=1):
            merge = _merge(self.policy.rules[number])
            shared = self.groups[number].shared(merge)[row]
            part = own & (shared >= 0) & ((rule == number) | (not merge.alone))
            pivot[part] = place * size + shared[part]
            if merge.alone:
                own &= ~part
            else:
                team[part] = self.teams.index(self.policy.rules[number].team[-1].team)
        return pivot, team


def outcomes(policy: Policy, facts: pd.DataFrame, as_of: datetime, shop: Shop) -> Outcomes:
    """Let a policy decide about every subject.

    Args:
        facts: one row for each subject, with the columns that the policy declares as facts; what is
            concluded from them is concluded anew.
        as_of: aware; the moment whose numbers hold.

    Raises:
        PolicyError: the facts lack a column, or one is not of its declared type; or a subject has two rows.
    """
    lacking = [name for name in policy.facts if name not in facts.columns]
    if lacking:
        offer = nearest(lacking[0], map(str, facts.columns))
        what = f"reads {', '.join(lacking)}, which the evidence does not have"
        raise PolicyError(what, where=policy.reference, remedy=offer)
    if not facts[policy.subject].is_unique or facts[policy.subject].hasnans:
        raise PolicyError(f"the facts need one row for each {policy.subject}, and its name", where="facts")
    teams = tuple(sorted({line.team for rule in policy.rules for line in rule.team}))
    starts = range(0, max(len(facts), 1), SLICE)
    parts = []
    for start in starts:
        piece = facts.iloc[start : start + SLICE][list(policy.facts)].reset_index(drop=True)
        parts.append(_decided(policy, teams, entitle(policy, piece, as_of), as_of, shop))
    return _together(parts, starts)


def _decided(policy: Policy, teams: tuple[str, ...], known: pd.DataFrame, as_of: datetime, shop: Shop) -> Outcomes:
    """The outcomes of one slice."""
    findings = judge(policy, known, as_of)
    columns = columns_of(policy, known, as_of)
    rule = _places(findings["kind"], policy.kinds)
    row, yes = findings["row"].to_numpy(dtype=np.int64), (findings["answer"] == "yes").to_numpy(dtype=bool)
    found = pd.DataFrame(
        {
            "row": row,
            "rule": rule.astype(np.int16),
            "yes": yes,
            "severity": _places(findings["severity"], SEVERITIES).astype(np.int8),
            "team": _teams(policy, teams, row, rule, columns),
            "money": _money(policy, row, np.where(yes, rule, -1), columns),
        }
    )
    scored = score(policy, findings, known, as_of, shop)
    at = pd.Index(known[policy.subject]).get_indexer(pd.Index(scored["subject"]))
    severity, team = np.full(len(known), NOBODY, dtype=np.int8), np.full(len(known), -1, dtype=np.int16)
    severity[at] = _places(scored["severity"], SEVERITIES)
    team[at] = _places(scored["team"], teams)
    money = np.zeros(len(known), dtype=np.int64)
    money[at] = scored["money_amount"].to_numpy(dtype=np.int64, na_value=0)
    asked = _asked(policy, found, findings, known, as_of)
    groups = dict(_groups(policy, found, known, as_of))
    return Outcomes(policy, teams, severity, team, money, found, asked, groups)


def _together(parts: list[Outcomes], starts: range) -> Outcomes:
    """The outcomes of slices as those of the whole."""

    def whole(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    def rows(name: str) -> pd.DataFrame:
        several: list[pd.DataFrame] = [getattr(part, name) for part in parts]
        moved = [each.assign(row=each["row"] + start) for each, start in zip(several, starts, strict=True)]
        return pd.concat(moved, ignore_index=True)

    first = parts[0]
    groups = {
        number: Group(*(np.concatenate([getattr(p.groups[number], side) for p in parts]) for side in _SIDES))
        for number in first.groups
    }
    return Outcomes(
        first.policy,
        first.teams,
        whole("severity"),
        whole("team"),
        whole("money"),
        rows("found"),
        rows("asked"),
        groups,
    )


_SIDES = ("key", "known", "hit")


def _places(column: pd.Series[Any], vocabulary: Sequence[str]) -> Codes:
    """The place of each row's word among a few; -1 for any other."""
    codes, words = pd.factorize(column)
    known = {word: place for place, word in enumerate(vocabulary)}
    return np.array([*(known.get(word, -1) for word in words), -1], dtype=np.int64)[codes]


def _merge(rule: Rule) -> Merge:
    assert rule.merge is not None  # noqa: S101 - only rules that merge are asked; narrows the type
    return rule.merge


def _teams(policy: Policy, teams: tuple[str, ...], row: Codes, rule: Codes, columns: Columns) -> npt.NDArray[np.int16]:
    """Whose each finding would be by itself."""
    team = np.full(len(row), -1, dtype=np.int16)
    for number, each in enumerate(policy.rules):
        nobodys = rule == number
        for line in each.team:
            theirs = nobodys.copy()
            if line.when is not None:
                theirs &= evaluate(policy.expression(line.when), columns).yes[row]
            team[theirs] = teams.index(line.team)
            nobodys &= ~theirs
    return team


def _money(policy: Policy, row: Codes, rule: Codes, columns: Columns) -> Codes:
    """The money at risk by each finding that is a yes."""
    money = np.zeros(len(row), dtype=np.int64)
    for number, each in enumerate(policy.rules):
        if each.money is not None:
            at = np.flatnonzero(rule == number)
            money[at] = columns.integers(each.money).take(row[at]).to_numpy(dtype=np.int64, na_value=0)
    return money


def _groups(policy: Policy, found: pd.DataFrame, known: pd.DataFrame, as_of: datetime) -> Iterator[tuple[int, Group]]:
    for number, rule in enumerate(policy.rules):
        if rule.merge is not None:
            on = known[list(rule.merge.on)]
            said = np.zeros(len(known), dtype=bool)
            said[found.loc[found["yes"] & (found["rule"] == number), "row"]] = True
            holding = holds(policy, rule.merge.when, known, as_of).to_numpy(dtype=bool)
            key = np.asarray(pd.util.hash_pandas_object(on, index=False), dtype=np.uint64)
            yield number, Group(key, on.notna().all(axis=1).to_numpy(dtype=bool), said & holding)


def _asked(
    policy: Policy, found: pd.DataFrame, findings: pd.DataFrame, known: pd.DataFrame, as_of: datetime
) -> pd.DataFrame:
    """The proposals of a slice, unworded; the earlier rule asks where two ask the same."""
    parts = [pd.DataFrame({"row": found["row"].head(0), "action": "", "target": "", "amount": found["money"].head(0)})]
    if policy.rung in (Rung.recommend, Rung.act):
        for number, rule in enumerate(policy.rules):
            rows = found.loc[found["yes"] & (found["rule"] == number), "row"].to_numpy()
            parts += [_proposed(policy, remedy, rows, known, as_of) for remedy in (rule.propose if len(rows) else ())]
        for offer in policy.propose:
            rows = scoring(policy, offer, findings, known, as_of)["row"].to_numpy(dtype=np.int64)
            parts.append(_proposed(policy, offer, rows, known, as_of))
    asked = pd.concat(parts, ignore_index=True).drop_duplicates(["row", "action", "target"], keep="first")
    return asked.astype({"action": "str", "target": "str"})


def _proposed(policy: Policy, remedy: Remedy, rows: Codes, known: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    theirs = known.take(rows)
    chosen = holds(policy, remedy.when, theirs, as_of) & theirs[remedy.target].notna()
    if "order_id" in theirs:
        chosen &= theirs["order_id"].notna()
    amount = np.zeros(len(rows), dtype=np.int64)
    if remedy.amount:
        integers = columns_of(policy, theirs, as_of).integers(remedy.amount)
        amount = integers.to_numpy(dtype=np.int64, na_value=0)
        chosen &= pd.Series(amount > 0, index=theirs.index) & theirs["currency"].notna()
    at = chosen.to_numpy(dtype=bool)
    target = theirs[remedy.target].astype("str").to_numpy(dtype=object)
    return pd.DataFrame({"row": rows[at], "action": remedy.action.value, "target": target[at], "amount": amount[at]})
