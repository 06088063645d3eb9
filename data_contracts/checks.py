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
class Checked:
    """What a check found.

    Attributes:
        failures: one row for each rule that a row breaks, by row: row (int64, position in the frame), rule,
            severity, column (the first that fails), sentence.
        breaches: why the whole table can't be relied on; empty when it can.
        rows: rows of the frame.
        bad_rows: rows that break a rule whose severity is error.
        rules: every rule of the contract with its count.
    """

    failures: pd.DataFrame
    breaches: tuple[Breach, ...]
    rows: int
    bad_rows: int
    rules: tuple[RuleCount, ...]


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
        return Checked(_failures([]), misshapen, len(frame), 0, unasked)
    asked = list(answers(contract, frame))
    bad = np.zeros(len(frame), dtype=bool)
    for answer in asked:
        if answer.rule.severity == "error" and not answer.fault:
            bad |= answer.broken
    return Checked(
        failures=_failures(asked),
        breaches=tuple(_breaches(contract, frame, asked, bad, as_of)),
        rows=len(frame),
        bad_rows=int(bad.sum()),
        rules=tuple(_count(answer) for answer in asked),
    )


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


def _breaches(
    contract: Contract, frame: pd.DataFrame, asked: list[Answer], bad: Mask, as_of: datetime
) -> Iterator[Breach]:
    """Rules that could not be asked, and promises about the table as a whole."""
    for answer in asked:
        if answer.fault:
            yield Breach(answer.rule.name, f"could not be asked: {answer.fault}")
    rows, broken = len(frame), int(bad.sum())
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
    if contract.stale_after is not None:
        yield from _stale(contract, contract.stale_after, frame, ~bad, as_of)


def _stale(
    contract: Contract, allowed: timedelta, frame: pd.DataFrame, good: Mask, as_of: datetime
) -> Iterator[Breach]:
    """Nothing visible was observed for too long. A broken row's own clock proves nothing."""
    rule = f"{contract.name}.fresh"
    if "visible" not in frame:
        yield Breach(rule, "could not be asked: column visible is not there")
        return
    counted = good & frame["visible"].fillna(False).to_numpy(dtype=bool)
    newest = within_reason(frame.loc[counted, "observed_at"]).max()
    if counted.any() and as_of - newest > allowed:
        age, moment = _hours(as_of - newest), f"{as_of:%Y-%m-%d %H:%M %Z}"
        yield Breach(
            rule,
            f"last observed {newest:%Y-%m-%d %H:%M} UTC, {age} before {moment}; {_hours(allowed)} may pass",
        )


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):,.0f} hours"
