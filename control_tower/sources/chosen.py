"""The rows of some orders, of whatever relation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from control_tower.joins import in_order, literal, quoted

if TYPE_CHECKING:
    import duckdb

FEW = 500


def of_orders(
    connection: duckdb.DuckDBPyConnection, relation: str, orders: Sequence[str], key: str, *, nameless: bool = True
) -> str:
    """SQL of the rows of a relation that are of these orders, in an order that they always have.

    Args:
        key: the column that names a row.
        nameless: rows that name no order are given, too.
    """
    or_none = " OR order_id IS NULL" if nameless else ""
    if len(orders) <= FEW:
        return f"SELECT * FROM ({relation}) WHERE order_id IN ({', '.join(map(literal, orders)) or 'NULL'}){or_none}"
    import pyarrow as pa

    asked = f"asked_{uuid4().hex}"
    connection.register(asked, pa.table({"order_id": pa.array(orders, pa.string())}))
    # A join keeps no order, and what is kept is named by its bytes.
    chosen = f"SELECT * FROM ({relation}) WHERE order_id IN (SELECT order_id FROM {quoted(asked)}){or_none}"
    return in_order(chosen, "source_id", key)
