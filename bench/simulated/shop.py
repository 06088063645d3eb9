"""The shop as it lives: what was planned comes to pass, hour by hour, in the embedded shop's own tables.

What the tower's hands did is respected: an order on its hold stays where it is, what was sent again gets its scans,
and what was paid back already is not paid back by the shop as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from control_tower.stores.columns import EPOCH, MICROSECOND
from control_tower.stores.generator.clock import NEVER, Mask, Moments, span
from control_tower.stores.generator.timeline import Timeline
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import CANONICAL
from simulated.plan import HAPPENINGS, Plan, after_quiet

Row = Sequence[Any]
RESHIPPED = """
SELECT fulfillment_id, order_id, label_created_at FROM fulfillments
WHERE fulfillment_id LIKE 'reship-%' AND status = 'label'
"""


def micro(moment: datetime) -> int:
    """As the shop keeps a moment."""
    return (moment - EPOCH) // MICROSECOND


class LivingShop:
    """Writes the plan into a shop as its moments come.

    Args:
        path: the shop's file, made here.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        EmbeddedShop(f"sqlite:///{path}")
        self.ids = np.array(plan.ids, object)
        self.number = {order: at for at, order in enumerate(plan.ids)}
        self.seen = NEVER
        self.reships: dict[str, tuple[int, int, int]] = {}
        """Fulfilment -> its label, hand-over and delivery, in microseconds."""
        self.stopped: dict[int, np.datetime64] = {}
        """Orders that a hold of the tower keeps where they are, by position, and since when."""
        self.rows = 0

    def live(self, until: datetime) -> None:
        """Let everything happen that is planned up to a moment."""
        now = np.datetime64(until.replace(tzinfo=None), "us")
        now = min(now, self.plan.clock.now)
        since = self.seen if not np.isnat(self.seen) else np.datetime64(0, "us")
        with self._writing() as connection:
            self._stop_what_is_held(connection)
            for sql, rows in self._happenings(connection, since, now):
                connection.executemany(sql, rows)
                self.rows += len(rows)
        self.seen = now

    def lived(self) -> Timeline:
        """The orders' lives as they were so far: what was planned for later has not happened."""
        timeline = self.plan.timeline
        return replace(timeline, **{name: so_far(getattr(timeline, name), self.seen) for name in HAPPENINGS})

    def _happenings(
        self, connection: sqlite3.Connection, since: np.datetime64, now: np.datetime64
    ) -> Iterator[tuple[str, list[Row]]]:
        def fresh(moments: Moments) -> Mask:
            return (moments > since) & (moments <= now)

        yield from self._orders(fresh)
        yield from self._parcels(fresh)
        yield from self._money(connection, fresh)
        yield from self._returns(fresh)
        yield from self._sent_again(connection, now)

    def _orders(self, fresh: Any) -> Iterator[tuple[str, list[Row]]]:
        timeline, tables = self.plan.timeline, self.plan.tables
        placed = np.flatnonzero(fresh(timeline.placed))
        orders = _columns(tables["orders"], placed)
        orders |= {"status": ["created"] * len(placed), "status_at": orders["placed_at"],
                   "approved_at": [None] * len(placed), "cancelled_at": [None] * len(placed)}  # fmt: skip
        yield _inserted("orders", orders)
        lines = np.flatnonzero(fresh(timeline.placed)[self.plan.rows.basket.order])
        yield _inserted("order_lines", _columns(tables["order_lines"], lines))
        for table, at in (("payments", "paid_at"), ("promises", "made_at")):
            yield _inserted(table, _columns(tables[table], np.flatnonzero(fresh(_moments(tables[table], at)))))
        yield self._moved("approved", timeline.approved, fresh, ", approved_at = ?2")
        yield self._moved("cancelled", timeline.cancelled, fresh, ", cancelled_at = ?2")
        held = tables["holds"]
        fresh_holds = _columns(held, np.flatnonzero(fresh(_moments(held, "placed_at"))))
        yield _inserted("holds", fresh_holds | {"released_at": [None] * len(fresh_holds["hold_id"])})
        released = np.flatnonzero(fresh(_moments(held, "released_at")))
        rows = _columns(held, released)
        yield (
            "UPDATE holds SET released_at = ?1, observed_at = ?1 WHERE hold_id = ?2",
            list(zip(rows["released_at"], rows["hold_id"], strict=True)),
        )

    def _parcels(self, fresh: Any) -> Iterator[tuple[str, list[Row]]]:
        timeline, tables = self.plan.timeline, self.plan.tables
        parcels, events = tables["fulfillments"], tables["shipment_events"]
        made = np.flatnonzero(fresh(_moments(parcels, "label_created_at")) & self._goes_on(parcels))
        rows = _columns(parcels, made)
        nothing = [None] * len(made)
        yield _inserted(
            "fulfillments",
            rows | {"status": ["label"] * len(made), "handed_over_at": nothing, "delivered_at": nothing},
        )
        yield self._moved("processing", timeline.label, fresh)
        yield _inserted(
            "shipment_events",
            _columns(events, np.flatnonzero(fresh(_moments(events, "occurred_at")) & self._goes_on(events))),
        )
        for status, called, moments in (
            ("in_transit", "handed_over_at", timeline.handed_over),
            ("delivered", "delivered_at", timeline.delivered),
        ):
            which = np.flatnonzero(fresh(moments))
            sql = f"UPDATE fulfillments SET status = ?1, {called} = ?2, observed_at = ?2 WHERE fulfillment_id = ?3"
            yield (
                sql,
                [(status, int(at), f"F{self.ids[order]}-1") for order, at in _pairs(which, moments)],
            )
        yield self._moved("shipped", timeline.handed_over, fresh)
        yield self._moved("delivered", timeline.delivered, fresh)

    def _moved(self, status: str, moments: Moments, fresh: Any, also: str = "") -> tuple[str, list[Row]]:
        """Orders that come to another status; one that is cancelled stays so."""
        sql = f"UPDATE orders SET status = ?1, status_at = ?2, observed_at = ?2{also} WHERE order_id = ?3"
        sql += " AND status <> 'cancelled'"
        return sql, [
            (status, int(at), self.ids[order]) for order, at in _pairs(np.flatnonzero(fresh(moments)), moments)
        ]

    def _money(self, connection: sqlite3.Connection, fresh: Any) -> Iterator[tuple[str, list[Row]]]:
        """The shop's own refunds, but for what hands have paid back meanwhile."""
        refunds = self.plan.tables["refunds"]
        rows = _columns(refunds, np.flatnonzero(fresh(_moments(refunds, "refunded_at"))))
        paid = [not _repaid(connection, "order_id", order) for order in rows["order_id"]]
        yield _inserted("refunds", {name: _kept(values, paid) for name, values in rows.items()})

    def _returns(self, fresh: Any) -> Iterator[tuple[str, list[Row]]]:
        returns, basket = self.plan.returns, self.plan.rows
        line_ids = basket.line_ids(returns.line).to_pylist()
        skus = self.plan.tables["order_lines"]["sku"].take(pa.array(returns.line)).to_pylist()
        quantities = basket.basket.quantity[returns.line]
        customers = self.plan.tables["orders"]["customer_id"].take(pa.array(returns.order)).to_pylist()
        yield (
            "INSERT INTO returns (return_id, order_id, line_id, customer_id, sku, quantity, reason, requested_at,"
            " approved_at, status, method_wanted, observed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 'unwanted', ?, ?, 'requested', 'original', ?)",
            [
                (f"T{at}", self.ids[returns.order[at]], line_ids[at], customers[at], skus[at], int(quantities[at]),
                 int(when), int(when), int(when))
                for at, when in _pairs(np.flatnonzero(fresh(returns.requested)), returns.requested)
            ],
        )  # fmt: skip
        yield (
            "UPDATE returns SET status = 'received', received_at = ?1, observed_at = ?1 WHERE return_id = ?2",
            [(int(when), f"T{at}") for at, when in _pairs(np.flatnonzero(fresh(returns.received)), returns.received)],
        )
        looked_at = list(_pairs(np.flatnonzero(fresh(returns.inspected)), returns.inspected))
        yield (
            "INSERT INTO inspections (inspection_id, return_id, order_id, condition, disposition, inspector,"
            " inspected_at, observed_at) VALUES (?, ?, ?, 'as_new', 'restock', 'inspector-1', ?, ?)",
            [(f"I{at}", f"T{at}", self.ids[returns.order[at]], int(when), int(when)) for at, when in looked_at],
        )
        yield "UPDATE returns SET status = 'inspected' WHERE return_id = ?", [(f"T{at}",) for at, _ in looked_at]
        repaid = list(_pairs(np.flatnonzero(fresh(returns.refunded)), returns.refunded))
        yield (
            "INSERT INTO refunds (refund_id, order_id, return_id, amount, currency, method, refunded_at, observed_at)"
            " VALUES (?, ?, ?, ?, 'EUR', 'original', ?, ?)",
            [
                (f"RT{at}", self.ids[returns.order[at]], f"T{at}", int(returns.amount[at]), int(when), int(when))
                for at, when in repaid
            ],
        )
        yield (
            "UPDATE returns SET status = 'refunded', closed_at = ?1, observed_at = ?1 WHERE return_id = ?2",
            [(int(when), f"T{at}") for at, when in repaid],
        )

    def _sent_again(self, connection: sqlite3.Connection, now: np.datetime64) -> Iterator[tuple[str, list[Row]]]:
        """What hands sent again leaves four hours later, and arrives within two days."""
        for parcel, _, label in connection.execute(RESHIPPED):
            moments = after_quiet(np.datetime64(label, "us") + np.array([span(4.0), span(44.0)]))
            self.reships.setdefault(parcel, (label, *moments.astype(np.int64).tolist()))
        until = int(now.astype(np.int64))
        for parcel, (_, left, arrived) in self.reships.items():
            order = connection.execute("SELECT order_id FROM fulfillments WHERE fulfillment_id = ?", (parcel,))
            (order_id,) = order.fetchone()
            for code, at, sets in (
                ("in_transit", left, "status = 'in_transit', handed_over_at = ?1"),
                ("delivered", arrived, "status = 'delivered', delivered_at = ?1"),
            ):
                if at > until:
                    continue
                yield (
                    "INSERT OR IGNORE INTO shipment_events (event_id, fulfillment_id, order_id, code, occurred_at,"
                    " place, observed_at) VALUES (?, ?, ?, ?, ?, 'Berlin', ?)",
                    [(f"{parcel}-{code}", parcel, order_id, code, at, at)],
                )
                yield (
                    f"UPDATE fulfillments SET {sets}, observed_at = ?1 WHERE fulfillment_id = ?2",
                    [(at, parcel)],
                )

    def _stop_what_is_held(self, connection: sqlite3.Connection) -> None:
        """An order on the tower's hold moves no further; nobody lets it go within the week."""
        timeline = self.plan.timeline
        held = connection.execute(
            "SELECT order_id, placed_at FROM holds WHERE handle <> 'shop' AND released_at IS NULL"
        )
        for order, at in held.fetchall():
            if self.number[order] in self.stopped:
                continue
            which, since = self.number[order], np.datetime64(at, "us")
            self.stopped[which] = since
            for moments in (timeline.label, timeline.handed_over, timeline.delivered):
                if moments[which] > since and moments[which] > self.seen:
                    moments[which] = NEVER

    def _goes_on(self, table: pa.Table) -> Mask:
        """The rows of orders that no hold of the tower keeps."""
        if not self.stopped:
            return np.ones(len(table), bool)
        kept = pa.array([self.ids[at] for at in self.stopped])
        return ~np.asarray(pa.compute.is_in(table["order_id"], value_set=kept))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def so_far(moments: Moments, seen: np.datetime64) -> Moments:
    """What has happened by then; the rest is NaT."""
    cut: Moments = np.where(moments <= seen, moments, NEVER)
    return cut


