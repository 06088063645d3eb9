"""Truth: evaluate expressions three-valued, over a whole frame of facts at once.

Missing (None, NaN, NaT, pd.NA) is unknown; Kleene's logic carries it. Numbers are 64-bit floats and
moments are microseconds since 1970 in UTC, days are days since 1970, here and in `policies.verdict`,
which evaluates one row, so that both give one answer; a number that is not finite, as after a division
by zero, is missing, and so is a value that a fact is declared never to have.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from control_tower.errors import PolicyError, nearest
from policies.expressions import Expression
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
)

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
NAN = float("nan")
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


class Truth(NamedTuple):
    """Yes and no for each row; where neither holds, the answer is unknown."""

    yes: Flags
    no: Flags

    @property
    def unknown(self) -> Flags:
        """The rows about which nothing can be said."""
        return ~(self.yes | self.no)


class Words(NamedTuple):
    """Text as codes into a vocabulary; -1 where it is missing."""

    codes: npt.NDArray[np.intp]
    vocabulary: pd.Index[Any]


class Columns:
    """The facts of many rows, each column converted at most once, and the thresholds in force.

    Args:
        frame: one row for each order; it may have more columns than the catalogue.
        catalogue: the type of each fact and threshold.
        thresholds: the value of each threshold.
        facts: what the facts are declared to be, for the values that they can have.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        catalogue: Mapping[str, str],
        thresholds: Mapping[str, float],
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        self.frame, self.catalogue, self.thresholds = frame, catalogue, thresholds
        self.facts = facts or {}
        self._flags: dict[str, Truth] = {}
        self._numbers: dict[str, Numbers] = {}
        self._words: dict[str, Words] = {}

    def __len__(self) -> int:
        return len(self.frame)

    def series(self, name: str) -> pd.Series[Any]:
        """One column of facts.

        Raises:
            PolicyError: the frame has no such column.
        """
        if name not in self.frame.columns:
            offer = nearest(name, map(str, self.frame.columns))
            raise PolicyError(f"the facts have no {name!r}", remedy=offer)
        return self.frame[name]

    def flags(self, name: str) -> Truth:
        """A boolean fact."""
        if name not in self._flags:
            values = _typed(self.series(name), name, self.catalogue[name])
            yes = values.to_numpy(dtype=bool, na_value=False)
            self._flags[name] = Truth(yes, ~(yes | self._gaps(values)))
        return self._flags[name]

    def numbers(self, name: str) -> Numbers:
        """A number, a timestamp (microseconds), a date (days) or a threshold, as floats; NaN where missing."""
        if name in self.thresholds:
            return np.asarray(float(self.thresholds[name]))
        if name not in self._numbers:
            kind = self.catalogue[name]
            values = _typed(self.series(name), name, kind)
            read = {"timestamp": _microseconds, "date": _days}.get(kind, _finite)
            self._numbers[name] = self._within(name, read(values))
        return self._numbers[name]

    def _within(self, name: str, numbers: Numbers) -> Numbers:
        """Numbers with NaN for those that the fact is declared never to be."""
        fact = self.facts.get(name)
        if fact is None or (fact.at_least is None and fact.at_most is None):
            return numbers
        low = -np.inf if fact.at_least is None else fact.at_least
        high = np.inf if fact.at_most is None else fact.at_most
        beyond = (numbers < low) | (numbers > high)
        return np.where(beyond, NAN, numbers) if beyond.any() else numbers

    def integers(self, name: str) -> pd.Series[Any]:
        """A whole number as it is (`Int64`), such as money in minor units.

        Raises:
            PolicyError: the column holds fractions, or no numbers.
        """
        values = _typed(self.series(name), name, "integer")
        try:
            return values.astype("Int64")
        except (TypeError, ValueError):
            raise PolicyError(f"the fact {name!r} is declared integer and holds fractions") from None

    def words(self, name: str) -> Words:
        """A text fact."""
        if name not in self._words:
            codes, found = pd.factorize(_typed(self.series(name), name, "text"))
            vocabulary = pd.Index(found, dtype=object)
            fact = self.facts.get(name)
            if fact and fact.one_of:
                codes = np.where(np.append(vocabulary.isin(fact.one_of), False)[codes], codes, -1)
            self._words[name] = Words(codes, vocabulary)
        return self._words[name]

    def known(self, name: str, kind: Kind) -> Flags:
        """Whether a fact is known, row by row."""
        if kind is Kind.boolean:
            return ~self.flags(name).unknown
        if kind is Kind.text:
            return self.words(name).codes >= 0
        return ~np.isnan(self.numbers(name))

    @staticmethod
    def _gaps(values: pd.Series[Any]) -> Flags:
        return values.isna().to_numpy(dtype=bool)


def evaluate(expression: Expression, columns: Columns) -> Truth:
    """Evaluate a condition over every row; both arrays are as long as the frame."""
    truth = _truth(expression.tree, columns)
    return Truth(*(np.broadcast_to(side, (len(columns),)) for side in truth))


def evaluate_number(expression: Expression, columns: Columns) -> Numbers:
    """Evaluate arithmetic over every row; NaN where it has no known value."""
    return np.broadcast_to(_numbers(expression.tree, columns), (len(columns),))


def _truth(node: Node, columns: Columns) -> Truth:
    match node:
        case Name(name):
            return columns.flags(name)
        case Constant(value):
            return Truth(np.asarray(bool(value)), np.asarray(not value))
        case Not(operand):
            truth = _truth(operand, columns)
            return Truth(truth.no, truth.yes)
        case And(parts):
            return _folded([_truth(part, columns) for part in parts], operator.and_, operator.or_)
        case Or(parts):
            return _folded([_truth(part, columns) for part in parts], operator.or_, operator.and_)
        case Presence(name, kind):
            known = columns.known(name, kind) if name not in columns.thresholds else np.asarray(True)
            return Truth(known, ~known)
        case Membership():
            return _membership(node, columns)
        case Comparison():
            return _comparison(node, columns)
        case _:
            raise PolicyError("a number is no condition")


