"""Reasons that a product suddenly comes back for, and the calm of all the others.

A spike is tested as a lane would: of the returns of a product for a reason, how many fall into the last
fortnight, beside what could come back then and before; over all of them at once, by Benjamini and Hochberg.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Mask, Numbers, between, span
from control_tower.stores.generator.exposure import FORTNIGHT
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.returned import LATEST_DAY

LEAST = 20
"""So many returns within a fortnight, and hardly one before, are one in a million by chance."""
MANY = 24
CALM = 0.15
"""No other product has a chance this small of being calm after all (its false discovery rate)."""


def reason_spikes(scene: ReturnScene, share: float) -> None:
    """Two products: one that turns out too small, and one that breaks on its way; if enough of them are sold."""
    wanted = max(MANY, round(share / 2 * len(scene.timeline))) if share > 0 else 0
    sized = scene.rows.basket.sku % len(shelf.CATEGORIES) < shelf.SIZED
    first = _spike(scene, "size_too_small", wanted, sized)
    _spike(scene, "damaged_in_transit", wanted, scene.rows.basket.sku != first)


def _spike(scene: ReturnScene, reason: str, wanted: int, of_lines: Mask) -> int:
    """Plant one; gives the product, or -1."""
    basket, now = scene.rows.basket, scene.clock.now
    candidate = np.full(len(scene.timeline), -1)
    candidate[scene.order] = np.arange(len(scene.order))
    soonest = np.maximum(scene.delivered + span(8.0), now - FORTNIGHT + span(14.0))
    latest = np.minimum(scene.delivered + span(LATEST_DAY * 24), now - span(2.0))
    may = np.append(scene.free & (latest > soonest), False)  # the last is for lines of no candidate
    of = candidate[basket.order]
    lines = np.flatnonzero(of_lines & scene.returnable & may[of])
    if not len(lines) or not wanted:
        return -1
    sku = int(np.bincount(basket.sku[lines]).argmax())
    lines = lines[basket.sku[lines] == sku]
    if len(np.unique(scene.customer[of[lines]])) < LEAST:
        return -1
    sold = np.full(len(scene.order), -1)
    sold[of[lines]] = lines
    picked = scene.pick_so_many(sold >= 0, wanted)
    scene.line[picked] = sold[picked]
    asked = between(soonest[picked], latest[picked], scene.chance.random(len(picked)))
    block = scene.send_back(picked, asked)
    block.reason[:] = shelf.REASONS.index(reason)
    scene.add(block, "reason_spike")
    return sku


def restless(group: Numbers, recent: Mask, share: Numbers) -> Mask:
    """Which rows are of a group that is not surely calm, and recent.

    Args:
        group: a number for each product and reason.
        recent: whether it was asked for in the last fortnight.
        share: how much of the product could come back then, at least.
    """
    from scipy.special import bdtrc

    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    lately, before = np.bincount(number, recent), np.bincount(number, ~recent)
    tested = np.flatnonzero(lately)
    chances = bdtrc(lately[tested] - 1, (lately + before)[tested], share[first][tested])
    rates = np.ones(len(first))
    rates[tested] = discoveries(chances)
    return np.asarray((rates < CALM)[number] & recent)


def discoveries(chances: Numbers) -> Numbers:
    """The false discovery rate at which each would be found, by Benjamini and Hochberg."""
    falling = np.argsort(chances, kind="stable")[::-1]
    ranks = np.arange(len(chances), 0, -1)
    rates = np.empty(len(chances))
    rates[falling] = np.minimum.accumulate(chances[falling] * len(chances) / ranks)
    return np.minimum(rates, 1.0)
