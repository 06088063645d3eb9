"""What changed, of a source whose every row says when it was observed, or is as old as its file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from control_tower.joins import literal, quoted
from control_tower.nouns import as_json
from control_tower.sources.protocol import Tide

if TYPE_CHECKING:
    import duckdb


EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class _Related(Protocol):
    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str: ...


class Observed:
    """`tide`, `changed` and `orders_with` of the protocol, asked of the rows themselves; of no mapping."""

    keyed = False

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """Nobody maps its columns, so none of them can be wrong: see the protocol."""

    def tide(
        self: _Related,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        by: datetime,
        window: timedelta,
    ) -> Tide | None:
        """How far a table had been written: see the protocol."""
        written = f"SELECT epoch_us(observed_at) AS written FROM ({self.relation(connection, table, columns)})"
        return tide_of(lambda sql: connection.execute(sql).fetchall()[0], f"({written})", "written", by, window)

    def changed(
        self: _Related,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        since: datetime | None,
    ) -> str:
        """SQL of the orders of rows that were observed since: see the protocol."""
        relation = self.relation(connection, table, columns)
        where = f" AND observed_at >= {_moment(since)}" if since else ""
        return f"SELECT order_id FROM ({relation}) WHERE order_id IS NOT NULL{where}"

    def orders_with(
        self: _Related,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        column: str,
        values: str,
    ) -> str:
        """SQL of the orders of rows with one of these values: see the protocol."""
        relation = self.relation(connection, table, columns)
        return f"SELECT order_id FROM ({relation}) WHERE order_id IS NOT NULL AND {quoted(column)} IN ({values})"


def _moment(at: datetime) -> str:
    return f"TIMESTAMPTZ {literal(as_json(at))}"


def tide_of(ask: Callable[[str], tuple[int, ...]], rows: str, at: str, by: datetime, window: timedelta) -> Tide | None:
    """The tide of rows whose column `at` holds microseconds since 1970."""
    latest = ask(f"SELECT max({at}) FROM {rows} WHERE {at} <= {(by - EPOCH) // MICROSECOND}")
    if latest[0] is None:
        return None
    since = latest[0] - window // MICROSECOND
    found = ask(f"SELECT count(*), sum({at} - {since}) FROM {rows} WHERE {at} BETWEEN {since} AND {latest[0]}")
    return Tide(EPOCH + latest[0] * MICROSECOND, int(found[0]), int(found[1]))