def _folded(parts: Sequence[Truth], yes: Callable[[Any, Any], Any], no: Callable[[Any, Any], Any]) -> Truth:
    first, *others = parts
    for other in others:
        first = Truth(yes(first.yes, other.yes), no(first.no, other.no))
    return first


def _comparison(node: Comparison, columns: Columns) -> Truth:
    if node.kind is Kind.boolean:
        left, right = _truth(node.left, columns), _truth(node.right, columns)
        same = (left.yes & right.yes) | (left.no & right.no)
        known = ~(left.unknown | right.unknown)
    elif node.kind is Kind.text:
        same, known = _same_words(_words(node.left, columns), _words(node.right, columns))
    else:
        first, second = _numbers(node.left, columns), _numbers(node.right, columns)
        known = ~(np.isnan(first) | np.isnan(second))
        yes = SIGNS[node.sign](first, second) & known
        return Truth(yes, known & ~yes)
    yes = (same if node.sign == "==" else ~same) & known
    return Truth(yes, known & ~yes)


def _membership(node: Membership, columns: Columns) -> Truth:
    if node.kind is Kind.text:
        words = _words(node.operand, columns)
        known = words.codes >= 0
        # Code -1 reads the last entry, which is for what is missing.
        yes = np.append(words.vocabulary.isin(node.choices), False)[words.codes]
    else:
        numbers = _numbers(node.operand, columns)
        known = ~np.isnan(numbers)
        yes = np.isin(numbers, np.asarray(node.choices, dtype=float))
    return Truth(yes & known, known & ~yes)


def _numbers(node: Node, columns: Columns) -> Numbers:
    match node:
        case Name(name):
            return columns.numbers(name)
        case Arithmetic(sign, left, right):
            with np.errstate(all="ignore"):
                result = SIGNS[sign](_numbers(left, columns), _numbers(right, columns))
            return np.where(np.isfinite(result), result, NAN)
        case Constant(value):
            return np.asarray(float(value))
        case _:
            raise PolicyError("a condition is no number")


def _words(node: Node, columns: Columns) -> Words:
    match node:
        case Name(name):
            return columns.words(name)
        case Constant(value):
            return Words(np.asarray(0), pd.Index([value], dtype=object))
        case _:
            raise PolicyError("only facts and literals are text")


def _same_words(left: Words, right: Words) -> tuple[Flags, Flags]:
    into_left = np.append(left.vocabulary.get_indexer(right.vocabulary), -1)
    known = (left.codes >= 0) & (right.codes >= 0)
    return (into_left[right.codes] == left.codes) & known, known


def _typed(values: pd.Series[Any], name: str, kind: str) -> pd.Series[Any]:
    """A column of the declared type; a column with nothing in it passes for any.

    Raises:
        PolicyError: it holds something else.
    """
    if _is(values.dtype, kind):
        return values
    if values.isna().all():
        return pd.Series(pd.NA, index=values.index, dtype="Float64" if kind != "text" else "object")
    if values.dtype == object:
        held = pd.api.types.infer_dtype(values, skipna=True)
        if held in _HELD[kind]:
            return _from_objects(values, kind)
        raise PolicyError(f"the fact {name!r} is declared {kind} and holds {held}")
    raise PolicyError(f"the fact {name!r} is declared {kind} and holds {values.dtype}")


_HELD = {
    "boolean": ("boolean",),
    "integer": ("integer", "floating", "mixed-integer-float"),
    "number": ("integer", "floating", "mixed-integer-float"),
    "text": ("string",),
    "timestamp": ("datetime",),
    "date": ("date",),
}


def _is(dtype: np.dtype[Any] | pd.api.extensions.ExtensionDtype, kind: str) -> bool:
    types = pd.api.types
    if kind == "boolean":
        return types.is_bool_dtype(dtype)
    if kind == "text":
        return isinstance(dtype, pd.StringDtype)
    if kind == "timestamp":
        return isinstance(dtype, pd.DatetimeTZDtype)
    if kind == "date":
        return isinstance(dtype, np.dtype) and dtype.kind == "M"
    return types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype)


def _from_objects(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
    if kind == "text":
        return values
    if kind == "timestamp":
        moments = values.dropna()
        if any(moment.tzinfo is None for moment in moments):
            raise PolicyError(f"the fact {values.name!r} holds moments without a time zone")
        return pd.to_datetime(values, utc=True)
    if kind == "date":
        return values.astype("datetime64[s]")
    return values.where(values.notna(), None).astype("boolean" if kind == "boolean" else "Float64")


def _finite(values: pd.Series[Any]) -> Numbers:
    numbers = values.to_numpy(dtype=np.float64, na_value=NAN)
    finite = np.isfinite(numbers)
    return numbers if finite.all() else np.where(finite, numbers, NAN)


def _days(values: pd.Series[Any]) -> Numbers:
    if not isinstance(values.dtype, np.dtype) or values.dtype.kind != "M":
        return values.to_numpy(dtype=np.float64, na_value=NAN)  # nothing in it
    days = values.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(days), NAN, days.astype(np.int64).astype(np.float64))


def _microseconds(values: pd.Series[Any]) -> Numbers:
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.to_numpy(dtype=np.float64, na_value=NAN)  # nothing in it
    counts = values.dt.as_unit("us").astype("int64").to_numpy(dtype=np.float64)
    return np.where(values.isna().to_numpy(dtype=bool), NAN, counts)
