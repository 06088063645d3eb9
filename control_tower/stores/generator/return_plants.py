"""What goes wrong with returns, each fault clear of every boundary, and what is then true of them."""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import DAY, NEVER, Mask, Moments, Numbers, between, span, within
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.return_windows import too_late
from control_tower.stores.generator.spikes import reason_spikes
from control_tower.stores.generator.truth import Rates

OVERDUE_INSPECTION = (5, 15)
"""Working days since a return arrived, at least and at most, and nobody looked at it; three are given."""
OVERDUE_REFUND = (7, 20)
"""Working days since a return was inspected, at least and at most, and nobody repaid it; five are given."""
ORDERS_OF_A_RETURNER = 5
NUMBERS_OF_RETURNERS = np.arange(1000, 7919)
"""Customers' numbers that no other customer has."""


def plant_returns(scene: ReturnScene, rates: Rates) -> None:
    """Plant everything, the scarcest first."""
    repeat_returners(scene, rates.repeat_returner)
    reason_spikes(scene, rates.reason_spike)
    outside_the_window(scene, rates.return_outside_window)
    not_inspected(scene, rates.return_not_inspected)
    not_repaid(scene, rates.late_refund)
    repaid_and_never_received(scene, rates.refund_without_receipt * 0.6)
    repaid_before_it_was_received(scene, rates.refund_without_receipt * 0.4)
    repaid_twice(scene, rates.duplicate_refund)
    repaid_above_its_price(scene, rates.refund_above_paid)


def repeat_returners(scene: ReturnScene, share: float) -> None:
    """Customers with five orders within a fortnight who send four of them back, and all that is in them."""
    chance, now = scene.chance, scene.clock.now
    wanted = max(1, round(share * len(scene.timeline))) if share > 0 else 0
    pool = np.flatnonzero(scene.free & scene.whole)
    pool = pool[np.argsort(scene.delivered[pool], kind="stable")]
    for number in chance.permutation(NUMBERS_OF_RETURNERS)[:wanted]:
        first = now - span(chance.uniform(20.0, 55.0) * 24)
        least, most = np.searchsorted(scene.delivered[pool], [first, first + 12 * DAY])
        lots = np.unique(pool[chance.integers(least, most, 40)]) if least < most else pool[:0]
        lots = chance.permutation(lots[scene.free[lots]])[:ORDERS_OF_A_RETURNER]
        if len(lots) == ORDERS_OF_A_RETURNER:
            _give_to(scene, int(number), lots)
    scene.know_the_customers()


def _give_to(scene: ReturnScene, customer: int, picked: Numbers) -> None:
    """Orders become one customer's, who keeps the smallest."""
    orders = scene.order[picked]
    scene.sold.take(orders)
    scene.free[picked] = False
    scene.rows.customers[orders] = customer
    unwanted = np.sort(picked[np.argsort(scene.lines_of[orders], kind="stable")[1:]])
    requested = scene.delivered[picked].max() + within(scene.chance, len(unwanted), 8.0, 6 * 24.0)
    scene.add(scene.send_all_back(unwanted, requested), "repeat_returner")


def outside_the_window(scene: ReturnScene, share: float) -> None:
    """Asked for too late, and nothing is wrong with it; undecided, or approved all the same."""
    block = too_late(scene, share)
    block.nothing_from("received")
    block.approved[scene.chance.random(len(block)) < 0.6] = NEVER
    scene.add(block, "return_outside_window")


def not_inspected(scene: ReturnScene, share: float) -> None:
    """Back in the warehouse, and nobody looked at it."""
    block = scene.send_back(scene.pick(_waits(scene, scene.steps.received, OVERDUE_INSPECTION), share))
    block.nothing_from("inspected")
    scene.add(block, "return_not_inspected")


def not_repaid(scene: ReturnScene, share: float) -> None:
    """Looked at, found in order, and not repaid."""
    block = scene.send_back(scene.pick(_waits(scene, scene.steps.inspected, OVERDUE_REFUND), share))
    block.nothing_from("refunded")
    scene.add(block, "late_refund")


def repaid_and_never_received(scene: ReturnScene, share: float) -> None:
    """Repaid as soon as it was on its way, and it never came."""
    now = scene.clock.now
    lately = (scene.requested <= now - span(60.0)) & (scene.requested >= now - 25 * DAY)
    block = scene.send_back(scene.pick(lately, share))
    block.nothing_from("received")
    block.refunded = block.approved + within(scene.chance, len(block), 1.0, 20.0)
    scene.add(block, "refund_without_receipt")


def repaid_before_it_was_received(scene: ReturnScene, share: float) -> None:
    """Repaid as soon as it was on its way, and it came days later."""
    block = scene.send_back(scene.pick(scene.steps.inspected <= scene.clock.now - span(2.0), share))
    block.refunded = between(block.approved, block.received, 0.4)
    scene.add(block, "refund_without_receipt")


def repaid_twice(scene: ReturnScene, share: float) -> None:
    """The same amount twice, some hours apart; and so more than was paid for it."""
    long_ago = scene.steps.refunded <= scene.clock.now - span(30.0)
    block = scene.send_back(scene.pick(long_ago & (scene.total >= 2 * scene.amount), share))
    block.refunded_again = block.refunded + within(scene.chance, len(block), 0.3, 20.0)
    block.share_again[:] = 1.0
    scene.add(block, "duplicate_refund", "refund_above_paid")


def repaid_above_its_price(scene: ReturnScene, share: float) -> None:
    """More than was paid for it, by an eighth or more, and no more than for the order."""
    repaid = scene.steps.refunded <= scene.clock.now - span(1.0)
    picked = scene.pick(repaid & (scene.total >= 1.25 * scene.amount), share)
    block = scene.send_back(picked)
    room = np.minimum(scene.total[picked] / scene.amount[picked], 2.0) - 1.0
    block.share = 1.0 + room * scene.chance.uniform(0.5, 0.95, len(block))
    scene.add(block, "refund_above_paid")


def _waits(scene: ReturnScene, moments: Moments, working_days: tuple[int, int]) -> Mask:
    """Whether something happened so many working days ago."""
    happened = np.where(moments > scene.clock.now, NEVER, moments)
    since = scene.clock.working_days_since(happened)
    least, most = working_days
    return np.asarray((since >= least) & (since <= most))
