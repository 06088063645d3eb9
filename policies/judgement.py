"""Judgement: every rule of a policy answers about every subject; nothing hides behind a first hit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import JsonValue

from control_tower.errors import PolicyError
from control_tower.nouns import Answer, Finding, Severity
from policies.document import Policy
from policies.readings import lacking
from policies.sentences import render, slots
from policies.terms import Rule
from policies.truth import Columns, evaluate
from policies.verdict import Verdict, is_missing, verdict

SEVERITIES = tuple(severity.value for severity in Severity)  # the worst first
Codes = npt.NDArray[np.int64]


def judge(policy: Policy, facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Let every rule answer about every subject.

    Args:
        facts: one row for each subject, with at least the columns that the policy declares as facts and,
            where it has tables or entitlements, what `entitle` concluded from them.
        as_of: the moment whose thresholds hold.

    Returns:
        One row for each subject and kind whose answer is yes or unknown, sorted by subject and kind:
        row (position in `facts`), subject, kind, answer, severity, score.

    Raises:
        PolicyError: a column is missing or not of its declared type, or a subject has two rows.
    """
    columns = columns_of(policy, facts, as_of)
    for name in policy.columns:
        columns.series(name)
    parts = [_answers(policy, number, rule, columns) for number, rule in enumerate(policy.rules)]
    row, kind, unknown, severity = (np.concatenate(column) for column in zip(*parts, strict=True))
    subjects = subject_rank(policy, facts)
    names = np.array(policy.kinds, dtype=object)
    by_name = np.argsort(np.argsort(names))
    sorted_by = np.lexsort((by_name[kind], subjects[row]))
    row, kind, unknown, severity = row[sorted_by], kind[sorted_by], unknown[sorted_by], severity[sorted_by]
    points = np.array([rule.score for rule in policy.rules], dtype=np.int64)
    return pd.DataFrame(
        {
            "row": row,
            "subject": facts[policy.subject].take(row).reset_index(drop=True),
            "kind": pd.Series(names[kind], dtype="str"),
            "answer": pd.Series(np.where(unknown, Answer.unknown.value, Answer.yes.value), dtype="str"),
            "severity": pd.Series(np.array(SEVERITIES, dtype=object)[severity], dtype="str"),
            "score": points[kind],
        }
    )


def holds(policy: Policy, condition: str | None, facts: pd.DataFrame, as_of: date | None = None) -> pd.Series[bool]:
    """Where a condition of the policy is yes; unknown is not. No condition always holds.

    Args:
        as_of: the moment whose thresholds hold; the day the policy was read for when left out.

    Returns:
        Booleans with the index of `facts`.
    """
    if condition is None:
        return pd.Series(True, index=facts.index)
    truth = evaluate(policy.expression(condition), columns_of(policy, facts, as_of))
    return pd.Series(truth.yes, index=facts.index)


def explain(policy: Policy, kind: str, facts: Mapping[str, Any], as_of: date) -> Finding:
    """One rule's answer about one subject, told: the sentence, the values it read, and what it lacked.

    Args:
        facts: the subject's facts, and what was concluded from them, as plain values; moments as aware
            datetimes or ISO 8601 text.

    Raises:
        PolicyError: there is no such kind, or a fact it reads is absent or of another type.
    """
    rule = policy.rule(kind)
    row = {**facts, **policy.thresholds_on(as_of)}
    said = verdict(policy.expression(rule.when), row, policy.catalogue, policy.facts)
    lacked = lacking(policy, said.missing, facts, as_of)
    shown = dict.fromkeys((*said.values, *slots(rule.sentence, policy.catalogue)))
    return Finding(
        kind=kind,
        subject=str(facts[policy.subject]),
        answer=said.answer,
        sentence=_sentence(policy, rule, said, lacked, row),
        values={name: plain(row.get(name)) for name in sorted(shown)},
        missing=lacked,
        ask={name: policy.facts[name].owner for name in lacked if name in policy.facts},
    )


def _sentence(policy: Policy, rule: Rule, said: Verdict, lacked: tuple[str, ...], row: Mapping[str, Any]) -> str:
    if said.answer is Answer.yes:
        return render(rule.sentence, row)
    words = rule.kind.replace("_", " ")
    if said.answer is Answer.no:
        return f"No {words}."
    needs = [f"{policy.facts[n].means} (ask {policy.facts[n].owner})" for n in lacked if n in policy.facts]
    return f"Perhaps {words}; evidence is missing: {'; '.join(needs) or 'a number that can be worked out'}."


def plain(value: Any) -> JsonValue:
    """One fact as JSON: missing as None, moments as ISO 8601 text in their own zone."""
    if is_missing(value):
        return None
    if isinstance(value, date):
        return value.isoformat() if not isinstance(value, pd.Timestamp) or value.tzinfo else f"{value:%Y-%m-%d}"
    unboxed: JsonValue = value.item() if isinstance(value, np.generic) else value
    return unboxed


def columns_of(policy: Policy, facts: pd.DataFrame, as_of: date | None) -> Columns:
    """Facts with the thresholds in force, ready for the policy's conditions."""
    return Columns(facts, policy.catalogue, policy.thresholds_on(as_of), policy.facts)


def severities(policy: Policy, rule: Rule, columns: Columns) -> npt.NDArray[np.int8]:
    """The worst severity of each row whose condition is not no, as a position in SEVERITIES."""
    worst = np.full(len(columns), len(SEVERITIES) - 1, dtype=np.int8)
    for row in rule.severity:
        code = SEVERITIES.index(row.severity.value)
        if row.when is None:
            np.minimum(worst, code, out=worst)
        else:
            applies = ~evaluate(policy.expression(row.when), columns).no
            worst[applies] = np.minimum(worst[applies], code)
    return worst


def subject_rank(policy: Policy, facts: pd.DataFrame) -> Codes:
    """The place of each row's subject among all subjects, sorted by their names.

    Raises:
        PolicyError: a subject has no name, or two rows.
    """
    subjects = pd.Index(facts[policy.subject])
    if subjects.hasnans or not subjects.is_unique:
        raise PolicyError(f"the facts need one row for each {policy.subject}, and its name", where="facts")
    if subjects.is_monotonic_increasing:
        return np.arange(len(subjects), dtype=np.int64)
    rank = np.empty(len(subjects), dtype=np.int64)
    rank[subjects.argsort()] = np.arange(len(subjects))
    return rank


def _answers(
    policy: Policy, number: int, rule: Rule, columns: Columns
) -> tuple[Codes, Codes, npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
    """Rows that a rule does not deny, with the rule's number, whether unknown, and the severity."""
    truth = evaluate(policy.expression(rule.when), columns)
    rows = np.flatnonzero(~truth.no)
    severity = severities(policy, rule, columns)[rows]
    return rows, np.full(len(rows), number, dtype=np.int64), ~truth.yes[rows], severity
