"""Risk: how bad a subject's findings are together, whose they are, what is at stake, and by when.

A subject is scored when at least one finding is a yes. Missing evidence never lowers a risk: an
answer that is unknown counts in severity and score as if it were yes, is listed under `unknown`, and
brings no money. Findings of one family score no more than the family's cap.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.errors import PolicyError
from control_tower.nouns import Shop
from policies.business_time import due_after
from policies.document import Policy, day_of
from policies.judgement import SEVERITIES, Codes, columns_of, subject_rank
from policies.truth import Columns, evaluate
from policies.verdict import EPOCH

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
NO_MONEY = np.iinfo(np.int64).min


class Found(NamedTuple):
    """Findings about scored subjects, a subject's own together and its leading one first.

    `starts` marks where each subject begins. The leading finding is a yes, the worst by severity, then
    by score, then the earliest rule of the policy.
    """

    row: Codes
    rule: Codes
    yes: Flags
    severity: Codes
    starts: Codes

    @property
    def leading(self) -> Codes:
        """The rule of each subject's leading finding."""
        return self.rule[self.starts]

    def worst(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The least of each subject's values."""
        return np.minimum.reduceat(values, self.starts)

    def most(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The greatest of each subject's values."""
        return np.maximum.reduceat(values, self.starts)


def score(policy: Policy, findings: pd.DataFrame, facts: pd.DataFrame, as_of: datetime, shop: Shop) -> pd.DataFrame:
    """Weigh each subject that has a finding.

    Args:
        findings: what `judge` found in these very facts.
        as_of: aware; due times count from here.

    Returns:
        One row for each subject with a yes, sorted by it: subject, kinds (list), unknown (list of
        kinds), severity, score, team, member, money_amount (minor units, the largest of its findings),
        currency, due_at (UTC), priority (money expected to be lost x urgency / minutes of effort).
    """
    columns = columns_of(policy, facts, as_of)
    found = _arranged(policy, findings, facts)
    allowed = _listed(policy, found, columns, "allow", as_of)
    found = found._replace(severity=np.where(allowed, len(SEVERITIES) - 1, found.severity))
    row = found.row[found.starts]
    points = _points(policy, found, _excused(policy, found, columns, as_of))
    severity = np.minimum(found.worst(found.severity), _banded(policy, points))
    severity = np.minimum(severity, _floors(policy, columns)[row])
    severity[found.most(_listed(policy, found, columns, "block", as_of))] = 0
    money = _money(policy, found, columns)
    team, member = _owners(policy, found.leading, row, columns)
    at_risk = found.most(money)
    scored = pd.DataFrame(
        {
            "subject": facts[policy.subject].take(row).reset_index(drop=True),
            "kinds": _kinds(policy, found, found.yes),
            "unknown": _kinds(policy, found, ~found.yes),
            "severity": pd.Series(np.array(SEVERITIES, dtype=object)[severity], dtype="str"),
            "score": points,
            "team": pd.Series(team, dtype="str"),
            "member": pd.Series(member, dtype="str"),
            "money_amount": pd.array(np.where(at_risk == NO_MONEY, 0, at_risk), dtype="Int64"),
            "currency": facts["currency"].take(row).reset_index(drop=True),
            "due_at": _due(policy, found, severity, as_of, shop),
            "priority": found.most(_priorities(policy, found, money, columns)),
        }
    )
    scored.loc[at_risk == NO_MONEY, "money_amount"] = pd.NA
    return scored.iloc[np.argsort(subject_rank(policy, facts)[row], kind="stable")].reset_index(drop=True)


def scored_surely(policy: Policy, findings: pd.DataFrame, facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """What each subject scores by what is known alone: only findings that are a yes count.

    Who may be on a list, for want of the name, is taken to be on it: missing evidence adds nothing.

    Returns:
        One row for each subject with a yes: row (position in `facts`), kind (of the leading finding), points.
    """
    found = _arranged(policy, findings[findings["answer"] == "yes"], facts)
    columns = columns_of(policy, facts, as_of)
    points = _points(policy, found, _excused(policy, found, columns, as_of, perhaps=True))
    kinds = np.array(policy.kinds, dtype=object)[found.leading]
    return pd.DataFrame({"row": found.row[found.starts], "kind": pd.Series(kinds, dtype="str"), "points": points})


def _excused(policy: Policy, found: Found, columns: Columns, as_of: date, *, perhaps: bool = False) -> Flags:
    """The findings that score nothing: of whom is allowed or trusted, and not blocked."""
    excused = _listed(policy, found, columns, "allow", as_of, perhaps=perhaps)
    excused |= _listed(policy, found, columns, "trusted", as_of, perhaps=perhaps)
    blocked = found.most(_listed(policy, found, columns, "block", as_of))
    return np.asarray(excused & ~np.repeat(blocked, np.diff(np.append(found.starts, len(found.row)))))


def _arranged(policy: Policy, findings: pd.DataFrame, facts: pd.DataFrame) -> Found:
    rule = pd.Categorical(findings["kind"], categories=policy.kinds).codes.astype(np.int64)
    row = findings["row"].to_numpy(dtype=np.int64)
    named = facts[policy.subject].take(row).to_numpy(dtype=object) if len(facts) > row.max(initial=-1) else None
    if named is None or (rule < 0).any() or (named != findings["subject"].to_numpy(dtype=object)).any():
        raise PolicyError("the findings are not of these facts and this policy", where=policy.reference)
    yes = (findings["answer"] == "yes").to_numpy(dtype=bool)
    severity = pd.Categorical(findings["severity"], categories=SEVERITIES).codes.astype(np.int64)
    arranged = np.lexsort((rule, -findings["score"].to_numpy(dtype=np.int64), severity, ~yes, row))
    arranged = arranged[np.isin(row[arranged], row[yes])]
    row = row[arranged]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    return Found(row, rule[arranged], yes[arranged], severity[arranged], starts)


def _listed(policy: Policy, found: Found, columns: Columns, says: str, as_of: date, *, perhaps: bool = False) -> Flags:
    """The findings about somebody or something that a list of this sort names, today; or may name, `perhaps`."""
    listed = np.zeros(len(found.row), dtype=bool)
    for listing in policy.lists:
        held = listing.until is None or day_of(as_of) <= listing.until
        if listing.says == says and listing.members and held:
            words = columns.words(listing.fact)
            named = np.append(words.vocabulary.isin(listing.members), perhaps)[words.codes][found.row]
            spoken_of = np.array([not listing.kinds or rule.kind in listing.kinds for rule in policy.rules])
            listed |= named & spoken_of[found.rule]
    return listed


def _floors(policy: Policy, columns: Columns) -> Codes:
    """The severity below which each row of facts never falls; a floor that may hold, holds."""
    severity = np.full(len(columns), len(SEVERITIES) - 1, dtype=np.int64)
    for floor in policy.floors:
        applies = ~evaluate(policy.expression(floor.when), columns).no
        severity[applies] = np.minimum(severity[applies], SEVERITIES.index(floor.severity.value))
    return severity


def _points(policy: Policy, found: Found, allowed: Flags) -> Codes:
    """The sum of what findings score, each family no more than its cap; what is allowed scores nothing."""
    total = np.zeros(len(found.starts), dtype=np.int64)
    for name, family in policy.families.items():
        each = np.array([rule.score if rule.family == name else 0 for rule in policy.rules], dtype=np.int64)
        if len(total):
            total += np.minimum(np.add.reduceat(np.where(allowed, 0, each[found.rule]), found.starts), family.cap)
    return total


def _banded(policy: Policy, points: Codes) -> Codes:
    severity = np.full(len(points), len(SEVERITIES) - 1, dtype=np.int64)
    for band in policy.score_bands:
        severity[points >= band.at_least] = np.minimum(
            severity[points >= band.at_least], SEVERITIES.index(band.severity.value)
        )
    return severity


def _kinds(policy: Policy, found: Found, chosen: Flags) -> pd.Series[Any]:
    """The sorted kinds of each subject's chosen findings; equal sets share one list."""
    bits = np.where(chosen, np.int64(1) << found.rule, 0)
    sets, which = np.unique(np.bitwise_or.reduceat(bits, found.starts), return_inverse=True)
    lists = np.empty(len(sets), dtype=object)
    for place, members in enumerate(sets):
        lists[place] = sorted(kind for number, kind in enumerate(policy.kinds) if members >> number & 1)
    return pd.Series(lists[which], dtype=object)


def _owners(
    policy: Policy, leading: Codes, row: Codes, columns: Columns
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Team and member by the leading finding's first team row that says yes."""
    team = np.full(len(row), None, dtype=object)
    member = team.copy()
    for number, rule in enumerate(policy.rules):
        open_still = leading == number
        for line in rule.team:
            if not open_still.any():
                break
            theirs = open_still.copy()
            if line.when is not None:
                theirs &= evaluate(policy.expression(line.when), columns).yes[row]
            team[theirs] = line.team
            if line.member is not None:
                names = columns.series(line.member).take(row[theirs])
                member[theirs] = names.astype(object).where(names.notna(), None).to_numpy()
            open_still &= ~theirs
    return team, member


def _money(policy: Policy, found: Found, columns: Columns) -> Codes:
    """The money at risk of each finding that is a yes, in whole minor units; NO_MONEY where there is none."""
    money = np.full(len(found.row), NO_MONEY, dtype=np.int64)
    for number, rule in enumerate(policy.rules):
        if rule.money is not None:
            at = np.flatnonzero((found.rule == number) & found.yes)
            amounts = columns.integers(rule.money).take(found.row[at])
            money[at] = amounts.to_numpy(dtype=np.int64, na_value=NO_MONEY)
    return money


def _priorities(policy: Policy, found: Found, money: Codes, columns: Columns) -> Floats:
    """Expected loss x urgency / effort of each finding that is a yes; what is missing counts as bad."""
    urgency = policy.urgency
    weights = np.array([getattr(urgency, severity) for severity in SEVERITIES])
    doublings = np.zeros(len(found.row))
    for number, rule in enumerate(policy.rules):
        if rule.clock is not None:
            at = np.flatnonzero(found.rule == number)
            hours = columns.numbers(rule.clock)[found.row[at]]
            doublings[at] = np.nan_to_num(np.maximum(hours, 0) / urgency.doubles_every_hours, nan=np.inf)
    growth = np.exp2(np.minimum(doublings, np.log2(urgency.at_most)))
    likelihood = np.array([rule.likelihood for rule in policy.rules])[found.rule]
    effort = np.array([rule.effort_minutes for rule in policy.rules])[found.rule]
    has_money = np.array([rule.money is not None for rule in policy.rules])[found.rule]
    unknown = np.where(has_money, urgency.loss_when_unknown, 0)
    loss = np.where(money == NO_MONEY, unknown, money) * likelihood
    return np.where(found.yes, loss * weights[found.severity] * growth / effort, 0.0)


def _due(policy: Policy, found: Found, severity: Codes, as_of: datetime, shop: Shop) -> pd.Series[Any]:
    """The earliest time that any finding, or the subject's own severity, asks for."""
    asked = {text for due in (policy.due, *(r.due for r in policy.rules)) if due for text in due.model_dump().values()}
    counts = {
        text: (due_after(as_of, text, shop, policy.calendar) - EPOCH) // timedelta(microseconds=1) for text in asked
    }

    def by_severity(number: int) -> list[int]:
        due = policy.rules[number].due or policy.due
        return [counts[getattr(due, severity)] for severity in SEVERITIES]

    table = np.array([by_severity(number) for number in range(len(policy.rules))], dtype=np.int64)
    own = np.array([counts[getattr(policy.due, severity)] for severity in SEVERITIES], dtype=np.int64)[severity]
    soonest = np.minimum(found.worst(table[found.rule, found.severity]), own)
    return pd.Series(soonest.astype("datetime64[us]")).dt.tz_localize("UTC")
