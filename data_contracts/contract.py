"""What a contract says: its columns, its rules, whose it is, and what a breach does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "boolean": "BOOLEAN", "timestamp": "TIMESTAMPTZ"}
TIMES = ("born", "event", "plan")
SEVERITIES = ("error", "warning")
GROUPS = ("text", "times", "happened")
# What gather adds to the columns of a source; `status_known` only where there is a status.
ADDED = {"unreadable": "string", "visible": "boolean", "status_known": "boolean"}
LATEST = "latest_possible"  # observed_at and the tolerance that clocks are given


@dataclass(frozen=True)
class Column:
    """One promised column. `time` says what a timestamp is: the row's birth, an event, or a plan."""

    name: str
    type: str
    required: bool
    unique: bool
    time: str | None
    description: str = ""
    example: Any = None


@dataclass(frozen=True)
class ContextColumn:
    """A column of another table that rules compare with; the caller joins it in before checking."""

    name: str
    table: str
    column: str
    on: str = "order_id"


@dataclass(frozen=True)
class Question:
    """A rule put to one column, or to a pair: Great Expectations' domain, and the column it is about."""

    about: str
    domain: Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """One named rule, the sentence that explains it, and the expectation that it compiles to.

    A row breaks it when it fails any of its questions; `where` narrows them to rows with these values.
    `broken_by` is the counterexample: what, laid over the contract's example row, breaks this rule alone.
    """

    name: str
    severity: str
    sentence: str
    expect: str
    questions: tuple[Question, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    broken_by: Mapping[str, Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule is about."""
        return tuple(question.about for question in self.questions)


@dataclass(frozen=True)
class Contract:
    """What one evidence table promises, whose it is, and what a breach does.

    Attributes:
        context: columns of other tables that the rules need beside the table's own.
        days_between: name of a computed number of days -> the two timestamps that it lies between.
        dated_by: status -> the event that dates it.
        error_share: share of rows that may be broken; asked of a hundred rows or more.
        minimum_rows: how many rows without an error there must be.
        stale_after: how old the newest observation may be; None when it is not promised.
        clock_tolerance: how much later than observed_at a thing may claim to have happened.
        read_whole: its rows are of no one order, and are all read when a few orders are looked at again.
    """

    name: str
    version: str
    owner: str
    purpose: str
    columns: Mapping[str, Column]
    rules: tuple[Rule, ...]
    context: Mapping[str, ContextColumn] = field(default_factory=dict)
    days_between: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    dated_by: Mapping[str, str] = field(default_factory=dict)
    error_share: float = 0.05
    minimum_rows: int = 0
    stale_after: timedelta | None = None
    clock_tolerance: timedelta = timedelta(0)
    read_whole: bool = False

    @property
    def reference(self) -> str:
        """Name and version, as in orders@1.0.0."""
        return f"{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """The column that names a row."""
        return next(column.name for column in self.columns.values() if column.unique)

    @property
    def born(self) -> str | None:
        """The timestamp at which a row came into being."""
        return next((column.name for column in self.columns.values() if column.time == "born"), None)

    @property
    def events(self) -> tuple[str, ...]:
        """The timestamps of things that happened to a row."""
        return tuple(column.name for column in self.columns.values() if column.time == "event")

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns."""
        return columns_of_group("text", self.columns)

    def duckdb_types(self) -> dict[str, str]:
        """Column name to DuckDB type, in order."""
        return {column.name: TYPES[column.type] for column in self.columns.values()}


def columns_of_group(group: str, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The columns that a rule means by `text`, `times` (timestamps) or `happened` (births and events)."""
    kind = {"text": "string", "times": "timestamp", "happened": "timestamp"}[group]
    times = ("born", "event") if group == "happened" else (*TIMES, None)
    return tuple(each.name for each in columns.values() if each.type == kind and each.time in times)
