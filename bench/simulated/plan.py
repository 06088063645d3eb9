"""What will happen in the shop: every order of the week, planned beforehand, and what goes wrong with some.

The lives of healthy orders are the generator's own. Faults are planted here on top of them, each on orders that
nothing else was done to; what is true of an order at a moment follows from the plan and from what hands did.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from control_tower.stores.generator.clock import DAY, NEVER, Clock, Mask, Moments, Numbers, between, span, within
from control_tower.stores.generator.plants import cancel_and_refund
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.timeline import ARRIVED, FIRST, HUB, OUT, Timeline, draw
from control_tower.stores.shop import PROFILE

LEAD_DAYS = 21
QUIET = span(0.2)
"""Nothing happens in the first minutes of an hour: they are those in which the simulation works."""
LEAD_SHARE, LEAST_LEAD = 0.03, 40
"""Orders a day before the week begins, of those of a day in it, and at least."""


@dataclass(frozen=True)
class Size:
    """How large the world is, and what it is drawn from."""

    orders_a_day: int
    days: int
    begins: datetime
    seed: int

    @property
    def ends(self) -> datetime:
        """Nothing happens in the shop from then on."""
        return self.begins + timedelta(days=self.days)


@dataclass
class Returns:
    """Returned lines, an entry each, in order of their requests; what is NaT does not happen."""

    order: Numbers
    line: Numbers
    amount: Numbers
    requested: Moments
    received: Moments
    inspected: Moments
    refunded: Moments

    def __len__(self) -> int:
        return len(self.order)


class Plan:
    """Every order's life, its rows, and what comes back.

    Attributes:
        timeline: an entry for each order, by the moment that it is placed.
        rows: the same as canonical rows.
        tables: those that are not of one order's life alone: what was bought, paid and promised.
        returns: what comes back.
        counts: how many orders were given each fault.
    """

    def __init__(self, size: Size) -> None:
        self.size, self.chance = size, np.random.default_rng(size.seed)
        self.clock = Clock(PROFILE, size.ends)
        self.begins = np.datetime64(size.begins.replace(tzinfo=None), "us")
        self.timeline = self._drawn()
        self.scene = Scene(self.timeline, self.clock, self.chance)
        self.counts = dict(self._planted())
        self._keep_quiet()
        self.rows = Rows(self.timeline, self.clock, PROFILE.currency, self.chance)
        self.tables = self.rows.tables()
        self.returns = self._returned()

    def __len__(self) -> int:
        return len(self.timeline)

    @property
    def ids(self) -> list[str]:
        """The order ids, by position."""
        found: list[str] = self.rows.ids.to_pylist()
        return found

    def _drawn(self) -> Timeline:
        size, chance = self.size, self.chance
        lead = max(LEAST_LEAD, round(size.orders_a_day * LEAD_SHARE))
        days = size.days + LEAD_DAYS
        before = draw(lead * days, days, [], self.clock, chance)
        before = _some(before, before.placed < self.begins)
        week = draw(size.orders_a_day * size.days, size.days, [], self.clock, chance)
        both = {field.name: np.concatenate([getattr(before, field.name), getattr(week, field.name)])
                for field in fields(Timeline)}  # fmt: skip
        return Timeline(**both)

    def _planted(self) -> list[tuple[str, int]]:
        """The scarcest first. Orders of the week, and more of those before it, for they are few."""
        week = self.size.orders_a_day * self.size.days
        few, some = max(5, week // 10_000), max(15, week // 2500)
        return [
            ("lost", self._lost(some)),
            ("cancelled in transit", self._cancelled_in_transit(few)),
            ("refund due", self._refund_due(some)),
            ("stuck", self._stuck(some)),
            ("unpaid", self._unpaid(few)),
            ("late", self._late(some)),
            ("held in time", self._held(few)),
            ("cancelled and refunded", self._cancelled_in_order(few)),
        ]

    def _pick(self, eligible: Mask, most: int) -> Numbers:
        return self.scene.pick(eligible, most / len(self))

    def _lost(self, most: int) -> int:
        """Scanned once by the carrier, and never seen again; some whose day was over before the week began."""
        timeline = self.timeline
        overdue = (timeline.deliver_by > self.begins - 10 * DAY) & (timeline.deliver_by < self.begins - 3 * DAY)
        old = self._pick(overdue & ~np.isnat(timeline.scans[:, FIRST]), most)
        soon = (timeline.deliver_by >= self.begins - 3 * DAY) & (timeline.deliver_by < self.clock.now)
        which = np.concatenate([old, self._pick(soon & ~np.isnat(timeline.scans[:, FIRST]), most)])
        timeline.no_scans_from(HUB, which)
        return len(which)

    def _cancelled_in_transit(self, most: int) -> int:
        timeline, first = self.timeline, self.timeline.scans[:, FIRST]
        which = self._pick((first > self.begins - DAY) & (first < self.clock.now - span(30.0)), most)
        timeline.cancelled[which] = first[which] + within(self.chance, len(which), 1.0, 20.0)
        timeline.no_scans_from(OUT, which)
        return len(which)

    def _refund_due(self, most: int) -> int:
        """Cancelled before hand-over; the shop forgot the refund, gave a part of it, or gives it two days later."""
        timeline, chance = self.timeline, self.chance
        recent = (timeline.approved > self.begins - 2 * DAY) & (timeline.approved < self.clock.now - span(26.0))
        which = self._pick(recent, most)
        timeline.cancelled[which] = timeline.approved[which] + within(chance, len(which), 0.5, 24.0)
        timeline.never_shipped(which)
        how = chance.random(len(which))
        part, later = which[how < 0.25], which[how > 0.85]
        timeline.refunded[part] = timeline.cancelled[part] + within(chance, len(part), 0.1, 4.0)
        timeline.refund_share[part] = chance.uniform(0.2, 0.8, len(part))
        timeline.refunded[later] = timeline.cancelled[later] + within(chance, len(later), 20.0, 60.0)
        timeline.refund_share[later] = 1.0
        return len(which)

    def _stuck(self, most: int) -> int:
        """Not handed over when it was promised: half of them later, half of them never."""
        timeline, chance = self.timeline, self.chance
        due = (timeline.ship_by > self.begins - 2 * DAY) & (timeline.ship_by < self.clock.now - span(6.0))
        which = self._pick(due & ~np.isnat(timeline.handed_over), most)
        later, never = which[::2], which[1::2]
        timeline.never_shipped(never)
        behind = timeline.ship_by[later] + within(chance, len(later), 4.0, 60.0) - timeline.handed_over[later]
        for moments in (timeline.label, timeline.handed_over, timeline.delivered):
            moments[later] += behind
        timeline.scans[later] += behind[:, None]
        return len(which)

    def _unpaid(self, most: int) -> int:
        timeline, now = self.timeline, self.clock.now
        which = self._pick((timeline.placed > self.begins - 5 * DAY) & (timeline.placed < now - span(50.0)), most)
        timeline.never_approved(which)
        half = which[::2]
        timeline.cancelled[half] = timeline.placed[half] + within(self.chance, len(half), 60.0, 90.0)
        return len(which)

    def _late(self, most: int) -> int:
        """Delivered on the day after the promised one, or some days later."""
        timeline, chance = self.timeline, self.chance
        arrived = ~np.isnat(timeline.delivered) & (timeline.deliver_by > self.begins - 3 * DAY)
        which = self._pick(arrived & (timeline.deliver_by < self.clock.now - span(12.0)), most)
        timeline.delivered[which] = timeline.deliver_by[which] + within(chance, len(which), 9.0, 70.0)
        timeline.scans[which, OUT] = timeline.delivered[which] - span(2.0)
        timeline.scans[which, ARRIVED] = timeline.delivered[which]
        return len(which)

    def _held(self, most: int) -> int:
        """On hold by the shop, and released before the label was printed."""
        timeline = self.timeline
        recent = (timeline.approved > self.begins) & (timeline.label - timeline.approved >= span(3.0))
        which = self._pick(recent, most)
        timeline.hold_placed[which] = between(timeline.approved[which], timeline.label[which], 0.25)
        timeline.hold_released[which] = between(timeline.approved[which], timeline.label[which], 0.75)
        return len(which)

    def _cancelled_in_order(self, most: int) -> int:
        which = cancel_and_refund(self.scene, most / len(self))
        self.timeline.voided[which] = False
        self.timeline.never_shipped(which)
        return len(which)

    def _keep_quiet(self) -> None:
        for name in HAPPENINGS:
            setattr(self.timeline, name, after_quiet(getattr(self.timeline, name)))

    def _returned(self) -> Returns:
        """Some of what was delivered comes back; the shop repays it within two days, but for a few."""
        timeline, chance, basket = self.timeline, self.chance, self.rows.basket
        room = self.scene.free & (timeline.delivered < self.clock.now - span(20.0))
        orders = self._pick(room, max(16, len(self) // 60))
        line = np.searchsorted(basket.order, orders)
        kept = ~basket.final_sale[line]
        orders, line, number = orders[kept], line[kept], int(kept.sum())
        requested = after_quiet(timeline.delivered[orders] + within(chance, number, 3.0, 40.0))
        received = after_quiet(requested + within(chance, number, 24.0, 60.0))
        inspected = after_quiet(received + within(chance, number, 2.0, 20.0))
        refunded = after_quiet(inspected + within(chance, number, 4.0, 40.0))
        refunded[:: max(4, number // 100)] = NEVER
        amount = basket.quantity[line] * basket.unit_amount[line]
        return Returns(orders, line, amount, requested, received, inspected, refunded)


HAPPENINGS = (
    "placed", "approved", "label", "handed_over", "delivered", "scans", "cancelled", "hold_placed", "hold_released",
    "refunded",
)  # fmt: skip
"""What has its moment in the shop; promises are kept by the clock."""


def after_quiet(moments: Moments) -> Moments:
    """The same moments, each hour pressed into the part of it that is not quiet; their order stays."""
    hours = moments.astype("datetime64[h]").astype("datetime64[us]")
    hour = span(1.0)
    pressed: Moments = hours + QUIET + (moments - hours) * (1 - QUIET / hour)
    return pressed


def _some(timeline: Timeline, which: Mask) -> Timeline:
    return Timeline(**{field.name: getattr(timeline, field.name)[which] for field in fields(Timeline)})


def texts(column: pa.ChunkedArray) -> list[str]:
    """A column of text as Python has it."""
    found: list[str] = column.to_pylist()
    return found
