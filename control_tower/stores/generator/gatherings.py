"""Orders that come close together: some are placed earlier than they were drawn, and share what is planted later.

Only orders that nothing else was done to, that are paid within minutes and are still under way, are moved, and by
a day at most: what is true of any order as a parcel stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from control_tower.stores.generator.clock import Generator, Mask, Numbers, span
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.truth import Rates

BANK_TRANSFER = 2
CARD = 0
TRIES = 30
MOVED_AT_MOST = span(24.0)
LARGEST_BURST = 200


class Shares(Enum):
    """What orders that come close together have in common."""

    device = "one device, network address and delivery address, within ten minutes"
    account = "one account, seven orders within the hour"
    card = "one card, twice within a minute"
    cards = "one account with five cards within the hour"


@dataclass(frozen=True)
class Gathering:
    """Orders in the order in which they were placed, and what they share."""

    shares: Shares
    orders: Numbers


def gather_orders(scene: Scene, rates: Rates, chance: Generator) -> list[Gathering]:
    """Move orders together, before anything is written down of them."""
    size = int(np.clip(len(scene.timeline) // 500, 12, LARGEST_BURST))
    wanted = [(Shares.device, 1 if rates.identity_burst > 0 else 0)]
    wanted.append((Shares.account, _so_many(scene, rates.account_velocity)))
    halves = _so_many(scene, rates.card_velocity)
    wanted += [(Shares.card, (halves + 1) // 2), (Shares.cards, halves // 2)]
    found = []
    for shares, number in wanted:
        for _ in range(number):
            orders = _together(scene, chance, shares, size)
            found += [Gathering(shares, orders)] if len(orders) else []
    return found


def _so_many(scene: Scene, share: float) -> int:
    return max(1, round(share * len(scene.timeline))) if share > 0 else 0


def _seconds(shares: Shares, chance: Generator, size: int) -> Numbers:
    """When each of them comes, in seconds from the first, clear of every window's ends."""
    if shares is Shares.device:
        later = np.sort(chance.choice(np.arange(1, 590), size - 1, replace=False))
    elif shares is Shares.card:
        later = chance.integers(5, 50, 1)
    else:
        later = np.cumsum(chance.integers(180, 420, 6 if shares is Shares.account else 4))
    return np.append(0, later)


def _together(scene: Scene, chance: Generator, shares: Shares, size: int) -> Numbers:
    """Take orders and place them close together; none where there are not enough near one another."""
    timeline = scene.timeline
    pool = np.flatnonzero(_movable(scene) & ((timeline.method == CARD) | (shares in (Shares.device, Shares.account))))
    drawn = timeline.placed[pool]
    for _ in range(TRIES if len(pool) else 0):
        first = int(chance.integers(len(pool)))
        moments = drawn[first] + span(_seconds(shares, chance, size) / 3600)
        at, places = first, [first]
        for moment in moments[1:]:
            at = max(at + 1, int(np.searchsorted(drawn, moment)))
            places.append(at)
        if at < len(pool) and (drawn[places] - moments <= MOVED_AT_MOST).all():
            orders = pool[places]
            timeline.placed[orders] = moments
            scene.take(orders)
            return orders
    return pool[:0]


def _movable(scene: Scene) -> Mask:
    timeline = scene.timeline
    under_way = ~np.isnat(timeline.approved) & np.isnat(timeline.delivered) & ~timeline.said_delivered
    return np.asarray(scene.free & under_way & np.isnat(timeline.cancelled) & (timeline.method != BANK_TRANSFER))
