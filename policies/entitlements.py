"""Entitlements: what customers were promised when they bought, worked out for each row of facts.

The version in force on the day of purchase decides, with its own numbers of that day; what the version
in force today would say is told beside it. An extension, such as holiday returns, is in force beside
the document it extends and can only give more. A purchase of no known day is promised nothing known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.errors import PolicyError
from policies.document import Document, Entitlement, Policy, day_of
from policies.expressions import EPOCH_DAY
from policies.tables import UNKNOWN, Decided, decide
from policies.terms import Table
from policies.truth import Columns, evaluate, evaluate_number


class Ruler(NamedTuple):
    """The versions in force on one day: of a document, and of those that extend it."""

    base: Entitlement
    extensions: tuple[Entitlement, ...]
    day: date


def entitle(policy: Policy, facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Facts with what the policy and its entitlements conclude from them.

    Args:
        facts: one row for each subject, with the columns that the policy declares as facts.
        as_of: the moment whose version counts as today's.

    Returns:
        A new frame with, for each table of an entitlement, its outcome, `<table>_clause` (version and
        clause that decided) and `<table>_today`, then the derived facts, then the policy's own.

    Raises:
        PolicyError: a fact has not its declared type.
    """
    found, now = facts.copy(deep=False), facts.copy(deep=False)  # as promised then, and as of today
    for documents in policy.bound.values():
        today = in_force(documents, day_of(as_of))
        if today is not None:
            now = now.assign(**ruled(today, now))
        for name, column in _promised(policy, documents, found, now).items():
            found[name] = column
    return conclude(policy, found, day_of(as_of))


def conclude(document: Document, facts: pd.DataFrame, day: date) -> pd.DataFrame:
    """Facts with the tables and derived facts of one document alone, with the numbers of one day."""
    found = facts.copy(deep=False)
    thresholds = document.thresholds_on(day)
    for name, table in document.tables.items():
        decided = _decided(document, table, found, thresholds)
        found[name] = _outcomes(table, decided)
    _derive(document, found, thresholds)
    return found


def in_force(documents: Sequence[Entitlement], day: date) -> Ruler | None:
    """The versions in force on a day of purchase; None if there is none.

    Raises:
        PolicyError: two versions of one document are in force.
    """
    held = [document for document in documents if document.in_force.covers(day)]
    bases = [document for document in held if document.extends is None]
    names = [document.id for document in held]
    if len(names) != len(set(names)):
        both = " and ".join(document.reference for document in held)
        raise PolicyError(f"{both} are in force on {day}", remedy="end one the day before the other begins")
    return Ruler(bases[0], tuple(one for one in held if one.extends), day) if bases else None


def _promised(
    policy: Policy, documents: Sequence[Entitlement], facts: pd.DataFrame, now: pd.DataFrame
) -> dict[str, pd.Series[Any]]:
    """The columns that the versions of one document give; `now` holds what today's say."""
    assert policy.entitlements is not None  # noqa: S101 - only then anything is bound; narrows the type
    bought = Columns(facts, policy.catalogue, {}, policy.facts).numbers(policy.entitlements.in_force_on)
    names = list(dict.fromkeys(name for document in documents for name in _names(document)))
    parts = []
    for rows, ruler in _by_ruler(documents, bought):
        parts.append(ruled(ruler, facts.take(rows)).set_axis(rows))
    whole = pd.concat(parts) if parts else pd.DataFrame(columns=names)
    columns: dict[str, pd.Series[Any]] = {}
    for name, kind in policy.promised.items():
        if name not in names and name.removesuffix("_today") not in names:
            continue
        column = now.get(name.removesuffix("_today")) if name.endswith("_today") else whole.get(name)
        if column is None:
            column = pd.Series(pd.NA, index=range(len(facts)), dtype="object")
        elif not name.endswith("_today"):
            column = column.reindex(range(len(facts)))
        columns[name] = column.astype(pd.api.types.pandas_dtype(DTYPES[kind])).set_axis(facts.index)
    return columns


DTYPES = {"text": "str", "number": "Float64", "integer": "Int64", "boolean": "boolean"}


def _names(document: Entitlement) -> list[str]:
    return [*document.concluded, *(f"{name}_clause" for name in document.tables)]


