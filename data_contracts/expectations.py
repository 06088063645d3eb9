"""The expectations that contracts may use, each with Great Expectations' own metric that decides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CONTROL_CHARACTERS = r"[\x00-\x08\x0B\x0C\x0E-\x1F]"  # all of C0 but tab, line feed and carriage return

ONE, PAIR = ("column",), ("column_A", "column_B")
ANY = frozenset({"string", "integer", "boolean", "timestamp", "number"})
TEXT, ORDERED = frozenset({"string"}), frozenset({"integer", "timestamp", "number"})
BOUNDS = ("min_value", "max_value")
Proof = Callable[["pd.Series[Any]", Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Expectation:
    """The condition metric of one expectation, what names its columns, and what its values are.

    `asks_of_null` says whether a null can break it; a rule on a null value passes otherwise.
    `clears` is a cheap proof that no value of a column breaks it, so that the metric need not be asked.
    """

    metric: str
    domain: tuple[str, ...]
    values: tuple[str, ...] = ()
    types: frozenset[str] = ANY
    needs: tuple[str, ...] = ()
    asks_of_null: bool = False
    clears: Proof | None = None

    @property
    def asks_of_values(self) -> bool:
        """Whether a value of one column answers for itself, whatever the other rows hold."""
        return self.domain == ONE and bool(self.values)

    @property
    def arguments(self) -> frozenset[str]:
        """What a rule may say: its columns or a group of them, its values, and `where`."""
        group = "columns" if self.domain == ONE else "columns_B"
        return frozenset({*self.domain, *self.values, group, "where"})


def _is_short(texts: pd.Series[Any], values: Mapping[str, Any]) -> bool:
    """No text has more bytes than it may have characters."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.get("min_value"):
        return False
    longest = pc.max(pc.binary_length(pa.array(texts))).as_py()
    return longest is None or longest <= values["max_value"]


def _is_printable(texts: pd.Series[Any], values: Mapping[str, Any]) -> bool:
    """No byte of the whole column is a control character's: one look at its buffers, not at each text."""
    import pyarrow as pa

    if values["regex"] != CONTROL_CHARACTERS:
        return False
    held = pa.array(texts)
    for chunk in held.chunks if isinstance(held, pa.ChunkedArray) else [held]:
        if not (pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type)):
            return False
        content = chunk.buffers()[2]
        if content is not None and content.size and np.frombuffer(content, dtype=np.uint8).min() < ord(" "):
            return False
    return True


EXPECTATIONS = {
    "expect_column_values_to_not_be_null": Expectation("column_values.nonnull", ONE, asks_of_null=True),
    "expect_column_values_to_be_null": Expectation("column_values.null", ONE, asks_of_null=True),
    "expect_column_values_to_be_unique": Expectation("column_values.unique", ONE),
    "expect_column_values_to_be_between": Expectation(
        "column_values.between", ONE, (*BOUNDS, "strict_min", "strict_max"), ORDERED, BOUNDS
    ),
    "expect_column_values_to_be_in_set": Expectation(
        "column_values.in_set", ONE, ("value_set",), TEXT | {"integer"}, ("value_set",)
    ),
    "expect_column_values_to_match_regex": Expectation("column_values.match_regex", ONE, ("regex",), TEXT, ("regex",)),
    "expect_column_values_to_not_match_regex": Expectation(
        "column_values.not_match_regex", ONE, ("regex",), TEXT, ("regex",), clears=_is_printable
    ),
    "expect_column_value_lengths_to_be_between": Expectation(
        "column_values.value_length.between", ONE, BOUNDS, TEXT, ("max_value",), clears=_is_short
    ),
    "expect_column_pair_values_to_be_equal": Expectation("column_pair_values.equal", PAIR),
    "expect_column_pair_values_a_to_be_greater_than_b": Expectation(
        "column_pair_values.a_greater_than_b", PAIR, ("or_equal",), ORDERED
    ),
}
