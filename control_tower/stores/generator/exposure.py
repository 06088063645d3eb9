"""How much of a product could come back in the last fortnight, of what could come back at all.

It can be told in two ways: by the pieces sold in the six weeks up to now, beside those sold before the
fortnight; and by the days on which each piece could come back. Whatever is planted must hold by both.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import DAY, Moments, Numbers
from control_tower.stores.generator.rows import Basket

FORTNIGHT = 14 * DAY
COMES_BACK_WITHIN = 45 * DAY
"""A month from delivery, and a fortnight under way."""


def by_sales(basket: Basket, placed: Moments, now: np.datetime64) -> Numbers:
    """The share for each product; 0 where nothing was sold earlier, or nothing lately."""
    bought = placed[basket.order]
    then = np.bincount(basket.sku, basket.quantity * (bought >= now - 43 * DAY))
    earlier = np.bincount(basket.sku, basket.quantity * (bought < now - 15 * DAY))
    return _share(then, earlier)


def by_days(basket: Basket, placed: Moments, now: np.datetime64) -> Numbers:
    """The share for each product; 0 where none could have come back before, or none lately."""
    bought = placed[basket.order]
    until = np.minimum(bought + COMES_BACK_WITHIN, now)
    recent = np.clip((until - np.maximum(bought, now - FORTNIGHT)) / DAY, 0, None)
    before = np.clip((until - bought) / DAY, 0, None) - recent
    return _share(np.bincount(basket.sku, basket.quantity * recent), np.bincount(basket.sku, basket.quantity * before))


def _share(then: Numbers, earlier: Numbers) -> Numbers:
    both = (then > 0) & (earlier > 0)
    return np.where(both, then / np.maximum(then + earlier, 1e-9), 0.0)
