"""Rows that are no evidence, on request: each of a healthy, delivered order that is healthy without it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.truth import DirtyRow

ROWS_OF_A_RULE = 3
CENTURIES = 200 * 365 * 86_400_000_000


def soil(tables: dict[str, pa.Table], scene: Scene, ids: pa.Array) -> tuple[DirtyRow, ...]:
    """Add payments of nothing, move ship-by promises by two centuries, and pay in another currency.

    Returns:
        The rows that must be set aside.
    """
    timeline = scene.timeline
    delivered = ~np.isnat(timeline.delivered) & np.isnat(timeline.refunded)
    orders = [ids.take(pa.array(scene.pick(delivered, ROWS_OF_A_RULE / len(timeline)))) for _ in range(3)]
    nothing = _pay_nothing(tables, orders[0])
    years = _promise_impossible_years(tables, orders[1])
    mixed = _mix_currencies(tables, orders[2])
    return (
        *(DirtyRow(rule="payment_of_nothing", table="payments", source_id=row) for row in nothing),
        *(DirtyRow(rule="impossible_ship_by_year", table="promises", source_id=row) for row in years),
        *(DirtyRow(rule="mixed_currency", table="payments", source_id=row) for row in mixed),
    )


def _pay_nothing(tables: dict[str, pa.Table], orders: pa.Array) -> list[str]:
    """A second payment, of nothing."""
    payments = tables["payments"]
    again = payments.filter(pc.is_in(payments["order_id"], orders))
    again = again.filter(pc.ends_with(again["payment_id"], "-1"))
    empty = _replaced(again, "payment_id", pc.binary_join_element_wise("P", again["order_id"], "-9", ""))
    empty = _replaced(empty, "amount", pa.array(np.zeros(len(empty), np.int64)))
    tables["payments"] = pa.concat_tables([payments, empty]).sort_by("payment_id")
    return sorted(empty["payment_id"].to_pylist())


def _promise_impossible_years(tables: dict[str, pa.Table], orders: pa.Array) -> list[str]:
    promises = tables["promises"]
    which = pc.and_(pc.is_in(promises["order_id"], orders), pc.equal(promises["kind"], "ship_by"))
    due = promises["due_at"]
    later = pc.add(due, pa.scalar(CENTURIES, pa.duration("us")))
    tables["promises"] = _replaced(promises, "due_at", pc.if_else(which, later, due))
    return sorted(promises.filter(which)["promise_id"].to_pylist())


def _mix_currencies(tables: dict[str, pa.Table], orders: pa.Array) -> list[str]:
    """One payment of each order is said to be in another currency than the order."""
    payments = tables["payments"]
    which = pc.and_(pc.is_in(payments["order_id"], orders), pc.ends_with(payments["payment_id"], "-1"))
    other = pc.if_else(pc.equal(payments["currency"], "USD"), "EUR", "USD")
    tables["payments"] = _replaced(payments, "currency", pc.if_else(which, other, payments["currency"]))
    return sorted(payments.filter(which)["payment_id"].to_pylist())


def _replaced(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, table.schema.field(at), values)
