"""Records that can't all be true, each of a delivered order that nothing else is wrong with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import DAY, NEVER, Mask, Numbers, between, span, within
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.timeline import AFTER, ARRIVED, OUT


def contradictions(scene: Scene, share: float) -> None:
    """Plant every contradiction, an equal share each."""
    for contradict in CONTRADICTIONS:
        scene.true(contradict(scene, share / len(CONTRADICTIONS)), "contradiction")


def delivered_without_a_day(scene: Scene, share: float) -> Numbers:
    """Called delivered, without a moment or a scan that says so.

    Its last scan is fresh and its deliver-by yet to come, so that it is neither late, lost nor silent,
    whichever of its words one believes.
    """
    timeline, clock = scene.timeline, scene.clock
    fresh = ~np.isnat(timeline.delivered) & (clock.working_days_since(timeline.scans[:, OUT]) <= 1)
    which = scene.pick(fresh & (timeline.deliver_by > clock.now + span(12.0)), share)
    timeline.no_scans_from(ARRIVED, which)
    timeline.said_delivered[which] = True
    return which


def delivered_without_a_hand_over(scene: Scene, share: float) -> Numbers:
    """Made to order, so that its ship-by is yet to come: it is not stuck, by whatever reading."""
    timeline, clock = scene.timeline, scene.clock
    which = scene.pick(timeline.delivered >= clock.now - 10 * DAY, share)
    timeline.handed_over[which] = NEVER
    ship_day = clock.working_day(np.full(len(which), clock.today), 2)
    timeline.ship_by[which] = clock.at(ship_day, shelf.SHIP_BY_HOUR)
    deliver_day = clock.working_day(ship_day, shelf.PROMISED_DAYS[timeline.service[which]])
    timeline.deliver_by[which] = clock.end_of(deliver_day)
    return which


def handed_over_before_it_was_placed(scene: Scene, share: float) -> Numbers:
    """By two to twenty hours."""
    which = scene.pick(_long_delivered(scene), share)
    early = within(scene.chance, len(which), 2.0, 20.0)
    scene.timeline.handed_over[which] = scene.timeline.placed[which] - early
    return which


def handed_over_before_it_was_approved(scene: Scene, share: float) -> Numbers:
    """Halfway between order and payment, of those who took four hours or more to pay."""
    timeline = scene.timeline
    slow = timeline.approved - timeline.placed >= span(4.0)
    which = scene.pick(_long_delivered(scene) & slow, share)
    timeline.handed_over[which] = between(timeline.placed[which], timeline.approved[which], 0.5)
    return which


def delivered_before_it_was_handed_over(scene: Scene, share: float) -> Numbers:
    """By one to six hours; its scans are in order."""
    which = scene.pick(_long_delivered(scene), share)
    early = within(scene.chance, len(which), 1.0, 6.0)
    scene.timeline.delivered[which] = scene.timeline.handed_over[which] - early
    return which


def in_transit_after_delivery(scene: Scene, share: float) -> Numbers:
    """A scan at a hub, one to twenty hours after the delivery."""
    which = scene.pick(_long_delivered(scene), share)
    later = within(scene.chance, len(which), 1.0, 20.0)
    scene.timeline.scans[which, AFTER] = scene.timeline.delivered[which] + later
    return which


def handed_over_on_hold(scene: Scene, share: float) -> Numbers:
    """Held before the hand-over, and released hours after it, or not yet."""
    timeline, chance = scene.timeline, scene.chance
    which = scene.pick(_long_delivered(scene), share)
    timeline.hold_placed[which] = between(timeline.approved[which], timeline.handed_over[which], 0.5)
    after = timeline.handed_over[which] + within(chance, len(which), 1.0, 10.0)
    timeline.hold_released[which] = np.where(chance.random(len(which)) < 0.5, after, NEVER)
    return which


def _long_delivered(scene: Scene) -> Mask:
    return scene.timeline.delivered <= scene.clock.now - span(48.0)


CONTRADICTIONS: tuple[Callable[[Scene, float], Numbers], ...] = (
    delivered_without_a_day,
    delivered_without_a_hand_over,
    handed_over_before_it_was_placed,
    handed_over_before_it_was_approved,
    delivered_before_it_was_handed_over,
    in_transit_after_delivery,
    handed_over_on_hold,
)
