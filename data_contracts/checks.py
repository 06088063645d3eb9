"""Hold a frame against its contract: every broken row with every rule that it breaks.

A broken row is set aside by whoever asked; a broken *table* can't be relied on at all. A rule that could
not be asked is a breach of the table, never a verdict on its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from control_tower.errors import ContractError, nearest
from data_contracts.asking import Answer, Mask, answers, within_reason
from data_contracts.contract import Contract

if TYPE_CHECKING:
    import pandas as pd

MANY = 100  # of fewer rows a share says nothing: one bad row of three does not stop a lane


@dataclass(frozen=True)
class Breach:
    """Why a whole table can't be relied on."""

    rule: str
    sentence: str


@dataclass(frozen=True)
class RuleCount:
    """How many rows break a rule; when it could not be asked `ran` is false and `fault` says why."""

    name: str
    severity: str
    sentence: str
    count: int
    ran: bool
    fault: str = ""


@dataclass(frozen=True)
class Tally:
    """What promises about a table as a whole are decided by; those of its parts add up to that of the table.

    Attributes:
        bad_rows: rows that break a rule whose severity is error.
        newest: the last observation of a good, visible row, in UTC; None where there is none.
        faults: rules that could not be asked.
        misshapen: what is wrong with its columns; nothing else was asked then.
    """

    rows: int = 0
    bad_rows: int = 0
    newest: datetime | None = None
    faults: tuple[Breach, ...] = ()
    misshapen: tuple[Breach, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        seen = [each for each in (self.newest, other.newest) if each is not None]
        return Tally(
            rows=self.rows + other.rows,
            bad_rows=self.bad_rows + other.bad_rows,
            newest=max(seen, default=None),
            faults=tuple(dict.fromkeys((*self.faults, *other.faults))),
            misshapen=tuple(dict.fromkeys((*self.misshapen, *other.misshapen))),
        )


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        failures: one row for each rule that a row breaks, by row: row (int64, position in the frame), rule,
            severity, column (the first that fails), sentence.
        breaches: why the whole table can't be relied on; empty when it can.
        tally: what that was decided by.
        rules: every rule of the contract with its count.
    """

    failures: pd.DataFrame
    breaches: tuple[Breach, ...]
    tally: Tally
    rules: tuple[RuleCount, ...]

    @property
    def rows(self) -> int:
        """Rows of the frame."""
        return self.tally.rows

    @property
    def bad_rows(self) -> int:
        """Rows that break a rule whose severity is error."""
        return self.tally.bad_rows


def check(contract: Contract, frame: pd.DataFrame, as_of: datetime) -> Checked:
    """Hold a frame against its contract.

    Args:
        frame: the contract's columns, its context columns, `unreadable`, `visible` and, with a status,
            `status_known`; any index, since rows are counted by position. Types: string, Int64, boolean,
            datetime64[us, UTC]; text may also come as categories.
        as_of: timezone-aware; what staleness is measured from.

    Raises:
        ContractError: `as_of` has no time zone.
    """
    if as_of.tzinfo is None:
        raise ContractError(f"as_of {as_of} has no time zone", where=contract.reference)
    misshapen = tuple(_misshapen(contract, frame))
    if misshapen:
        unasked = tuple(
            RuleCount(rule.name, rule.severity, rule.sentence, 0, False, "the table has another shape")
            for rule in contract.rules
        )
        return Checked(_failures([]), misshapen, Tally(rows=len(frame), misshapen=misshapen), unasked)
    asked = list(answers(contract, frame))
    tally = _tally(contract, frame, asked)
    return Checked(
        failures=_failures(asked),
        breaches=tuple(breaches(contract, tally, as_of)),
        tally=tally,
        rules=tuple(_count(answer) for answer in asked),
    )


def _tally(contract: Contract, frame: pd.DataFrame, asked: list[Answer]) -> Tally:
    bad = np.zeros(len(frame), dtype=bool)
    for answer in asked:
        if answer.rule.severity == "error" and not answer.fault:
            bad |= answer.broken
    faults = [Breach(each.rule.name, f"could not be asked: {each.fault}") for each in asked if each.fault]
    newest = None
    if contract.stale_after is not None and "visible" not in frame:
        faults.append(Breach(f"{contract.name}.fresh", "could not be asked: column visible is not there"))
    elif contract.stale_after is not None:
        newest = _newest(frame, ~bad)
    return Tally(rows=len(frame), bad_rows=int(bad.sum()), newest=newest, faults=tuple(faults))


def _newest(frame: pd.DataFrame, good: Mask) -> datetime | None:
    """The last observation of what is visible. A broken row's own clock proves nothing."""
    counted = good & frame["visible"].fillna(False).to_numpy(dtype=bool)
    newest = within_reason(frame.loc[counted, "observed_at"]).max()
    return newest.to_pydatetime() if counted.any() else None


def _count(answer: Answer) -> RuleCount:
    rule, count = answer.rule, 0 if answer.fault else int(answer.broken.sum())
    return RuleCount(rule.name, rule.severity, rule.sentence, count, not answer.fault, answer.fault)


def _failures(asked: list[Answer]) -> pd.DataFrame:
    """One row for each rule that a row breaks, by row and then by the contract's order of rules."""
    import pandas as pd

    held = [answer for answer in asked if not answer.fault]
    broken = [answer.broken.nonzero()[0].astype("int64") for answer in held]
    rule = np.repeat(np.arange(len(held)), [len(rows) for rows in broken])
    # Which column failed first, counted over the columns of all rules.
    columns = [column for answer in held for column in answer.rule.columns]
    before = np.cumsum([0, *(len(answer.rule.columns) for answer in held)])
    first = [
        before[number] + np.argmax([mask[rows] for mask in answer.masks], axis=0)
        for number, (answer, rows) in enumerate(zip(held, broken, strict=True))
        if len(rows)
    ]
    rows = np.concatenate([*broken, np.array([], dtype="int64")])
    order = np.argsort(rows, kind="stable")
    # One frame of all: a frame for each rule would cost more than the asking does.
    return pd.DataFrame(
        {
            "row": rows[order],
            "rule": _text([answer.rule.name for answer in held], rule[order]),
            "severity": _text([answer.rule.severity for answer in held], rule[order]),
            "column": _text(columns, np.concatenate([*first, np.array([], dtype="int64")])[order]),
            "sentence": _text([answer.rule.sentence for answer in held], rule[order]),
        }
    )


def _text(words: list[str], taken: np.ndarray[Any, Any]) -> Any:
    """The words at these positions, as a column of text."""
    import pandas as pd

    return pd.array(words, dtype="str").take(taken)


def _misshapen(contract: Contract, frame: pd.DataFrame) -> Iterator[Breach]:
    """Columns that are gone, there twice, or of another type."""
    rule, held = f"{contract.name}.columns", list(map(str, frame.columns))
    for column in contract.columns.values():
        count = held.count(column.name)
        if not count:
            yield Breach(rule, f"column {column.name} is gone: {nearest(column.name, held)}")
        elif count > 1:
            yield Breach(rule, f"column {column.name} is there {count} times")
        elif not _is(column.type, frame[column.name].dtype):
            yield Breach(rule, f"column {column.name} is {frame[column.name].dtype}, not {column.type}")


def _is(kind: str, dtype: Any) -> bool:
    import pandas as pd

    match kind:
        case "string":
            coded = isinstance(dtype, pd.CategoricalDtype)  # as repetitive text is read
            return pd.api.types.is_string_dtype(dtype.categories) if coded else isinstance(dtype, pd.StringDtype)
        case "integer":
            return pd.api.types.is_signed_integer_dtype(dtype) and dtype.itemsize == 8
        case "boolean":
            return pd.api.types.is_bool_dtype(dtype)
        case _:
            return isinstance(dtype, pd.DatetimeTZDtype) and str(dtype.tz) == "UTC"


def breaches(contract: Contract, tally: Tally, as_of: datetime) -> Iterator[Breach]:
    """Why a whole table can't be relied on: what could not be asked, and what is promised of it as a whole.

    Args:
        tally: of the whole table, however many parts of it were checked.
        as_of: timezone-aware; what staleness is measured from.
    """
    if tally.misshapen:
        yield from tally.misshapen
        return
    yield from tally.faults
    rows, broken = tally.rows, tally.bad_rows
    if rows - broken < contract.minimum_rows:
        yield Breach(
            f"{contract.name}.minimum_rows",
            f"{rows - broken:,} good rows of {rows:,}; at least {contract.minimum_rows:,} are promised",
        )
    if rows >= MANY and broken > rows * contract.error_share:
        yield Breach(
            f"{contract.name}.error_share",
            f"{broken:,} of {rows:,} rows are broken, more than {contract.error_share * 100:g}%",
        )
    if contract.stale_after is not None and tally.newest and as_of - tally.newest > contract.stale_after:
        age, moment = _hours(as_of - tally.newest), f"{as_of:%Y-%m-%d %H:%M %Z}"
        yield Breach(
            f"{contract.name}.fresh",
            f"last observed {tally.newest:%Y-%m-%d %H:%M} UTC, {age} before {moment};"
            f" {_hours(contract.stale_after)} may pass",
        )


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):,.0f} hours"
