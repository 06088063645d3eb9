"""The scene that faults are planted in: the timelines, who is still healthy, and what is true so far."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Clock, Generator, Mask, Numbers
from control_tower.stores.generator.timeline import Pickup, Timeline, group_of, rank_in_group
from control_tower.stores.generator.truth import KINDS, DirtyRow, MissedPickup, Truth

if TYPE_CHECKING:
    import pyarrow as pa


class Scene:
    """The timelines of a shop, changed in place; each order is picked for one change at most.

    Attributes:
        holds: one row for each order, one column for each of KINDS.
        missed: the positions of the orders of each missed pick-up.
        allowed: how many labels without a first scan each group of labels can still take.
    """

    def __init__(self, timeline: Timeline, clock: Clock, chance: Generator) -> None:
        self.timeline, self.clock, self.chance = timeline, clock, chance
        self.holds: Mask = np.zeros((len(timeline), len(KINDS)), bool)
        self.missed: list[Numbers] = []
        self.free: Mask = np.ones(len(timeline), bool)
        groups, self.group = np.unique(group_of(timeline, clock), return_inverse=True)
        labels = np.bincount(self.group, minlength=len(groups))
        # A fifth of a group at most, or one of a small group: far from the four fifths of a missed pick-up.
        self.allowed = np.maximum(labels // 5, 1)

    def true(self, which: Numbers, *kinds: str) -> None:
        """Say that kinds hold for orders."""
        for kind in kinds:
            self.holds[which, KINDS.index(kind)] = True

    def take(self, which: Numbers) -> None:
        """Keep orders from being picked."""
        self.free[which] = False

    def pick(self, eligible: Mask, share: float) -> Numbers:
        """A share of all orders, from the eligible ones that are free; at least one if it can be.

        Returns:
            Sorted positions; they are not free any more.
        """
        return self._pick(np.flatnonzero(eligible & self.free), share)

    def pick_unscanned(self, eligible: Mask, share: float) -> Numbers:
        """As `pick`, for orders whose label will have no first scan."""
        pool = self.chance.permutation(np.flatnonzero(eligible & self.free))
        fits = rank_in_group(self.group[pool]) < self.allowed[self.group[pool]]
        picked = self._pick(pool[fits], share)
        self.allowed -= np.bincount(self.group[picked], minlength=len(self.allowed))
        return picked

    def truth(
        self,
        ids: pa.Array,
        pickups: list[Pickup],
        dirty: tuple[DirtyRow, ...],
        returns: dict[str, tuple[str, ...]],
        as_of: datetime,
        seed: int,
    ) -> Truth:
        """What is true now, by the ids of the orders, and what is true of their returns."""
        import pyarrow as pa

        def named(which: Numbers) -> tuple[str, ...]:
            return tuple(ids.take(pa.array(which)).to_pylist())

        return Truth(
            as_of=as_of,
            orders=len(self.timeline),
            seed=seed,
            planted={
                "fulfilment": {kind: named(np.flatnonzero(self.holds[:, at])) for at, kind in enumerate(KINDS)},
                "returns": returns,
            },
            missed_pickups=tuple(
                MissedPickup(
                    carrier=str(shelf.CARRIERS[pickup.carrier]),
                    day=pickup.day.astype(object),
                    warehouse_id=str(shelf.WAREHOUSES[pickup.warehouse]),
                    orders=named(which),
                )
                for pickup, which in zip(pickups, self.missed, strict=True)
            ),
            dirty=dirty,
        )

    def _pick(self, pool: Numbers, share: float) -> Numbers:
        wanted = max(1, round(share * len(self.free))) if share > 0 else 0
        picked = np.sort(self.chance.choice(pool, min(wanted, len(pool)), replace=False))
        self.take(picked)
        return picked
