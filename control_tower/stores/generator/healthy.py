"""What looks like a fault and is none: cancellations that were settled, holds that were released."""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import between, span, within
from control_tower.stores.generator.plants import cancel_and_refund
from control_tower.stores.generator.scene import Scene


def settle(scene: Scene) -> None:
    """Change healthy orders so that they stay healthy, and look less so."""
    cancelled_before_payment(scene, 0.012)
    cancel_and_refund(scene, 0.015)
    held_and_released(scene, 0.015)
    held_in_good_time(scene, 0.002)
    goodwill(scene, 0.010)


def cancelled_before_payment(scene: Scene, share: float) -> None:
    """Nothing was paid, so nothing is due."""
    timeline = scene.timeline
    which = scene.pick(timeline.placed <= scene.clock.now - span(30.0), share)
    timeline.never_approved(which)
    timeline.cancelled[which] = timeline.placed[which] + within(scene.chance, len(which), 0.2, 24.0)


def held_and_released(scene: Scene, share: float) -> None:
    """Released before the label was printed."""
    timeline = scene.timeline
    which = scene.pick(timeline.label - timeline.approved >= span(3.0), share)
    timeline.hold_placed[which] = between(timeline.approved[which], timeline.label[which], 0.25)
    timeline.hold_released[which] = between(timeline.approved[which], timeline.label[which], 0.75)


def held_in_good_time(scene: Scene, share: float) -> None:
    """Still on hold, and not due yet."""
    timeline, now = scene.timeline, scene.clock.now
    which = scene.pick(np.isnat(timeline.label) & (timeline.ship_by > now + span(12.0)), share)
    timeline.hold_placed[which] = between(timeline.approved[which], np.full(len(which), now), 0.5)


def goodwill(scene: Scene, share: float) -> None:
    """A part paid back after delivery."""
    timeline, chance = scene.timeline, scene.chance
    which = scene.pick(timeline.delivered <= scene.clock.now - span(72.0), share)
    timeline.refunded[which] = timeline.delivered[which] + within(chance, len(which), 1.0, 48.0)
    timeline.refund_share[which] = chance.uniform(0.05, 0.3, len(which))
