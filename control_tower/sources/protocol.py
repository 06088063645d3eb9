"""What any source of evidence must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from control_tower.nouns import Shop

if TYPE_CHECKING:
    import duckdb


class Source(Protocol):
    """Canonical tables, read through DuckDB."""

    @property
    def shop(self) -> Shop:
        """Whose orders these are."""

    def tables(self) -> frozenset[str]:
        """The canonical tables that this source has."""

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table that the source really tells of; the others are NULL throughout."""

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a SELECT that gives these columns (name → DuckDB type), in order, then `unreadable`.

        Rows come in the same order each time, as they do without a join.

        Args:
            connection: where the source may register what the SQL reads.
            columns: the first is the row's key.
            orders: when given, only rows of these orders, and rows that name no order, as a return with
                no purchase on file: they may be of any.
        """
