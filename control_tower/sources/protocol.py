"""What any source of evidence must offer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from control_tower.nouns import Shop

if TYPE_CHECKING:
    import duckdb


class Tide(NamedTuple):
    """When the last row of a table was written; and of the rows that were a while before it, how many there are and
    how many microseconds since that while began, all together: of other rows it would be another number."""

    newest: datetime
    rows: int
    spent: int


class Source(Protocol):
    """Canonical tables, read through DuckDB."""

    @property
    def shop(self) -> Shop:
        """Whose orders these are."""

    def tables(self) -> frozenset[str]:
        """The canonical tables that this source has."""

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table that the source really tells of; the others are NULL throughout."""

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """See that nothing gives a table a column that it can't have.

        Args:
            known: the columns that it may have.

        Raises:
            MappingError: its mapping does.
        """

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

    @property
    def keyed(self) -> bool:
        """Whether no two rows of a table can have one key, as in a database that holds to it."""

    def tide(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        by: datetime,
        window: timedelta,
    ) -> Tide | None:
        """How far a table had been written by a moment; None where no row had been.

        Args:
            columns: as of `relation`.
            window: how much older than the newest the rows are that are counted.
        """

    def changed(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        since: datetime | None,
    ) -> str:
        """SQL of the `order_id` of the rows that were written at or after a moment; of all, when None.

        Whatever writes a row moves the moment at which it was written. A row that is gone, or that names another
        order than before, is not told of.
        """

    def orders_with(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        column: str,
        values: str,
    ) -> str:
        """SQL of the `order_id` of the rows of a table that have one of some values in a column.

        Args:
            values: SQL of one column of text.
        """
