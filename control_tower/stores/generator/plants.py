"""What goes wrong in a generated shop, each fault clear of every boundary, and what is then true.

Every function picks orders that are still healthy, changes their timelines, and says which kinds then
hold for them. A change that would leave another kind in doubt is not made: what is planted is certain
under any fair reading of the rules.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import DAY, NEVER, Numbers, between, span, within
from control_tower.stores.generator.contradictions import contradictions
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.timeline import (
    ARRIVED,
    FIRST,
    HUB,
    LABEL,
    NEXT_HUB,
    OUT,
    Pickup,
    group_of,
)
from control_tower.stores.generator.truth import Rates

MARGIN = span(12.0)
"""How far anything planted is from the moment that would make it true or false."""
LONG_UNDER_WAY = 6 * DAY
"""What is lost has had time to arrive, however late it was handed over."""


def plant(scene: Scene, rates: Rates, pickups: list[Pickup]) -> None:
    """Plant everything, the scarcest first."""
    for pickup in pickups:
        missed_pickup(scene, pickup)
    contradictions(scene, rates.contradiction)
    never_scanned(scene, rates.silent_shipment * 0.3)
    scanned_once(scene, rates.silent_shipment * 0.3)
    never_handed_over(scene, rates.silent_shipment * 0.4)
    going_round(scene, rates.lost_shipment * 0.6)
    lost_without_a_trace(scene, rates.lost_shipment * 0.4)
    stuck(scene, rates.stuck_order)
    late(scene, rates.late_delivery)
    refund_due(scene, rates.refund_due)
    cancelled_in_transit(scene, rates.cancelled_in_transit)
    unpaid(scene, rates.unpaid_order)


def missed_pickup(scene: Scene, pickup: Pickup) -> None:
    """Nobody came for any label of that carrier, day and warehouse."""
    group = pickup.day.astype(int) * 100 + pickup.carrier * len(shelf.WAREHOUSES) + pickup.warehouse
    which = np.flatnonzero(group_of(scene.timeline, scene.clock) == group)
    scene.timeline.handed_over[which] = NEVER
    scene.timeline.no_scans_from(FIRST, which)
    scene.take(which)
    scene.missed.append(which)
    scene.true(which, "stuck_order", "silent_shipment")


def never_scanned(scene: Scene, share: float) -> None:
    """The carrier has it, says the warehouse; the carrier never scanned it, and its day is yet to come."""
    timeline, clock = scene.timeline, scene.clock
    handed_over = ~np.isnat(timeline.handed_over) & (clock.working_days_since(timeline.label) >= 4)
    which = scene.pick_unscanned(handed_over & (timeline.deliver_by > clock.now + MARGIN), share)
    timeline.no_scans_from(FIRST, which)
    scene.true(which, "silent_shipment")


def scanned_once(scene: Scene, share: float) -> None:
    """Scanned once, long ago, and its day is yet to come: only economy promises so late a day."""
    timeline, clock = scene.timeline, scene.clock
    silent = clock.working_days_since(timeline.scans[:, FIRST]) >= shelf.SILENT_AFTER[shelf.ECONOMY] + 2
    economy = (timeline.service == shelf.ECONOMY) & (timeline.deliver_by > clock.now + MARGIN)
    which = scene.pick(economy & silent, share)
    timeline.no_scans_from(HUB, which)
    scene.true(which, "silent_shipment")


def never_handed_over(scene: Scene, share: float) -> None:
    """Labelled, and still on the shelf."""
    timeline, clock = scene.timeline, scene.clock
    since_label = clock.working_days_since(timeline.label)
    overdue = timeline.ship_by <= clock.now - MARGIN
    which = scene.pick_unscanned(overdue & (since_label >= 4) & (since_label <= 20), share)
    timeline.handed_over[which] = NEVER
    timeline.no_scans_from(FIRST, which)
    scene.true(which, "silent_shipment", "stuck_order")


def going_round(scene: Scene, share: float) -> None:
    """Past its day and still being scanned."""
    timeline, now = scene.timeline, scene.clock.now
    overdue = (timeline.deliver_by <= now - MARGIN) & (timeline.deliver_by >= now - 10 * DAY)
    which = scene.pick(overdue & (timeline.scans[:, FIRST] <= now - LONG_UNDER_WAY), share)
    timeline.no_scans_from(HUB, which)
    last = now - within(scene.chance, len(which), 2.0, 20.0)
    timeline.scans[which, HUB] = between(timeline.scans[which, FIRST], last, 0.4)
    timeline.scans[which, NEXT_HUB] = last
    scene.true(which, "lost_shipment")


def lost_without_a_trace(scene: Scene, share: float) -> None:
    """Past its day, and not scanned since the day after it was handed over."""
    timeline, clock = scene.timeline, scene.clock
    silent = clock.working_days_since(timeline.scans[:, FIRST]) >= shelf.SILENT_AFTER[timeline.service] + 2
    overdue = (timeline.deliver_by <= clock.now - MARGIN) & (timeline.deliver_by >= clock.now - 30 * DAY)
    which = scene.pick(overdue & silent & (timeline.scans[:, FIRST] <= clock.now - LONG_UNDER_WAY), share)
    timeline.no_scans_from(HUB, which)
    scene.true(which, "lost_shipment", "silent_shipment")


def stuck(scene: Scene, share: float) -> None:
    """Paid, and not even labelled."""
    timeline, now = scene.timeline, scene.clock.now
    overdue = (timeline.ship_by <= now - MARGIN) & (timeline.ship_by >= now - 21 * DAY)
    which = scene.pick(overdue, share)
    timeline.never_shipped(which)
    scene.true(which, "stuck_order")


def late(scene: Scene, share: float) -> None:
    """Delivered one to five days after the promised day, or on the working day after that."""
    timeline, clock, chance = scene.timeline, scene.clock, scene.chance
    arrived = ~np.isnat(timeline.delivered) & (timeline.deliver_by <= clock.now - 12 * DAY)
    which = scene.pick(arrived, share)
    promised = clock.day(timeline.deliver_by[which]) - DAY
    day = clock.working_day(promised + chance.integers(1, 6, len(which)) * DAY)
    timeline.scans[which, OUT] = clock.at(day, chance.uniform(7.0, 8.75, len(which)))
    timeline.delivered[which] = clock.at(day, chance.uniform(9.0, 18.0, len(which)))
    timeline.scans[which, ARRIVED] = timeline.delivered[which]
    scene.true(which, "late_delivery")


def refund_due(scene: Scene, share: float) -> None:
    """Cancelled before the hand-over, and paid back in part or not at all."""
    which = cancel_and_refund(scene, share)
    part = scene.chance.random(len(which)) < 0.3
    scene.timeline.refund_share[which] = np.where(part, scene.chance.uniform(0.2, 0.8, len(which)), 0.0)
    scene.timeline.refunded[which[~part]] = NEVER
    scene.true(which, "refund_due")


def cancel_and_refund(scene: Scene, share: float) -> Numbers:
    """Cancel paid orders before the hand-over, or find them unavailable, and refund them in full."""
    timeline, chance = scene.timeline, scene.chance
    which = scene.pick(timeline.approved <= scene.clock.now - span(60.0), share)
    timeline.cancelled[which] = timeline.approved[which] + within(chance, len(which), 0.5, 24.0)
    timeline.unavailable[which] = chance.random(len(which)) < 0.2
    timeline.refunded[which] = timeline.cancelled[which] + within(chance, len(which), 0.2, 24.0)
    timeline.refund_share[which] = 1.0
    _void_labels(scene, which)
    return which


def _void_labels(scene: Scene, which: Numbers) -> None:
    """Keep some of the labels printed before the cancellation, as voided; the others were never printed."""
    timeline = scene.timeline
    printed = timeline.scans[which, LABEL] < timeline.cancelled[which]
    room = printed & (scene.allowed[scene.group[which]] > 0) & (scene.chance.random(len(which)) < 0.5)
    _, one_of_each_group = np.unique(scene.group[which[room]], return_index=True)
    voided = which[room][one_of_each_group]
    scene.allowed[scene.group[voided]] -= 1
    timeline.voided[voided] = True
    timeline.handed_over[voided] = NEVER
    timeline.no_scans_from(FIRST, voided)
    timeline.never_shipped(np.setdiff1d(which, voided))


def cancelled_in_transit(scene: Scene, share: float) -> None:
    """Cancelled when the carrier had it already."""
    timeline = scene.timeline
    which = scene.pick(timeline.scans[:, FIRST] <= scene.clock.now - span(30.0), share)
    timeline.cancelled[which] = timeline.scans[which, FIRST] + within(scene.chance, len(which), 1.0, 20.0)
    timeline.no_scans_from(OUT, which)
    scene.true(which, "cancelled_in_transit")


def unpaid(scene: Scene, share: float) -> None:
    """Placed sixty hours ago or more, and never paid."""
    timeline, now = scene.timeline, scene.clock.now
    which = scene.pick((timeline.placed <= now - span(60.0)) & (timeline.placed >= now - 21 * DAY), share)
    timeline.never_approved(which)
    scene.true(which, "unpaid_order")
