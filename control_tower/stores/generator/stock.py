"""What the shop has of each product, as it goes well: enough of everything, counted right, and nobody asks.

What keeps a healthy product clear of every boundary:
- it lasts three times as long as more takes to arrive, at three times the speed that it sells;
- the storefront offers exactly what the warehouse counted, less what is set aside;
- what was ordered arrived, is yet to come, or is one working day late, where two are allowed;
- questions about it come no more often lately than in the weeks before.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import DAY, Generator, Mask, Moments, Numbers, span
from control_tower.stores.generator.rows import Rows

WEEKS_OF_DEMAND = 8
DAYS_OF_COVER = 45
QUICKER = 3
"""Times the speed at which a product sells."""
SAFETY_DAYS = 7
LEAD_DAYS = np.array([7, 10, 14])
DAYS_OF_QUESTIONS = 70
LATELY = 13
"""The last days of questions; on the day before them nobody asks, so that no reading of a fortnight matters."""
SELDOM = (0.02, 0.25)
"""Questions about a product a day, at least and at most."""
CALM = 0.2
"""The chance below which a healthy product's recent questions would be too many to be chance."""


class Stock:
    """Arrays with an entry for each product; plants change them in place.

    Attributes:
        speed, sale_days: units ordered a day in the eight weeks before today, and on how many days any was.
        lively: it sold on three of the last ten days.
        order, sku, units: of each open order that waits for goods, by order: its position, what, and how many.
        awaiting: units that open orders wait for.
        available, committed, safety, lead: as the newest look at the warehouses finds them.
        offered: what the storefront offers beyond what may be sold.
        counted: whether anybody looked at it.
        inbound: days until more arrives; NaN where nothing is ordered.
        overdue: working days since more should have arrived; -1 where it did.
        questions: one row for each product, one column for each day, yesterday first.
        promoted: whether a campaign is running for it besides those of the calendar.
        free: nothing was done to it yet.
    """

    def __init__(self, rows: Rows, chance: Generator) -> None:
        self.rows, self.clock, self.chance = rows, rows.clock, chance
        self._sales()
        self._waiting()
        size = shelf.SKUS
        self.safety: Numbers = np.ceil(self.speed * SAFETY_DAYS).astype(int)
        self.lead: Numbers = chance.choice(LEAD_DAYS, size)
        spare = np.ceil(DAYS_OF_COVER * np.maximum(QUICKER * self.speed, 1.0) * chance.uniform(1.0, 1.5, size))
        self.available: Numbers = self.safety + spare.astype(int)
        self.committed: Numbers = self.awaiting.copy()
        self.offered: Numbers = np.zeros(size, int)
        self.counted: Mask = np.ones(size, bool)
        self.inbound: Numbers = np.where(chance.random(size) < 0.6, chance.uniform(3.0, 12.0, size), np.nan)
        self.overdue: Numbers = np.where(chance.random(size) < 0.05, 1, -1)
        self.questions = self._questions()
        self.cancellations: Numbers = (chance.random(size) < 0.05).astype(int)
        self.recommended: Mask = chance.random(size) < 0.8
        self.ads: Mask = chance.random(size) < 0.4
        self.deny: Mask = chance.random(size) < 0.85
        self.ranking: Numbers = chance.permutation(size) + 1
        self.promoted: Mask = np.zeros(size, bool)
        self.free: Mask = np.ones(size, bool)

    def pick(self, eligible: Mask, number: int) -> Numbers:
        """So many of the eligible products that are free, by lot; they are not free any more."""
        picked: Numbers = np.sort(self.chance.permutation(np.flatnonzero(eligible & self.free))[:number])
        self.free[picked] = False
        return picked

    def _sales(self) -> None:
        timeline, basket = self.rows.timeline, self.rows.basket
        ago = ((self.clock.today - self.clock.day(timeline.placed)) / DAY).astype(int)
        counts = np.isnat(timeline.cancelled) & ~timeline.unavailable & (ago >= 1) & (ago <= WEEKS_OF_DEMAND * 7)
        of = counts[basket.order]
        sold = np.zeros((shelf.SKUS, WEEKS_OF_DEMAND * 7))
        np.add.at(sold, (basket.sku[of], ago[basket.order][of] - 1), basket.quantity[of])
        self.speed: Numbers = sold.mean(axis=1)
        self.sale_days: Numbers = (sold > 0).sum(axis=1)
        self.lively: Mask = (sold[:, :10] > 0).sum(axis=1) >= 3

    def _waiting(self) -> None:
        """Orders that were approved, and are neither cancelled nor on their way."""
        timeline, basket = self.rows.timeline, self.rows.basket
        waits = ~np.isnat(timeline.approved) & np.isnat(timeline.cancelled) & ~timeline.unavailable
        waits &= np.isnat(timeline.handed_over) & np.isnat(timeline.delivered) & ~timeline.said_delivered
        of = waits[basket.order]
        pair = basket.order[of] * shelf.SKUS + basket.sku[of]
        pairs, number = np.unique(pair, return_inverse=True)
        self.order: Numbers = pairs // shelf.SKUS
        self.sku: Numbers = pairs % shelf.SKUS
        self.units: Numbers = np.bincount(number, basket.quantity[of], len(pairs)).astype(int)
        self.awaiting: Numbers = np.bincount(self.sku, self.units, shelf.SKUS).astype(int)

    def beyond(self, sku: int, on_hand: int) -> Numbers:
        """The positions of the orders of a product that its stock can't serve, who came first being served first."""
        mine = self.sku == sku
        return np.asarray(self.order[mine][np.cumsum(self.units[mine]) > on_hand])

    def _questions(self) -> Numbers:
        from scipy.special import bdtrc

        rate = self.chance.uniform(*SELDOM, shelf.SKUS)
        asked = self.chance.poisson(rate[:, None], (shelf.SKUS, DAYS_OF_QUESTIONS))
        asked[:, LATELY] = 0
        recent, all_asked = asked[:, :LATELY].sum(axis=1), asked.sum(axis=1)
        restless = (recent > 0) & (bdtrc(recent - 1.0, all_asked, 14 / DAYS_OF_QUESTIONS) < CALM)
        asked[restless, :LATELY] = 0
        return asked

    def days_ago(self, days: Numbers | int, hour: float) -> Moments:
        """An hour of the shop's day so many days ago."""
        return self.clock.at(self.clock.today - np.atleast_1d(np.asarray(days)).astype("timedelta64[D]"), hour)

    def in_days(self, days: Numbers) -> Moments:
        """The moment so many days from now."""
        return self.clock.now + span(days * 24)