def _repaid(connection: sqlite3.Connection, column: str, value: str) -> bool:
    found = connection.execute(f"SELECT 1 FROM journal WHERE action = 'refund' AND {column} = ?", (value,))
    return found.fetchone() is not None


def _kept(values: list[Any], which: Sequence[bool]) -> list[Any]:
    return [value for value, kept in zip(values, which, strict=True) if kept]


def _pairs(which: Any, moments: Moments) -> Iterator[tuple[int, int]]:
    return zip(which.tolist(), moments[which].astype(np.int64).tolist(), strict=True)


def _moments(table: pa.Table, column: str) -> Moments:
    return np.asarray(table[column].cast(pa.timestamp("us")).to_numpy(), "datetime64[us]")


def _columns(table: pa.Table, which: Any) -> dict[str, list[Any]]:
    """Some rows of a canonical table, as the shop stores their values."""
    some, found = table.take(pa.array(which)), {}
    for name in some.column_names:
        column = some[name]
        if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            column = column.cast(pa.int64())
        found[name] = column.to_pylist()
    return found


BORN = {
    "orders": "placed_at", "order_lines": "", "payments": "paid_at", "promises": "made_at",
    "fulfillments": "label_created_at", "shipment_events": "occurred_at", "holds": "placed_at",
    "refunds": "refunded_at",
}  # fmt: skip
"""By which column a row of a table comes to be known."""


def _inserted(table: str, rows: dict[str, list[Any]]) -> tuple[str, list[Row]]:
    columns = [column.name for column in CANONICAL[table].columns]
    if BORN[table]:
        rows = rows | {"observed_at": rows[BORN[table]]}
    marks = ", ".join("?" * len(columns))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
        list(zip(*(rows[name] for name in columns), strict=True)),
    )