def _by_ruler(
    documents: Sequence[Entitlement], bought: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.intp], Ruler]]:
    """The rows bought under the same versions and numbers, together."""
    days = sorted(_turning_days(documents))
    turns = np.array([day.toordinal() - EPOCH_DAY for day in days], dtype=np.float64)
    known = ~np.isnan(bought)
    span = np.where(known, np.searchsorted(turns, np.where(known, bought, 0), side="right"), 0)
    for number_of in np.unique(span[span > 0]):
        ruler = in_force(documents, days[number_of - 1])
        if ruler is not None:
            yield np.flatnonzero(span == number_of), ruler


def _turning_days(documents: Sequence[Entitlement]) -> set[date]:
    """The days on which another version, or another number, comes into force."""
    found: set[date] = set()
    for document in documents:
        found.add(document.in_force.since)
        if document.in_force.until:
            found.add(document.in_force.until + timedelta(days=1))
        found |= {dated.since for threshold in document.thresholds.values() for dated in threshold.values}
    return found


def ruled(ruler: Ruler, facts: pd.DataFrame) -> pd.DataFrame:
    """What the versions in force conclude of rows of facts: outcomes, clauses and derived facts."""
    known = facts.copy(deep=False)
    thresholds = ruler.base.thresholds_on(ruler.day)
    for name, table in ruler.base.tables.items():
        decided = _decided(ruler.base, table, known, thresholds)
        clauses = _clauses(ruler.base, table, decided)
        for extension in ruler.extensions:
            if name in extension.tables:
                own = extension.tables[name]
                more = _decided(extension, own, known, extension.thresholds_on(ruler.day))
                better, unknown = more_generous(decided, more)
                clauses[better], clauses[unknown] = _clauses(extension, own, more)[better], None
                outcome = np.where(better, more.outcome, np.where(unknown, UNKNOWN, decided.outcome))
                decided = Decided(outcome.astype(np.int16), decided.row)
        known[name] = _outcomes(table, decided)
        known[f"{name}_clause"] = pd.Series(clauses, index=known.index, dtype="str")
    _derive(ruler.base, known, thresholds)
    return known[_names(ruler.base)]


def more_generous(base: Decided, more: Decided) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where an extension gives more, and where that is not known; Kleene's or, on outcomes in order."""
    gives = more.outcome >= 0
    known = base.outcome >= 0
    better = gives & ((more.outcome == 0) | (known & (more.outcome < base.outcome)))
    doubtful = (more.outcome == UNKNOWN) & (base.outcome != 0)
    doubtful |= gives & ~known & (more.outcome != 0)
    return better & (base.outcome != 0), doubtful


def _decided(document: Document, table: Table, facts: pd.DataFrame, thresholds: Mapping[str, float]) -> Decided:
    columns = Columns(facts, document.catalogue, thresholds, document.facts)
    return decide(table, [document.condition(row) for row in table.rows], columns)


def _outcomes(table: Table, decided: Decided) -> list[str] | npt.NDArray[Any] | pd.api.extensions.ExtensionArray:
    """The outcomes themselves, missing where unknown."""
    held = np.array([*table.outcomes, None], dtype=object)
    values = held[np.where(decided.outcome >= 0, decided.outcome, -1)]
    return pd.array(values, dtype="str" if table.type == "text" else "Float64")


def _clauses(document: Document, table: Table, decided: Decided) -> npt.NDArray[Any]:
    """Version and clause that decided each row, or None."""
    told = [cited(document, table, place) for place in range(len(table.rows))]
    otherwise = cited(document, table, None)
    held = np.array([*told, otherwise, None], dtype=object)
    place = np.where(decided.row >= 0, decided.row, np.where(decided.outcome >= 0, len(told), len(told) + 1))
    return held[place]


def cited(document: Document, table: Table, row: int | None) -> str:
    """How the clause that decided is cited: version, then clause or row."""
    if row is None:
        return f"{document.reference} otherwise"
    return f"{document.reference} {table.rows[row].clause or table.rows[row].id}"


def _derive(document: Document, facts: pd.DataFrame, thresholds: Mapping[str, float]) -> None:
    """Add the derived facts."""
    for name, derived in document.derived.items():
        columns = Columns(facts, document.catalogue, thresholds, document.facts)
        if derived.type == "boolean":
            truth = evaluate(document.formula(name), columns)
            values = pd.array(truth.yes, dtype="boolean")
            values[truth.unknown] = pd.NA
            facts[name] = values
            continue
        numbers = evaluate_number(document.formula(name), columns)
        if derived.type == "integer":
            numbers = np.floor(numbers)
        facts[name] = pd.Series(numbers, index=facts.index, dtype="Float64").astype(
            pd.api.types.pandas_dtype(DTYPES[derived.type])
        )
