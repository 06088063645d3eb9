"""Where a generated shop is written: a SQLite file, or a folder of Parquet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from control_tower.errors import StoreError
from control_tower.joins import quoted
from control_tower.nouns import Shop
from control_tower.stores.base import ShopRow
from control_tower.stores.columns import EPOCH, MICROSECOND
from control_tower.stores.editions import EDITION
from control_tower.stores.tables import CANONICAL, key_of

ROWS_AT_A_TIME = 50_000


def write_shop(path: Path, tables: dict[str, pa.Table], shop: Shop, frozen_at: datetime | None) -> None:
    """Write a shop's file; it is there whole, or not at all.

    Raises:
        StoreError: there is a shop with orders already.
    """
    _refuse_to_overwrite(path)
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        _create(connection)
        moment = None if frozen_at is None else (frozen_at - EPOCH) // MICROSECOND
        connection.execute(
            "INSERT INTO shop_profile (id, time_zone, country, currency, frozen_at) VALUES (?, ?, ?, ?, ?)",
            (shop.id, shop.time_zone, shop.country, shop.currency, moment),
        )
        for name, table in tables.items():
            _insert(connection, name, table)
        _index(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    made.replace(path)


def write_parquet(folder: Path, tables: dict[str, pa.Table], shop: Shop) -> None:
    """Write each table to `<name>.parquet`, with all canonical columns, and whose they are to `shop.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text("".join(f"{name}: {value}\n" for name, value in shop.model_dump().items()))
    for name, table in tables.items():
        whole = table.append_column("source", pa.repeat("shop", len(table)))
        whole = whole.append_column("source_id", table[key_of(name)])
        pq.write_table(whole, folder / f"{name}.parquet", compression="zstd", compression_level=1)


def _refuse_to_overwrite(path: Path) -> None:
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as connection:
            filled = connection.execute("SELECT 1 FROM orders LIMIT 1").fetchone()
    except sqlite3.Error as fault:
        raise StoreError(f"is no shop: {fault}", where=str(path), remedy="name another file") from None
    if filled:
        raise StoreError("has orders already", where=str(path), remedy="name another file, or move this one away")


def _create(connection: sqlite3.Connection) -> None:
    for table in ShopRow.metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
    connection.execute(f"PRAGMA user_version = {EDITION}")


def _index(connection: sqlite3.Connection) -> None:
    """After the rows, which is faster; by name, so that the same shop has the same bytes."""
    for table in ShopRow.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))


def _insert(connection: sqlite3.Connection, name: str, table: pa.Table) -> None:
    columns = [column.name for column in CANONICAL[name].columns]
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO {quoted(name)} ({', '.join(map(quoted, columns))}) VALUES ({marks})"
    connection.executemany(sql, _tuples(table.select(columns)))


def _tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(ROWS_AT_A_TIME):
        yield from zip(*(_stored(column) for column in batch.columns), strict=True)


def _stored(column: pa.Array) -> list[Any]:
    """Moments as microseconds, flags as 0 and 1."""
    if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    stored: list[Any] = column.to_pylist()
    return stored
