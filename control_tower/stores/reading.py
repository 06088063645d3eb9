"""From a SQLite cursor to Arrow columns: plain tuples, a hundred thousand at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from control_tower.joins import quoted

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_A_TIME = 100_000


def read_arrow(
    connection: sqlite3.Connection, table: str, kinds: Mapping[str, str], orders: Sequence[str] | None = None
) -> pa.Table:
    """The columns of a table, only of some orders when given; a row that names no order may be of any.

    Args:
        kinds: column -> VARCHAR, BIGINT, BOOLEAN (kept as 0 or 1) or TIMESTAMPTZ (kept as microseconds
            since 1970 in UTC).
    """
    import pyarrow as pa

    sql = f"SELECT {', '.join(map(quoted, kinds))} FROM {quoted(table)}"
    if orders is not None:
        # A table of its own takes any number of ids, and nothing in them is ever SQL.
        connection.execute("CREATE TEMP TABLE asked (order_id TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.executemany("INSERT OR IGNORE INTO asked VALUES (?)", ((order,) for order in orders))
        sql += " WHERE order_id IN (SELECT order_id FROM asked) OR order_id IS NULL"
    return pa.Table.from_batches(list(_batches(connection.execute(sql), kinds)), schema=schema_of(kinds))


def schema_of(kinds: Mapping[str, str]) -> pa.Schema:
    """The Arrow types of DuckDB's."""
    import pyarrow as pa

    types = {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in kinds.items()])


def _batches(cursor: sqlite3.Cursor, kinds: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Whole numbers become moments and flags by a cast of the column, never one by one."""
    import pyarrow as pa

    schema = schema_of(kinds)
    kept = [pa.string() if kind == "VARCHAR" else pa.int64() for kind in kinds.values()]
    while rows := cursor.fetchmany(ROWS_AT_A_TIME):
        columns = zip(zip(*rows, strict=True), kept, schema.types, strict=True)
        arrays = [pa.array(values, kind).cast(final) for values, kind, final in columns]
        yield pa.record_batch(arrays, schema=schema)
