"""Verdict: evaluate an expression on one row of facts, and say what it read and what it lacked.

The answer is the one that `policies.truth` gives for the same row; a property test says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Answer
from policies.expressions import EPOCH_DAY, Expression
from policies.terms import Fact
from policies.tree import (
    And,
    Arithmetic,
    Comparison,
    Constant,
    Kind,
    Membership,
    Name,
    Node,
    Not,
    Or,
    Presence,
    names_in,
)
from policies.truth import SIGNS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Value = bool | float | str | None
Row = Mapping[str, Value]


@dataclass(frozen=True)
class Verdict:
    """One answer, the facts that it lacked if it is unknown, and what it read: None where missing."""

    answer: Answer
    missing: tuple[str, ...]
    values: dict[str, Value]


def verdict(
    expression: Expression,
    facts: Mapping[str, Any],
    catalogue: Mapping[str, str],
    declared: Mapping[str, Fact] | None = None,
) -> Verdict:
    """Evaluate a condition on one row.

    Args:
        facts: the value of each fact and threshold; moments as aware datetimes or ISO 8601 text.
        catalogue: the type of each fact and threshold.
        declared: what the facts are declared to be, for the values that they can have.

    Raises:
        PolicyError: a fact that the expression reads is not there, or is of another type.
    """
    row = row_of(expression, facts, catalogue, declared)
    held = _holds(expression.tree, row)
    lacked = tuple(sorted(_lacked(expression.tree, row))) if held is None else ()
    answer = Answer.unknown if held is None else Answer.yes if held else Answer.no
    return Verdict(answer, lacked, row)


def number(
    expression: Expression,
    facts: Mapping[str, Any],
    catalogue: Mapping[str, str],
    declared: Mapping[str, Fact] | None = None,
) -> float | None:
    """Evaluate arithmetic on one row; None where it has no known value."""
    found = _value(expression.tree, row_of(expression, facts, catalogue, declared))
    return None if found is None else float(found)


def row_of(
    expression: Expression, facts: Mapping[str, Any], catalogue: Mapping[str, str], declared: Mapping[str, Fact] | None
) -> dict[str, Value]:
    """What an expression reads of a row, as it is compared."""
    known = declared or {}
    return {name: within(known.get(name), _read(name, catalogue[name], facts)) for name in expression.names}


def within(fact: Fact | None, value: Value) -> Value:
    """The value, or None where it is one that the fact is declared never to have."""
    if fact is None or value is None:
        return value
    if isinstance(value, str):
        return value if not fact.one_of or value in fact.one_of else None
    too_low = fact.at_least is not None and value < fact.at_least
    too_high = fact.at_most is not None and value > fact.at_most
    return None if too_low or too_high else value


def is_missing(value: object) -> bool:
    """Whether a value stands for nothing known."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating) and not math.isfinite(value)


def _read(name: str, kind: str, facts: Mapping[str, Any]) -> Value:
    if name not in facts:
        raise PolicyError(f"the facts have no {name!r}", remedy=nearest(name, facts))
    return check_value(name, kind, facts[name])


def check_value(name: str, kind: str, value: object) -> Value:
    """A value as it is compared: numbers as floats, moments and days counted from 1970, missing as None.

    Raises:
        PolicyError: it is not of the declared type.
    """
    if is_missing(value):
        return None
    if kind == "timestamp":
        return _microseconds(name, value)
    if kind == "date":
        return _days(name, value)
    if kind == "text" and isinstance(value, str):
        return value
    is_flag = isinstance(value, bool | np.bool_)
    if kind == "boolean" and is_flag:
        return bool(value)
    if kind in ("integer", "number") and isinstance(value, int | float | np.number) and not is_flag:
        return float(value)
    raise PolicyError(f"the fact {name!r} is declared {kind} and holds {type(value).__name__}")


def _microseconds(name: str, value: object) -> float:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise PolicyError(f"the fact {name!r} is declared timestamp and holds no moment with a time zone")
    return float((moment - EPOCH) // timedelta(microseconds=1))


def _days(name: str, value: object) -> float:
    try:
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    except ValueError:
        day = None
    if isinstance(day, datetime) and day.tzinfo is None:
        day = day.date()
    if not isinstance(day, date) or isinstance(day, datetime):
        raise PolicyError(f"the fact {name!r} is declared date and holds no day", remedy="as in 2027-01-31")
    return float(day.toordinal() - EPOCH_DAY)


def _holds(node: Node, row: Row) -> bool | None:
    match node:
        case Name(name):
            flag = row[name]
            return None if flag is None else bool(flag)
        case Constant(literal):
            return bool(literal)
        case Not(operand):
            held = _holds(operand, row)
            return None if held is None else not held
        case And(parts):
            answers = [_holds(part, row) for part in parts]
            return False if False in answers else None if None in answers else True
        case Or(parts):
            answers = [_holds(part, row) for part in parts]
            return True if True in answers else None if None in answers else False
        case Presence(name):
            return row[name] is not None
        case Membership(operand, choices):
            value = _value(operand, row)
            return None if value is None else value in choices
        case Comparison(sign, left, right):
            first, second = _value(left, row), _value(right, row)
            return None if first is None or second is None else bool(SIGNS[sign](first, second))
    raise PolicyError("a number is no condition")


def _value(node: Node, row: Row) -> Value:
    match node:
        case Name(name):
            return row[name]
        case Constant(value):
            return value
        case Arithmetic(sign, left, right):
            first, second = _value(left, row), _value(right, row)
            if first is None or second is None or (sign == "/" and second == 0):
                return None
            result = SIGNS[sign](first, second)
            return float(result) if math.isfinite(result) else None
    return _holds(node, row)


def _lacked(node: Node, row: Row) -> set[str]:
    """The facts for want of which an answer is unknown.

    Where an `and` or an `or` is unknown, each of its unknown parts could have settled it or was needed.
    """
    match node:
        case Name(name):
            return {name} if row[name] is None else set()
        case Not(operand) | Membership(operand):
            return _lacked(operand, row)
        case And(parts) | Or(parts):
            return {name for part in parts if _holds(part, row) is None for name in _lacked(part, row)}
        case Comparison(left=left, right=right) if node.kind is Kind.boolean:
            sides = [side for side in (left, right) if _holds(side, row) is None]
            return {name for side in sides for name in _lacked(side, row)}
        case Comparison(left=left, right=right):
            return _lacked(left, row) | _lacked(right, row)
        case Arithmetic(left=left, right=right) if _value(node, row) is None:
            # Both sides may be known and the result still be none, as after a division by zero.
            return _lacked(left, row) | _lacked(right, row) or set(names_in(node))
    return set()
