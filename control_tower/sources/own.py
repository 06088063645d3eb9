"""A shop of the tower's file: its source, under the id that the file gives it and with what the file says of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from control_tower.nouns import Shop
from control_tower.shops.document import OwnShop
from control_tower.sources.protocol import Source, Tide

if TYPE_CHECKING:
    import duckdb


class OwnSource:
    """A source whose shop is the file's, whatever the source calls itself.

    Args:
        own: what the file says overrules the source.
    """

    def __init__(self, id: str, own: OwnShop, source: Source) -> None:
        self.id, self.own, self.source = id, own, source

    @cached_property
    def shop(self) -> Shop:
        """The shop of the file; what that leaves out is as the source says."""
        said = {name: getattr(self.own, name) for name in ("time_zone", "country", "currency")}
        return self.source.shop.model_copy(update={"id": self.id} | {k: v for k, v in said.items() if v})

    def tables(self) -> frozenset[str]:
        """The tables of the source."""
        return self.source.tables()

    def columns(self, table: str) -> frozenset[str]:
        """The columns that the source tells of."""
        return self.source.columns(table)

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """As the source does."""
        self.source.check_columns(table, known)

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table: see the protocol."""
        return self.source.relation(connection, table, columns, orders)

    @property
    def keyed(self) -> bool:
        """As the source is."""
        return self.source.keyed

    def tide(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        by: datetime,
        window: timedelta,
    ) -> Tide | None:
        """How far a table had been written: see the protocol."""
        return self.source.tide(connection, table, columns, by, window)

    def changed(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        since: datetime | None,
    ) -> str:
        """SQL of the orders of the rows that were written since: see the protocol."""
        return self.source.changed(connection, table, columns, since)

    def orders_with(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        column: str,
        values: str,
    ) -> str:
        """SQL of the orders of the rows that have one of some values in a column: see the protocol."""
        return self.source.orders_with(connection, table, columns, column, values)
