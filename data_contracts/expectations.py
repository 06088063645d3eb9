"""The expectations that contracts may use, each with Great Expectations' own metric that decides it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """The condition metric of one expectation, what names its columns, and what its values are."""

    metric: str
    domain: tuple[str, ...]
    values: tuple[str, ...] = ()

    @property
    def arguments(self) -> frozenset[str]:
        """What a rule may say: columns (also `columns: text`, `columns_B: happened`), values, a row condition."""
        return frozenset({*self.domain, *self.values, "columns", "columns_B", "row_condition"})


ONE, PAIR = ("column",), ("column_A", "column_B")
EXPECTATIONS = {
    "expect_column_values_to_not_be_null": Expectation("column_values.nonnull", ONE),
    "expect_column_values_to_be_null": Expectation("column_values.null", ONE),
    "expect_column_values_to_be_unique": Expectation("column_values.unique", ONE),
    "expect_column_values_to_be_between": Expectation(
        "column_values.between", ONE, ("min_value", "max_value", "strict_min", "strict_max")
    ),
    "expect_column_values_to_be_in_set": Expectation("column_values.in_set", ONE, ("value_set",)),
    "expect_column_values_to_match_regex": Expectation("column_values.match_regex", ONE, ("regex",)),
    "expect_column_values_to_not_match_regex": Expectation("column_values.not_match_regex", ONE, ("regex",)),
    "expect_column_value_lengths_to_be_between": Expectation(
        "column_values.value_length.between", ONE, ("min_value", "max_value")
    ),
    "expect_column_pair_values_to_be_equal": Expectation("column_pair_values.equal", PAIR),
    "expect_column_pair_values_a_to_be_greater_than_b": Expectation(
        "column_pair_values.a_greater_than_b", PAIR, ("or_equal",)
    ),
}
