"""What goes wrong with stock, each fault clear of every boundary, and what is then true of products and orders."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Mask, Numbers
from control_tower.stores.generator.stock import LATELY, Stock
from control_tower.stores.generator.truth import STOCK_KINDS, Rates

OFTEN = 20
"""So many of 56 days with a sale, and three of the last ten, make a speed, by any fair estimate."""
SPARE_DAYS = 0.1
"""What is left lasts this share of the days until more arrives."""
LATE = (5, 12)
"""Working days since a delivery should have arrived, at least and at most; two are allowed."""
MANY_QUESTIONS = (26, 40)


class Plants:
    """Plants in one shop's stock, and what holds then: kind -> names of products, and of products and orders."""

    def __init__(self, stock: Stock, calendar: Numbers) -> None:
        self.stock = stock
        self.holds: dict[str, set[str]] = {kind: set() for kind in STOCK_KINDS}
        self.unstocked: set[str] = set()
        # What the campaign calendar promotes stays as it is.
        stock.free[calendar] = False

    def all(self, rates: Rates) -> None:
        """Plant everything, the scarcest first."""
        self.oversold(rates.oversell)
        self.promoted_and_gone(rates.stockout_while_promoted)
        self.too_little(rates.cover_below_inbound)
        self.never_counted(rates.unstocked)
        self.late(rates.late_replenishment)
        self.miscounted(rates.stock_mismatch)
        self.asked_about(rates.rising_availability_questions)

    def truth(self) -> dict[str, tuple[str, ...]]:
        """Kind -> sorted names."""
        return {kind: tuple(sorted(names)) for kind, names in self.holds.items()}

    @property
    def _sells(self) -> Mask:
        return (self.stock.sale_days >= OFTEN) & self.stock.lively

    def _true(self, which: Numbers, kind: str) -> None:
        self.holds[kind] |= set(names_of(which))

    def oversold(self, number: int) -> None:
        """Half of what was promised is there; the next delivery is weeks away, or none is ordered.

        As much again is sold on backorder, which is no oversell, though it is short of stock.
        """
        stock = self.stock
        picked = stock.pick(self._sells & (stock.awaiting >= 4), 2 * number)
        denied = stock.deny[picked] = np.arange(len(picked)) % 2 == 0
        on_hand = stock.awaiting[picked] // 2
        stock.available[picked] = on_hand - stock.awaiting[picked]
        stock.inbound[picked] = np.where(np.arange(len(picked)) % 4 < 2, 20.0, np.nan)
        self._true(picked, "cover_below_inbound")
        self._true(picked[denied], "oversell")
        ids = stock.rows.ids
        for sku, there in zip(picked[denied], on_hand[denied], strict=True):
            orders = ids.take(pa.array(stock.beyond(int(sku), int(there)))).to_pylist()
            self.holds["oversell"] |= {f"{name} of order {order}" for name in names_of([sku]) for order in orders}

    def promoted_and_gone(self, number: int) -> None:
        """All that is there is promised, and a campaign runs."""
        stock = self.stock
        picked = stock.pick(self._sells, number)
        stock.available[picked] = 0
        stock.promoted[picked] = stock.ads[picked] = stock.recommended[picked] = True
        self._true(picked, "cover_below_inbound")
        self._true(picked, "stockout_while_promoted")

    def too_little(self, number: int) -> None:
        """It lasts for a tenth of the days until more arrives."""
        stock = self.stock
        picked = stock.pick(self._sells, number)
        days = stock.chance.uniform(10.0, 14.0, len(picked))
        spare = np.floor(SPARE_DAYS * days * stock.speed[picked]).astype(int)
        stock.available[picked] = stock.safety[picked] + spare
        stock.inbound[picked] = days
        self._true(picked, "cover_below_inbound")

    def never_counted(self, number: int) -> None:
        """Products that sell, and of which there is no stock row; the first waits for a late delivery, too."""
        stock = self.stock
        picked = stock.pick(self._sells, number)
        stock.counted[picked] = False
        stock.deny[picked] = True
        stock.overdue[picked] = -1
        stock.overdue[picked[:1]] = LATE[0]
        self._true(picked[:1], "late_replenishment")
        self.unstocked = set(names_of(picked))

    def late(self, number: int) -> None:
        """Deliveries that did not arrive."""
        stock = self.stock
        picked = stock.pick(np.ones(shelf.SKUS, bool), number)
        stock.overdue[picked] = stock.chance.integers(LATE[0], LATE[1] + 1, len(picked))
        self._true(picked, "late_replenishment")

    def miscounted(self, number: int) -> None:
        """The storefront offers a third more than there is, or a third less."""
        stock = self.stock
        picked = stock.pick(np.ones(shelf.SKUS, bool), number)
        off = np.ceil((stock.available + stock.committed)[picked] / 3).astype(int)
        stock.offered[picked] = np.where(np.arange(len(picked)) % 2 == 0, off, -off)
        self._true(picked, "stock_mismatch")

    def asked_about(self, number: int) -> None:
        """Within a fortnight, more questions than in months before."""
        stock = self.stock
        picked = stock.pick(np.ones(shelf.SKUS, bool), number)
        for sku, many in zip(picked, stock.chance.integers(*MANY_QUESTIONS, len(picked)), strict=True):
            days = stock.chance.integers(0, LATELY, many)
            stock.questions[sku, :LATELY] = np.bincount(days, minlength=LATELY)
        stock.cancellations[picked[:1]] = 4
        self._true(picked, "rising_availability_questions")


def names_of(which: Numbers | list[int]) -> list[str]:
    """Products by number."""
    return [f"SKU-{code + 1:03}" for code in which]
