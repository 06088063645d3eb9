"""What goes wrong with subscriptions, each fault clear of every boundary, and what is then true of them.

Last of all, and of orders that nothing else was done to: what is true of orders and returns stays as it is.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import NEVER, Generator, Mask, Moments, Numbers, span
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.subscribed import (
    CARD,
    HARD,
    INDIA,
    NOTHING,
    PAST_DUE,
    SOFT,
    SUBSCRIBERS,
    UNPAID,
    Subscribed,
    month_start,
    subscribe,
)
from control_tower.stores.generator.truth import SUBSCRIPTION_KINDS, Rates


class SubscriptionScene:
    """The subscriptions of a shop, changed in place; each is picked for one fault at most.

    Attributes:
        rows: the subscriptions, in order of their ids.
        holds: one row for each, one column for each of SUBSCRIPTION_KINDS.
    """

    def __init__(self, sold: Scene, written: Rows, chance: Generator) -> None:
        self.clock, self.chance, self.orders = sold.clock, chance, len(sold.timeline)
        self.rows = self._subscribers(sold, written)
        self.holds: Mask = np.zeros((len(self.rows), len(SUBSCRIPTION_KINDS)), bool)
        self.free: Mask = self.rows.running.copy()

    def _subscribers(self, sold: Scene, written: Rows) -> Subscribed:
        """Half of those who wait for an order, and others."""
        timeline, wanted = sold.timeline, round(SUBSCRIBERS * self.orders)
        here = ~np.isnat(timeline.approved) & np.isnat(timeline.handed_over) & np.isnat(timeline.cancelled)
        waiting = np.flatnonzero(here & sold.free & np.isnat(timeline.hold_placed) & ~np.isnat(timeline.ship_by))
        waiting = self.chance.permutation(waiting)[: (len(waiting) + 1) // 2]
        customer, first = np.unique(written.customers[waiting], return_index=True)
        waiting = waiting[first][:wanted]
        customer = customer[:wanted]
        others = self.chance.permutation(np.setdiff1d(written.customers, customer))[: wanted - len(customer)]
        orders = np.concatenate([waiting, np.full(len(others), -1)])
        ships = np.where(orders >= 0, timeline.ship_by[orders], NEVER)
        mixed = self.chance.permutation(len(orders))
        every = np.concatenate([customer, others])
        return subscribe(every[mixed], orders[mixed], ships[mixed], self.clock, self.chance)

    def pick(self, eligible: Mask, share: float) -> Numbers:
        """A share of all orders, from the eligible that are free; at least one if it can be."""
        pool = np.flatnonzero(eligible & self.free)
        wanted = max(1, round(share * self.orders)) if share > 0 else 0
        picked = np.sort(self.chance.choice(pool, min(wanted, len(pool)), replace=False))
        self.free[picked] = False
        return picked

    def true(self, which: Numbers, *kinds: str) -> None:
        """Say that kinds hold for subscriptions."""
        for kind in kinds:
            self.holds[which, SUBSCRIPTION_KINDS.index(kind)] = True

    def refused(self, picked: Numbers, codes: range, attempts: tuple[int, int]) -> None:
        """Leave their last invoices unpaid, refused with one of the codes."""
        code = self.chance.integers(codes.start, codes.stop, len(picked))
        tried = self.chance.integers(attempts[0], attempts[1] + 1, len(picked))
        self.rows.refuse(picked, code, tried, self.clock.now, self.chance.uniform(0.1, 0.9, len(picked)))
        self.rows.status[picked] = PAST_DUE

    def soon(self, size: int, least: float, most: float) -> Moments:
        """Moments between so many hours from now."""
        return self.clock.now + span(self.chance.uniform(least, most, size))


SOFT_CODES, HARD_CODES = range(len(SOFT)), range(len(SOFT), len(SOFT) + len(HARD))


def plant_subscriptions(scene: SubscriptionScene, rates: Rates) -> None:
    """Plant everything, the scarcest first."""
    rows = scene.rows
    shipments_unpaid(scene, rates.shipment_unpaid)
    later = rows.next_order < 0  # a failed payment alone is no unpaid shipment
    at_home = later & (rows.country != INDIA)
    picked = scene.pick(at_home, rates.payment_failing)
    scene.refused(picked, SOFT_CODES, (1, 5))
    rows.next_attempt[picked] = scene.soon(len(picked), 2.0, 90.0)
    scene.true(picked, "payment_failing")
    retries_ended(scene, rates.retries_ended)
    picked = scene.pick(later, rates.hard_decline)
    scene.refused(picked, HARD_CODES, (1, 1))
    scene.true(picked, "hard_decline")
    picked = scene.pick(later, rates.retry_of_hard_decline)
    scene.refused(picked, HARD_CODES, (2, 6))
    rows.next_attempt[picked] = scene.soon(len(picked), 2.0, 60.0)
    scene.true(picked, "hard_decline", "retry_of_hard_decline")
    cards(scene, rates)
    picked = scene.pick(np.ones(len(rows), bool), rates.no_method)
    rows.method[picked], rows.expires[picked] = NOTHING, NEVER
    scene.true(picked, "no_method")
    picked = scene.pick(np.ones(len(rows), bool), rates.subscription_contradiction)
    rows.paid_too_early[picked] = True
    scene.true(picked, "subscription_contradiction")


def shipments_unpaid(scene: SubscriptionScene, share: float) -> None:
    """The last box is not paid, and the next leaves within two days: refused for good, or tried too late."""
    rows = scene.rows
    picked = scene.pick((rows.next_order >= 0) & (rows.country != INDIA), share)
    rows.next_ship[picked] = scene.soon(len(picked), 2.0, 40.0)
    good, now = picked[::2], picked[1::2]
    scene.refused(good, HARD_CODES, (1, 1))
    scene.true(good, "hard_decline", "shipment_unpaid")
    scene.refused(now, SOFT_CODES, (1, 5))
    rows.next_attempt[now] = rows.next_ship[now] + span(scene.chance.uniform(2.0, 50.0, len(now)))
    scene.true(now, "payment_failing", "shipment_unpaid")


def retries_ended(scene: SubscriptionScene, share: float) -> None:
    """Every try was used up; or the card is Indian, and a plan to try it again comes to nothing."""
    rows = scene.rows
    picked = scene.pick(rows.next_order < 0, share)
    scene.refused(picked, SOFT_CODES, (4, 8))
    rows.status[picked] = UNPAID
    indian = picked[rows.country[picked] == INDIA]
    rows.next_attempt[indian] = scene.soon(len(indian), 2.0, 90.0)
    scene.true(picked, "retries_ended")


def cards(scene: SubscriptionScene, rates: Rates) -> None:
    """Cards that are past their end, or will be when the next charge comes."""
    rows, now = scene.rows, scene.clock.now
    picked = scene.pick(rows.method == CARD, rates.method_expired)
    rows.expires[picked] = month_start(now, -scene.chance.integers(0, 5, len(picked)))
    scene.true(picked, "method_expired")
    picked = scene.pick(rows.method == CARD, rates.method_expiring)
    charge = rows.next_charge[picked]
    # At the end of this month, as cards do; where the charge comes before that, a card that is good for days.
    between = now + ((charge - now) * scene.chance.uniform(0.2, 0.8, len(picked))).astype("timedelta64[s]")
    rows.expires[picked] = np.where(month_start(now, 1) < charge, month_start(now, 1), between)
    scene.true(picked, "method_expiring")
