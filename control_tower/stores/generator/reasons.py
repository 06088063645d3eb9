"""Why things come back: a reason for each returned line, so that no product has a spike that was not planted."""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Generator, Mask, Numbers
from control_tower.stores.generator.exposure import FORTNIGHT
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.returned import NOT_YET, Returned
from control_tower.stores.generator.spikes import restless

ROUNDS = 60


def give_reasons(scene: ReturnScene, rows: Returned, spiked: Mask) -> None:
    """Draw them by the sort of product; again for what would look like a spike, or would feed one.

    Args:
        spiked: the rows of a planted spike; no other return of the product has its reason.
    """
    unset = rows.reason == NOT_YET
    sku = scene.rows.basket.sku[rows.line]
    sort = (sku % len(shelf.CATEGORIES) >= shelf.SIZED) * 2 + rows.faultless
    recent = rows.requested >= scene.clock.now - FORTNIGHT
    again = np.flatnonzero(unset)
    for _ in range(ROUNDS):
        rows.reason[again] = draw_reasons(sort[again], scene.chance)
        group = sku * len(shelf.REASONS) + rows.reason
        again = np.flatnonzero(unset & (restless(group, recent, scene.lately[sku]) | np.isin(group, group[spiked])))
        if not len(again):
            return


def draw_reasons(sort: Numbers, chance: Generator) -> Numbers:
    """A reason for each, by the weights of its sort."""
    cumulative = shelf.REASON_SHARES.cumsum(axis=1)[sort]
    drawn: Numbers = (chance.random(len(sort))[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return drawn
