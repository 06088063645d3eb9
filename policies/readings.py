"""Readings: one row of facts read against the tables that apply to it, clause by clause.

What is concluded is what `policies.entitlements` concludes for the same row; a property test says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from policies.document import Entitlement, Policy, day_of
from policies.entitlements import Ruler, cited, in_force, more_generous
from policies.expressions import EPOCH_DAY
from policies.tables import GAP, UNKNOWN, Decided, Decision, decide_one
from policies.terms import Table
from policies.verdict import check_value, is_missing, number, verdict


@dataclass(frozen=True)
class Reading:
    """How one table was read for one row: which version, with the numbers of which day, and what it decided."""

    document: Entitlement | Policy
    table: str
    decision: Decision
    clause: str
    day: date


def entitle_one(policy: Policy, facts: Mapping[str, Any], as_of: date) -> tuple[dict[str, Any], list[Reading]]:
    """One row of facts with what is concluded from them, and how each table was read.

    What is concluded is `entitle`'s; `<table>_today` is among it.
    """
    row, now = dict(facts) | dict.fromkeys(policy.promised), dict(facts)  # as promised then, and as of today
    readings: list[Reading] = []
    for documents in policy.bound.values():
        assert policy.entitlements is not None  # noqa: S101 - narrows the type
        on = policy.entitlements.in_force_on
        bought = check_value(on, "date", facts[on])
        then = in_force(documents, date.fromordinal(int(bought) + EPOCH_DAY)) if isinstance(bought, float) else None
        if then is not None:
            concluded, read = ruled_one(then, row)
            row |= concluded
            readings += read
        today = in_force(documents, day_of(as_of))
        if today is not None:
            concluded, _ = ruled_one(today, now)
            now |= concluded
            row |= {f"{name}_today": concluded[name] for name in today.base.tables}
    concluded, read = conclude_one(policy, row, day_of(as_of))
    return row | concluded, readings + read


def ruled_one(ruler: Ruler, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    """What the versions in force conclude of one row of facts, and how each table was read."""
    row, readings = dict(facts), []
    concluded: dict[str, Any] = {}
    for name, table in ruler.base.tables.items():
        read = _read_one(ruler.base, name, row, ruler.day)
        for extension in ruler.extensions:
            if name in extension.tables:
                more = _read_one(extension, name, row, ruler.day)
                read = _better_one(table, read, more)
        row[name] = concluded[name] = read.decision.outcome
        concluded[f"{name}_clause"] = read.clause or None
        readings.append(read)
    return concluded | _derive_one(ruler.base, row, ruler.day), readings


def conclude_one(
    document: Policy | Entitlement, facts: Mapping[str, Any], day: date
) -> tuple[dict[str, Any], list[Reading]]:
    """One row with the tables and derived facts of one document alone."""
    row, readings = dict(facts), []
    for name in document.tables:
        readings.append(_read_one(document, name, row, day))
        row[name] = readings[-1].decision.outcome
    concluded = {name: row[name] for name in document.tables}
    return concluded | _derive_one(document, row, day), readings


def _read_one(document: Policy | Entitlement, name: str, facts: Mapping[str, Any], day: date) -> Reading:
    table = document.tables[name]
    conditions = [document.condition(row) for row in table.rows]
    row = {**facts, **document.thresholds_on(day)}
    decision = decide_one(table, conditions, row, document.catalogue, document.facts)
    known = decision.outcome is not None
    return Reading(document, name, decision, cited(document, table, decision.row) if known else "", day)


def _better_one(table: Table, base: Reading, more: Reading) -> Reading:
    """The more generous of two readings, by the rule that `more_generous` follows."""
    ranks = [
        table.rank(read.decision.outcome)
        if read.decision.outcome is not None
        else (GAP if read.decision.gap else UNKNOWN)
        for read in (base, more)
    ]
    better, doubtful = more_generous(*(Decided(np.array([rank]), np.array([-1])) for rank in ranks))
    if better[0]:
        return more
    if not doubtful[0]:
        return base
    missing = tuple(sorted({*base.decision.missing, *more.decision.missing}))
    unknown = Decision(None, None, False, missing, more.decision.answers, base.decision.values | more.decision.values)
    return Reading(base.document, base.table, unknown, "", base.day)


def _derive_one(document: Policy | Entitlement, facts: Mapping[str, Any], day: date) -> dict[str, Any]:
    row = {**facts, **document.thresholds_on(day)}
    concluded: dict[str, Any] = {}
    for name, derived in document.derived.items():
        if derived.type == "boolean":
            said = verdict(document.formula(name), row, document.catalogue, document.facts).answer
            concluded[name] = None if said == "unknown" else said == "yes"
        else:
            found = number(document.formula(name), row, document.catalogue, document.facts)
            concluded[name] = None if is_missing(found) or found is None else _rounded(found, derived.type)
        row[name] = concluded[name]
    return concluded


def _rounded(found: float, kind: str) -> float | int:
    return int(np.floor(found)) if kind == "integer" else found


def lacking(policy: Policy, names: tuple[str, ...], facts: Mapping[str, Any], as_of: date) -> tuple[str, ...]:
    """The facts for want of which names have no value: where an outcome is lacking, what its table lacked."""
    if all(name in policy.facts for name in names):
        return names
    _, readings = entitle_one(policy, {name: facts[name] for name in policy.facts}, as_of)
    formulas = {name: one.formula(name).names for one in _documents(policy, readings) for name in one.derived}
    tables = {read.table: read.decision.missing for read in readings}
    found: set[str] = set()
    asked, seen = list(names), set[str]()
    while asked:
        name = asked.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in policy.facts:
            found |= {name} if is_missing(facts[name]) else set()
        elif name in formulas or name.removesuffix("_clause") in tables:
            asked += formulas.get(name, ()) or tables[name.removesuffix("_clause")]
        elif policy.entitlements:  # no version decided, because nobody knows when it was bought
            asked.append(policy.entitlements.in_force_on)
    return tuple(sorted(found))


def _documents(policy: Policy, readings: list[Reading]) -> list[Entitlement | Policy]:
    return [policy, *(read.document for read in readings)]
