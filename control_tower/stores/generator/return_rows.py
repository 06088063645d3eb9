"""From returned lines to the canonical tables: returns, inspections, and the refunds of returns."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import NEVER, Mask, Moments, Numbers, span
from control_tower.stores.generator.columns import customer_ids, joined, named, sku_ids
from control_tower.stores.generator.reasons import give_reasons
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.returned import all_of
from control_tower.stores.generator.truth import RETURN_KINDS

CONDITIONS = np.array(["as_new", "opened", "damaged", "not_the_item"])
AS_NEW, OPENED, DAMAGED, NOT_THE_ITEM = range(4)
DISPOSITIONS = np.array(["restock", "refurbish", "scrap", "return_to_customer"])
NOTED = np.array(["Box sealed", "Box opened, all parts there", "Broken, photographed", "Not one of ours"])
BROKEN = [shelf.REASONS.index("defective"), shelf.REASONS.index("damaged_in_transit")]
METHODS = np.array(["original", "store_credit", "gift_card"])
METHOD_SHARES = (0.84, 0.11, 0.05)
CREDIT = 1
NAMES_ITS_LINE, NAMES_ITS_ORDER, NAMES_NOTHING = range(3)
"""What a return says of its purchase; a product tells the line then, and a customer the order."""


class ReturnRows:
    """Writes the returned lines of a scene down, in order of their requests.

    Attributes:
        rows: the returned lines, cut off at the moment that the shop is made for.
        holds: one row for each, one column for each of RETURN_KINDS.
        ids: the return ids, all of one length.
    """

    def __init__(self, scene: ReturnScene) -> None:
        self.scene, self.basket, self.chance = scene, scene.rows.basket, scene.chance
        rows, holds = all_of(scene.blocks), np.concatenate(scene.holds)
        by_request = np.argsort(rows.requested, kind="stable")
        self.rows, self.holds = rows.take(by_request), holds[by_request]
        self.rows.cut_off(scene.clock.now)
        give_reasons(scene, self.rows, self.holds[:, RETURN_KINDS.index("reason_spike")])
        first = 10 ** max(5, len(str(len(rows)))) + 1
        self.numbers = pa.array(np.arange(first, first + len(rows))).cast(pa.string())
        self.ids = joined("T", self.numbers)
        self.order: Numbers = self.basket.order[self.rows.line]
        self.sku: Numbers = self.basket.sku[self.rows.line]
        every = len(scene.timeline)
        self.gift: Mask = (self.chance.random(every) < 0.04)[self.order]
        wanted = self.chance.choice(len(METHODS), every, p=METHOD_SHARES)
        self.method: Numbers = np.where(self.gift, CREDIT, wanted[self.order])

    def write(self, tables: dict[str, pa.Table]) -> dict[str, tuple[str, ...]]:
        """Add the returns to a shop's tables, and their refunds to its refunds.

        Returns:
            Kind -> ids of the returns that it holds for.
        """
        orders = tables["orders"]
        at = orders.column_names.index("customer_id")
        customers = customer_ids(self.scene.rows.customers)
        tables["orders"] = orders.set_column(at, orders.schema.field(at), customers)
        tables["returns"] = self._returns()
        tables["inspections"] = self._inspections()
        refunds = [tables["refunds"], self._refunds()]
        tables["refunds"] = pa.concat_tables(refunds).sort_by("refund_id")
        return {
            kind: tuple(self.ids.filter(pa.array(self.holds[:, at])).to_pylist())
            for at, kind in enumerate(RETURN_KINDS)
        }

    def _returns(self) -> pa.Table:
        rows, size = self.rows, len(self.rows)
        closed = np.select(
            [~np.isnat(rows.rejected), ~np.isnat(rows.cancelled)], [rows.rejected, rows.cancelled], rows.refunded
        )
        return self.scene.rows.table(
            "returns",
            {
                "return_id": self.ids,
                "order_id": self.named_orders,
                "line_id": _where(self.names == NAMES_ITS_LINE, self.scene.rows.line_ids(rows.line)),
                "customer_id": customer_ids(self.scene.rows.customers[self.order]),
                "sku": sku_ids(self.sku),
                "quantity": rows.quantity,
                "reason": named(np.array(shelf.REASONS), rows.reason),
                "reason_text": named(np.array(shelf.SAID), rows.reason, self.chance.random(size) < 0.25),
                "photos": self._photos(),
                "gift": self.gift,
                "requested_at": rows.requested,
                "approved_at": rows.approved,
                "received_at": rows.received,
                "closed_at": closed,
                "status": self._standing(),
                "method_wanted": named(METHODS, self.method),
            },
        )

    def _standing(self) -> pa.Array:
        """By the last thing that happened; an approved return is on its way the day after."""
        rows = self.rows
        way = rows.approved + span(24.0)
        steps: list[tuple[str, Moments]] = [
            ("cancelled", rows.cancelled),
            ("rejected", rows.rejected),
            ("refunded", rows.refunded),
            ("inspected", rows.inspected),
            ("received", rows.received),
            ("in_transit", np.where(way > self.scene.clock.now, NEVER, way)),
            ("approved", rows.approved),
        ]
        happened = [~np.isnat(moments) for _, moments in steps]
        names = np.array([*(name for name, _ in steps), "requested"])
        return named(names, np.select(happened, list(range(len(steps))), len(steps)))

    def _photos(self) -> pa.Array:
        """One or two of what is said to be our fault."""
        first = joined("photo-", self.numbers, "-1")
        both = joined(first, " photo-", self.numbers, "-2")
        shown = pc.if_else(pa.array(self.chance.random(len(self.rows)) < 0.4), both, first)
        return _where(self.rows.reason >= shelf.FAULTS, shown)

    def _inspections(self) -> pa.Table:
        done = np.flatnonzero(~np.isnat(self.rows.inspected))
        condition, lot = self.condition[done], self.chance.random(len(done)) < 0.4
        worn = np.select([condition == OPENED, condition == DAMAGED], [lot * 1, 2 - lot], 0)
        taken = pa.array(done)
        return self.scene.rows.table(
            "inspections",
            {
                "inspection_id": joined("I", self.numbers.take(taken)),
                "return_id": self.ids.take(taken),
                "order_id": self.named_orders.take(taken),
                "condition": named(CONDITIONS, condition),
                "disposition": named(DISPOSITIONS, np.where(condition == NOT_THE_ITEM, 3, worn)),
                "inspector": joined("returns-", pa.array(self.chance.integers(1, 6, len(done))).cast(pa.string())),
                "note": named(NOTED, condition, self.chance.random(len(done)) < 0.6),
                "inspected_at": self.rows.inspected[done],
            },
        )

    def _refunds(self) -> pa.Table:
        """One for each return that was repaid, and a second for some."""
        rows, repaid = self.rows, np.flatnonzero(~np.isnat(self.rows.refunded))
        again = repaid[~np.isnat(rows.refunded_again[repaid])]
        which = np.concatenate([repaid, again])
        second = np.arange(len(which)) >= len(repaid)
        owed = self.owed[which]
        first = np.floor(owed * rows.share[which]).astype(np.int64)
        rest = np.where(rows.share[which] < 1, owed - first, np.floor(owed * rows.share_again[which]).astype(np.int64))
        taken = pa.array(which)
        return self.scene.rows.table(
            "refunds",
            {
                "refund_id": joined("R", self.ids.take(taken), "-", named(np.array(["1", "2"]), second.astype(int))),
                "order_id": self.named_orders.take(taken),
                "return_id": self.ids.take(taken),
                "amount": np.where(second, rest, first),
                "currency": self.scene.rows.currency,
                "method": named(METHODS, self.method[which]),
                "refunded_at": np.where(second, rows.refunded_again[which], rows.refunded[which]),
            },
        )

    @cached_property
    def condition(self) -> Numbers:
        """As the reason has it. What is repaid before anybody looked, or all at once, is as new or broken."""
        rows = self.rows
        early = np.isnat(rows.inspected) | (rows.refunded < rows.inspected)
        opened = (self.chance.random(len(rows)) < 0.3) & ~(early | rows.whole | (rows.share > 1))
        by_reason = [rows.not_the_item, np.isin(rows.reason, BROKEN), opened]
        return np.select(by_reason, [NOT_THE_ITEM, DAMAGED, OPENED], AS_NEW)

    @cached_property
    def owed(self) -> Numbers:
        """What goes back by the refunds policy, in minor units."""
        ours = self.rows.reason >= shelf.FAULTS
        percent = np.where((self.condition == OPENED) & ~ours, shelf.REPAID_OPENED, 100)
        return self.rows.quantity * self.basket.unit_amount[self.rows.line] * percent // 100

    @cached_property
    def names(self) -> Numbers:
        """What each says of its purchase: less than its line only where that still tells which it is."""
        rows, every = self.scene.rows, self.basket.sku
        lot = self.chance.random(len(self.rows))
        _, customer = np.unique(rows.customers, return_inverse=True)
        once_in_order = _only(self.basket.order * shelf.SKUS + every, self.order * shelf.SKUS + self.sku)
        bought = customer[self.basket.order] * shelf.SKUS + every
        once_by_customer = _only(bought, customer[self.order] * shelf.SKUS + self.sku)
        nothing = once_by_customer & (lot < 0.03) & ~self.rows.whole
        return np.select([nothing, once_in_order & (lot < 0.12)], [NAMES_NOTHING, NAMES_ITS_ORDER], NAMES_ITS_LINE)

    @cached_property
    def named_orders(self) -> pa.Array:
        """The orders that returns name; null where no purchase is on file."""
        return _where(self.names != NAMES_NOTHING, self.scene.rows.ids.take(pa.array(self.order)))


def _only(every: Numbers, which: Numbers) -> Mask:
    """Whether a value occurs once among all."""
    ordered = np.sort(every)
    return np.asarray(np.searchsorted(ordered, which, "right") - np.searchsorted(ordered, which) == 1)


def _where(holds: Mask, values: pa.Array) -> pa.Array:
    """The values where it holds, else null."""
    return pc.if_else(pa.array(holds), values, pa.scalar(None, values.type))
