"""Returns that nothing is wrong with, and some that only look as if there were."""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import span, within
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.return_windows import late_in_the_season, too_late


def settle_returns(scene: ReturnScene) -> None:
    """What a shop sees day by day: about one order in twelve."""
    scene.add(late_in_the_season(scene, 0.010))
    declined_in_time(scene, 0.001)
    not_the_item(scene, 0.001)
    thought_better_of(scene, 0.002)
    repaid_in_parts(scene, 0.003)
    asked = scene.requested <= scene.clock.now - span(0.5)
    scene.add(scene.send_all_back(scene.pick(asked & scene.whole, 0.012)))
    some_of_it(scene, 0.055)


def declined_in_time(scene: ReturnScene, share: float) -> None:
    """Asked for too late, and declined."""
    block = too_late(scene, share)
    block.nothing_from("approved")
    block.rejected = block.requested + within(scene.chance, len(block), 0.5, 5.0)
    scene.add(block)


def not_the_item(scene: ReturnScene, share: float) -> None:
    """What came back is not what was sold, and goes back to the customer."""
    block = scene.send_back(scene.pick(scene.steps.inspected <= scene.clock.now - span(4.0), share))
    block.nothing_from("refunded")
    block.not_the_item[:] = True
    block.rejected = block.inspected + within(scene.chance, len(block), 0.5, 3.0)
    scene.add(block)


def thought_better_of(scene: ReturnScene, share: float) -> None:
    """Cancelled by the customer, who keeps it."""
    block = scene.send_back(scene.pick(scene.requested <= scene.clock.now - span(30.0), share))
    block.nothing_from("approved")
    block.cancelled = block.requested + within(scene.chance, len(block), 0.5, 24.0)
    scene.add(block)


def repaid_in_parts(scene: ReturnScene, share: float) -> None:
    """Two refunds that together are what is owed."""
    block = scene.send_back(scene.pick(scene.steps.refunded <= scene.clock.now - span(30.0), share))
    block.refunded_again = block.refunded + within(scene.chance, len(block), 0.3, 20.0)
    block.share = scene.chance.uniform(0.2, 0.4, len(block))
    block.share_again = 1.0 - block.share
    scene.add(block)


def some_of_it(scene: ReturnScene, share: float) -> None:
    """One line of the order; of several pieces, not always all."""
    block = scene.send_back(scene.pick(scene.requested <= scene.clock.now - span(0.5), share))
    fewer = scene.chance.random(len(block)) < 0.5
    block.quantity = np.where(fewer, np.maximum(block.quantity - 1, 1), block.quantity)
    scene.add(block)
