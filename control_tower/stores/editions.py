"""The edition of a shop's file: one that an earlier version made is brought up to date, with all it holds."""

from __future__ import annotations

from sqlalchemy import Connection, Table

from control_tower.joins import quoted
from control_tower.stores.base import ShopRow
from control_tower.stores.tables import OrderLineRow, RefundRow, SupportContactRow

EDITION = 5
"""Kept as SQLite's `user_version`. The first had no returns, and no refund without an order; the second only orders,
parcels, payments and returns; the third no words of customers beside those of returns; the fourth no index by which to
find what changed."""
CHANGED: tuple[Table, ...] = (OrderLineRow.__table__, RefundRow.__table__, SupportContactRow.__table__)


def edition_of(connection: Connection) -> int:
    """The edition of a shop's file; 0 for a new file and for the first edition."""
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables that are not there, inside the caller's transaction; nothing that is there is lost.

    A table that is gone from a file of this edition is not made again: that would be an empty one.
    """
    if edition_of(connection) >= EDITION:
        return
    for table in CHANGED:
        _rebuild(connection, table)
    ShopRow.metadata.create_all(connection)
    for table in ShopRow.metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    connection.exec_driver_sql(f"PRAGMA user_version = {EDITION}")


def _rebuild(connection: Connection, table: Table) -> None:
    """The same rows in a table of today's columns: SQLite can add a column, but not let one be null."""
    name = quoted(table.name)
    held = {str(row[1]) for row in connection.exec_driver_sql(f"PRAGMA table_info({name})")}
    if not held:
        return
    shared = ", ".join(quoted(column.name) for column in table.columns if column.name in held)
    connection.exec_driver_sql(f"CREATE TEMP TABLE kept AS SELECT {shared} FROM {name}")
    connection.exec_driver_sql(f"DROP TABLE {name}")
    table.create(connection)
    connection.exec_driver_sql(f"INSERT INTO {name} ({shared}) SELECT {shared} FROM temp.kept")
    connection.exec_driver_sql("DROP TABLE temp.kept")
