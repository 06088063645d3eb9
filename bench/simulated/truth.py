"""What is true of the shop at a moment: worked out from the plan and from what hands did, and from no lane's SQL."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from control_tower.stores.generator.clock import DAY, Moments, span
from simulated.shop import LivingShop

COMPARED = ("stuck_order", "unpaid_order", "lost_shipment", "late_delivery", "refund_due", "cancelled_in_transit")
ALWAYS, UNPAID_AFTER, LOST_AFTER = np.datetime64("2200-01-01", "us"), span(48.0), span(96.0)
SENT_AGAIN = """
SELECT order_id, label_created_at, handed_over_at, delivered_at FROM fulfillments
WHERE fulfillment_id LIKE 'reship-%'
"""
MICRO = np.timedelta64(1, "us")


@dataclass(frozen=True)
class Spans:
    """From when to when a kind holds, an entry for each order; nothing holds where `since` is not before `until`."""

    since: Moments
    until: Moments

    def at(self, moment: np.datetime64) -> set[int]:
        """The orders of which it holds at a moment."""
        return set(np.flatnonzero((self.since < moment) & (moment < self.until)).tolist())


def spans(shop: LivingShop) -> dict[str, Spans]:
    """When each of the compared kinds holds, by kind."""
    plan, line = shop.plan, shop.lived()
    hands = Hands(shop)
    handed, cancelled = _first(line.handed_over), _first(line.cancelled)
    delivered = np.minimum(_first(line.delivered), hands.delivered_again)
    gone = np.minimum(handed, cancelled)
    approved, bought = line.approved, ~np.isnat(line.approved) & (line.approved <= cancelled)
    ship_by, deliver_by = np.where(bought, line.ship_by, ALWAYS), np.where(bought, line.deliver_by, ALWAYS)
    late = np.isnat(line.cancelled) & (
        plan.clock.day(_or_now(shop, delivered)) > plan.clock.day(line_day(line.deliver_by, shop))
    )
    lost = np.maximum(deliver_by - MICRO, np.where(handed < ALWAYS, handed + LOST_AFTER, ALWAYS))
    due, again = bought & (cancelled < handed), hands.sent_again < ALWAYS
    return {
        # A parcel that was given up speaks for its order no more: until its replacement leaves, nothing has.
        "stuck_order": Spans(
            np.where(again, np.maximum(ship_by, hands.sent_again), ship_by),
            np.where(again, np.minimum(hands.handed_again, cancelled), gone),
        ),
        "unpaid_order": Spans(line.placed + UNPAID_AFTER, np.minimum(_first(approved), cancelled)),
        "lost_shipment": Spans(lost, np.minimum(np.minimum(delivered, cancelled), hands.sent_again)),
        "late_delivery": Spans(np.where(late & bought, delivered, ALWAYS), np.full(len(plan), ALWAYS)),
        "refund_due": Spans(np.where(due, cancelled, ALWAYS), hands.repaid),
        "cancelled_in_transit": Spans(
            np.where((cancelled < ALWAYS) & (handed < ALWAYS), np.maximum(cancelled, handed), ALWAYS),
            np.full(len(plan), ALWAYS),
        ),
    }  # fmt: skip


def line_day(deliver_by: Moments, shop: LivingShop) -> Moments:
    """The last instant of a promised day."""
    return _or_now(shop, np.where(np.isnat(deliver_by), ALWAYS, deliver_by)) - MICRO


def _or_now(shop: LivingShop, moments: Moments) -> Moments:
    """A moment that does not come is as good as the end, where only its day counts."""
    return np.where(moments == ALWAYS, shop.plan.clock.now + 400 * DAY, moments)


def _first(moments: Moments) -> Moments:
    return np.where(np.isnat(moments), ALWAYS, moments)


class Hands:
    """What was paid back and sent again, an entry for each order, read from the shop's own tables."""

    def __init__(self, shop: LivingShop) -> None:
        orders = len(shop.plan)
        self.repaid = np.full(orders, ALWAYS)
        self.sent_again, self.handed_again, self.delivered_again = (np.full(orders, ALWAYS) for _ in range(3))
        paid = dict(zip(shop.plan.ids, shop.plan.rows.totals.tolist(), strict=True))
        so_far: dict[str, int] = {}
        with closing(sqlite3.connect(shop.path)) as book:
            for order, amount, at in book.execute(
                "SELECT order_id, amount, refunded_at FROM refunds ORDER BY refunded_at"
            ):
                so_far[order] = so_far.get(order, 0) + amount
                if so_far[order] >= paid[order]:
                    self.repaid[shop.number[order]] = min(self.repaid[shop.number[order]], np.datetime64(at, "us"))
            for order, *moments in book.execute(SENT_AGAIN):
                for mine, at in zip((self.sent_again, self.handed_again, self.delivered_again), moments, strict=True):
                    mine[shop.number[order]] = np.datetime64(at, "us") if at else ALWAYS


def found(bodies: list[str | dict[str, object]]) -> set[tuple[str, str]]:
    """Each order and kind that cases speak of."""
    pairs: set[tuple[str, str]] = set()
    for body in bodies:
        case = json.loads(body) if isinstance(body, str) else body
        pairs |= {(one["subject"], one["kind"]) for one in case["findings"] if one["answer"] == "yes"}  # type: ignore[attr-defined]
    return pairs


def moment(at: datetime) -> np.datetime64:
    """As the plan keeps it."""
    return np.datetime64(at.replace(tzinfo=None), "us")
