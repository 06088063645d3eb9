"""From timelines to the canonical tables, as Arrow columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Clock, Generator, Mask, Moments, Numbers, span
from control_tower.stores.generator.columns import canonical_table, customer_ids, joined, named, sku_ids
from control_tower.stores.generator.timeline import CODES, LABEL, OUT, Timeline


@dataclass(frozen=True)
class Basket:
    """Arrays with an entry for each order line, by order and then by number."""

    order: Numbers
    """The position of its order."""
    sku: Numbers
    quantity: Numbers
    unit_amount: Numbers
    final_sale: Mask


class Rows:
    """Writes one shop's timelines down.

    Attributes:
        ids: the order ids, as text, all of one length.
        totals: what each order costs, in minor units.
        customers: the number of each order's customer.
        promoted: the numbers of the products that the campaign calendar promotes, once the tables are made.
    """

    def __init__(self, timeline: Timeline, clock: Clock, currency: str, chance: Generator) -> None:
        self.timeline, self.clock, self.currency, self.chance = timeline, clock, currency, chance
        first = 10 ** max(5, len(str(len(timeline)))) + 1
        self.ids = pa.array(np.arange(first, first + len(timeline))).cast(pa.string())
        self.city = chance.integers(0, len(shelf.CITIES), len(timeline))
        self.basket = self._basket()
        amounts = self.basket.quantity * self.basket.unit_amount
        self.totals = np.bincount(self.basket.order, amounts, len(timeline)).astype(np.int64)
        self.customers: Numbers = np.zeros(len(timeline), np.int64)
        self.promoted: Numbers = np.zeros(0, np.int64)

    def tables(self) -> dict[str, pa.Table]:
        """Every canonical table, in order of its primary key."""
        return {
            "orders": self._orders(),
            "order_lines": self._order_lines(),
            "payments": self._payments(),
            "promises": self._promises(),
            "fulfillments": self._fulfillments(),
            "shipment_events": self._shipment_events(),
            "holds": self._holds(),
            "refunds": self._refunds(),
            "campaigns": self._campaigns(),
        }

    def table(self, name: str, columns: Mapping[str, Any]) -> pa.Table:
        """A canonical table, written at the moment that the shop is made for."""
        return canonical_table(name, columns, self.clock.now)

    def _orders(self) -> pa.Table:
        timeline, orders = self.timeline, len(self.timeline)
        status, since = _standing(timeline)
        self.customers = self.chance.zipf(1.6, orders) * 7919 + self.chance.integers(0, max(orders // 2, 1), orders)
        country = self.chance.choice(shelf.COUNTRIES, orders, p=shelf.COUNTRY_SHARES)
        return self.table(
            "orders",
            {
                "order_id": self.ids,
                "customer_id": customer_ids(self.customers),
                "status": status,
                "status_at": since,
                "placed_at": timeline.placed,
                "approved_at": timeline.approved,
                "cancelled_at": timeline.cancelled,
                "currency": self.currency,
                "total_amount": self.totals,
                "ship_to_country": country,
            },
        )

    def _basket(self) -> Basket:
        """One to four lines an order; what is on final sale, is so in every order."""
        chance, orders = self.chance, len(self.timeline)
        count = chance.choice(4, orders, p=(0.42, 0.28, 0.18, 0.12)) + 1
        order = np.repeat(np.arange(orders), count)
        sku = np.floor(shelf.SKUS * chance.random(len(order)) ** 2).astype(int)
        prices = chance.integers(5, 120, shelf.SKUS) * 100 + chance.choice((90, 95, 99), shelf.SKUS)
        quantity = chance.choice(3, len(order), p=(0.85, 0.11, 0.04)) + 1
        return Basket(order, sku, quantity, prices[sku], sku % shelf.ONE_IN_FINAL_SALE == shelf.ONE_IN_FINAL_SALE - 1)

    def _order_lines(self) -> pa.Table:
        order, sku = self.basket.order, self.basket.sku
        ids = self.ids.take(pa.array(order))
        return self.table(
            "order_lines",
            {
                "line_id": self.line_ids(np.arange(len(order))),
                "order_id": ids,
                "sku": sku_ids(sku),
                "quantity": self.basket.quantity,
                "unit_amount": self.basket.unit_amount,
                "currency": self.currency,
                "warehouse_id": named(shelf.WAREHOUSES, self.timeline.warehouse[order]),
                "seller_id": named(
                    np.array([f"seller-{code:02}" for code in range(1, shelf.SELLERS + 1)]),
                    sku % shelf.SELLERS,
                ),
                "final_sale": self.basket.final_sale,
                "category": named(shelf.CATEGORIES, sku % len(shelf.CATEGORIES)),
            },
        )

    def line_ids(self, which: Numbers) -> pa.Array:
        """The ids of order lines, by position."""
        order = self.basket.order
        number = which - np.searchsorted(order, order[which]) + 1
        return joined(self.ids.take(pa.array(order[which])), "-", pa.array(number).cast(pa.string()))

    def _payments(self) -> pa.Table:
        """One payment of the total, or a voucher and the rest."""
        timeline = self.timeline
        paid = np.flatnonzero(~np.isnat(timeline.approved))
        split = self.chance.random(len(paid)) < 0.05
        first = np.floor(self.totals[paid] * self.chance.uniform(0.2, 0.8, len(paid))).astype(np.int64)
        order, part = np.repeat(paid, 1 + split), np.repeat(first, 1 + split)
        voucher = np.repeat(split, 1 + split)
        voucher[1:] &= order[1:] != order[:-1]
        rest = np.repeat(split, 1 + split) & ~voucher
        ids = self.ids.take(pa.array(order))
        total = self.totals[order]
        return self.table(
            "payments",
            {
                "payment_id": joined("P", ids, "-", named(np.array(["1", "2"]), rest.astype(int))),
                "order_id": ids,
                "amount": np.where(voucher, part, np.where(rest, total - part, total)),
                "currency": self.currency,
                "method": named(np.append(shelf.METHODS, "gift_card"), np.where(voucher, 3, timeline.method[order])),
                "paid_at": np.where(voucher, timeline.placed[order], timeline.approved[order]),
            },
        )

    def _promises(self) -> pa.Table:
        timeline = self.timeline
        order = np.repeat(np.flatnonzero(~np.isnat(timeline.ship_by)), 2)
        ships = np.arange(len(order)) % 2 == 1
        kind = named(np.array(["deliver_by", "ship_by"]), ships.astype(int))
        ids = self.ids.take(pa.array(order))
        return self.table(
            "promises",
            {
                "promise_id": joined(ids, "-", kind),
                "order_id": ids,
                "kind": kind,
                "due_at": np.where(ships, timeline.ship_by[order], timeline.deliver_by[order]),
                "by_day": ~ships,
                "made_at": timeline.approved[order],
            },
        )

    def _fulfillments(self) -> pa.Table:
        timeline = self.timeline
        order = _parcels(timeline)
        delivered = timeline.said_delivered | ~np.isnat(timeline.delivered)
        moving = ~np.isnat(timeline.handed_over)
        standing = np.select([timeline.voided, delivered, moving], [3, 2, 1], 0)[order]
        code = pa.array(self.chance.integers(10**11, 10**12, len(order))).cast(pa.string())
        ids = self.ids.take(pa.array(order))
        carrier = named(shelf.CARRIERS, timeline.carrier[order])
        return self.table(
            "fulfillments",
            {
                "fulfillment_id": joined("F", ids, "-1"),
                "order_id": ids,
                "status": named(np.array(["label", "in_transit", "delivered", "cancelled"]), standing),
                "carrier": carrier,
                "service": named(shelf.SERVICES, timeline.service[order]),
                "tracking_code": joined(pc.utf8_upper(carrier), code),
                "warehouse_id": named(shelf.WAREHOUSES, timeline.warehouse[order]),
                "label_created_at": timeline.label[order],
                "handed_over_at": timeline.handed_over[order],
                "delivered_at": timeline.delivered[order],
            },
        )

    def _shipment_events(self) -> pa.Table:
        scans = self.timeline.scans
        order, scan = np.nonzero(~np.isnat(scans))
        happened = scans[order, scan]
        starts = np.flatnonzero(np.r_[True, order[1:] != order[:-1]]) if len(order) else order
        number = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)])) + 1
        # A few parcels wait in a shop for the customer; the label is no scan of any place.
        collected = self.chance.random(len(scans)) < 0.04
        code = np.where((scan == OUT) & collected[order], len(CODES), scan)
        hub = len(shelf.CITIES) + self.chance.integers(0, len(shelf.HUBS), len(order))
        place = np.where(scan >= OUT, self.city[order], hub)
        parcel = joined("F", self.ids, "-1").take(pa.array(order))
        return self.table(
            "shipment_events",
            {
                "event_id": joined(parcel, "-", named(np.array(list("0123456789")), number)),
                "fulfillment_id": parcel,
                "order_id": self.ids.take(pa.array(order)),
                "code": named(np.array([*CODES, "available_for_pickup"]), code),
                "occurred_at": happened,
                "place": named(np.append(shelf.CITIES, shelf.HUBS), place, scan == LABEL),
            },
        )

    def _holds(self) -> pa.Table:
        timeline = self.timeline
        order = np.flatnonzero(~np.isnat(timeline.hold_placed))
        ids = self.ids.take(pa.array(order))
        return self.table(
            "holds",
            {
                "hold_id": joined("H", ids, "-1"),
                "order_id": ids,
                "reason": self.chance.choice(shelf.HOLD_REASONS, len(order)),
                "handle": "shop",
                "placed_at": timeline.hold_placed[order],
                "released_at": timeline.hold_released[order],
            },
        )

    def _refunds(self) -> pa.Table:
        timeline = self.timeline
        order = np.flatnonzero(~np.isnat(timeline.refunded))
        ids = self.ids.take(pa.array(order))
        return self.table(
            "refunds",
            {
                "refund_id": joined("R", ids, "-1"),
                "order_id": ids,
                "amount": np.floor(self.totals[order] * timeline.refund_share[order]).astype(np.int64),
                "currency": self.currency,
                "method": "original",
                "refunded_at": timeline.refunded[order],
            },
        )

    def _campaigns(self) -> pa.Table:
        """Two weeks of promotion each, some past, some running, some to come."""
        clock, number = self.clock, np.arange(8)
        self.promoted = self.chance.integers(1, shelf.SKUS, 8) - 1
        starts = clock.at(clock.today + (number * 14 - 84).astype("timedelta64[D]"), 0.0)
        return self.table(
            "campaigns",
            {
                "campaign_id": np.array([f"campaign-{code + 1}" for code in number]),
                "name": np.array([f"Fortnight {code + 1}" for code in number]),
                "sku": sku_ids(self.promoted),
                "starts_at": starts,
                "ends_at": starts + span(14 * 24.0),
            },
        )


def _standing(timeline: Timeline) -> tuple[pa.Array, Moments]:
    """The status of each order, and since when."""
    steps: list[tuple[str, Mask, Moments]] = [
        ("unavailable", timeline.unavailable, timeline.cancelled),
        ("cancelled", ~np.isnat(timeline.cancelled), timeline.cancelled),
        ("delivered", timeline.said_delivered, timeline.scans[:, OUT] + span(0.25)),
        ("delivered", ~np.isnat(timeline.delivered), timeline.delivered),
        ("shipped", ~np.isnat(timeline.handed_over), timeline.handed_over),
        ("processing", ~np.isnat(timeline.label), timeline.label),
        ("approved", ~np.isnat(timeline.approved), timeline.approved),
    ]
    number = np.select([holds for _, holds, _ in steps], list(range(len(steps))), len(steps))
    names = np.array([*(name for name, _, _ in steps), "created"])
    since = np.select([holds for _, holds, _ in steps], [since for _, _, since in steps], timeline.placed)
    return named(names, number), since


def _parcels(timeline: Timeline) -> Numbers:
    return np.flatnonzero(~np.isnat(timeline.label))
