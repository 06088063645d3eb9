"""The scene that returns are planted in: who may send what back, and what was sent back so far.

Only orders that arrived, and that nothing else was done to, are touched. But for those planted as repeat
returners, a customer sends back of one order only, three lines at most and, of three orders or more, a
third of what they bought: far from the share, and the number of returns, that would make them one.
"""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import DAY, Mask, Moments, Numbers
from control_tower.stores.generator.exposure import by_days, by_sales
from control_tower.stores.generator.returned import Returned, asked_for, go_well, returned
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.truth import RETURN_KINDS

MOST_LINES = 3
FEW_ORDERS = 2
"""Of so many orders, a share of returns says nothing of a customer."""
SHARE = 0.34
"""Of the lines that reached any other customer, at most so many come back."""
STEADY = 0.15
"""Of what can come back of a product in a quarter, so much can lately, at least: one return is no surprise."""
QUARTER = 90


class ReturnScene:
    """Candidates are the orders that may be touched; arrays have an entry for each, and picks are positions there.

    Attributes:
        order: the position of each candidate's order.
        requested, steps: how its return would go well.
        line: a line of it that may come back; `amount` is what was paid for it, `total` for the order.
        lately: for each product, how much of it could come back in the last fortnight, at least.
        whole: whether all its lines may come back at once.
        free: neither it nor another order of its customer was picked yet.
        blocks, holds: what was sent back, and which of RETURN_KINDS hold for it.
    """

    def __init__(self, sold: Scene, rows: Rows) -> None:
        self.sold, self.rows = sold, rows
        self.timeline, self.clock, self.chance = sold.timeline, sold.clock, sold.chance
        self.amounts: Numbers = rows.basket.quantity * rows.basket.unit_amount
        self.lines_of: Numbers = np.bincount(rows.basket.order, minlength=len(self.timeline))
        self.first_line: Numbers = np.cumsum(self.lines_of) - self.lines_of
        sold_in = (rows.basket, self.timeline.placed, self.clock.now)
        self.lately: Numbers = np.minimum(by_sales(*sold_in), by_days(*sold_in))
        quarters = (self.clock.now - self.timeline.placed.min()) / (QUARTER * DAY)
        self.returnable: Mask = ~rows.basket.final_sale & (self.lately >= STEADY / max(1.0, quarters))[rows.basket.sku]
        some = np.bincount(rows.basket.order, self.returnable, len(self.timeline)) > 0
        self.order: Numbers = np.flatnonzero(sold.free & some & ~np.isnat(self.timeline.delivered))
        self.delivered: Moments = self.timeline.delivered[self.order]
        self.requested = asked_for(self.delivered, self.chance)
        self.steps = go_well(self.requested, self.clock, self.chance)
        self.line = self._one_line()
        self.amount, self.total = self.amounts[self.line], rows.totals[self.order]
        self.whole = self._whole()
        self.blocks: list[Returned] = []
        self.holds: list[Mask] = []
        self.know_the_customers()

    def know_the_customers(self) -> None:
        """Count what each customer bought; again when orders changed hands."""
        _, customer = np.unique(self.rows.customers, return_inverse=True)
        lines = np.bincount(customer, self.lines_of * ~np.isnat(self.timeline.delivered))
        few = np.bincount(customer) <= FEW_ORDERS
        allowed = np.where(few, MOST_LINES, np.minimum(np.floor(lines * SHARE), MOST_LINES))
        self.customer: Numbers = customer[self.order]
        self.whole &= self.lines_of[self.order] <= allowed[self.customer]
        self.free: Mask = self.sold.free[self.order] & (allowed[self.customer] >= 1)

    def pick(self, eligible: Mask, share: float) -> Numbers:
        """A share of all orders, from the eligible candidates that are free; at least one if it can be.

        Returns:
            Candidates of as many customers, none of whom is picked again.
        """
        return self.pick_so_many(eligible, max(1, round(share * len(self.timeline))) if share > 0 else 0)

    def pick_so_many(self, eligible: Mask, wanted: int) -> Numbers:
        """As `pick`, by number."""
        pool = self.chance.permutation(np.flatnonzero(eligible & self.free))
        _, one_of_each = np.unique(self.customer[pool], return_index=True)
        picked: Numbers = np.sort(pool[np.sort(one_of_each)[:wanted]])
        self.free &= ~np.isin(self.customer, self.customer[picked])
        self.sold.take(self.order[picked])
        return picked

    def send_back(self, picked: Numbers, requested: Moments | None = None) -> Returned:
        """One line of each; asked for at other moments than was drawn when these are given."""
        line = self.line[picked]
        quantity = self.rows.basket.quantity[line]
        if requested is None:
            return returned(line, quantity, self.requested[picked], self.steps.take(picked))
        return returned(line, quantity, requested, go_well(requested, self.clock, self.chance))

    def send_all_back(self, picked: Numbers, requested: Moments | None = None) -> Returned:
        """Every line of each, in one parcel."""
        order = self.order[picked]
        again = np.repeat(np.arange(len(picked)), self.lines_of[order])
        block = self.send_back(picked, requested).take(again)
        block.line = self.first_line[order][again] + np.arange(len(again)) - np.searchsorted(again, again)
        block.quantity = self.rows.basket.quantity[block.line]
        block.whole[:] = True
        return block

    def add(self, block: Returned, *kinds: str) -> None:
        """These lines come back, and these kinds hold for them."""
        self.blocks.append(block)
        self.holds.append(np.tile([kind in kinds for kind in RETURN_KINDS], (len(block), 1)))

    def _one_line(self) -> Numbers:
        """A returnable line of each candidate, by lot."""
        order = self.rows.basket.order
        by_lot: Numbers = np.lexsort((self.chance.random(len(order)) + ~self.returnable, order))
        return by_lot[self.first_line[self.order]]

    def _whole(self) -> Mask:
        """All lines are returnable, and no two of the same amount: their refunds would look like one paid twice."""
        order = self.rows.basket.order
        by_amount = np.lexsort((self.amounts, order))
        twins = (np.diff(self.amounts[by_amount]) == 0) & (np.diff(order[by_amount]) == 0)
        kept = np.bincount(order, ~self.returnable, len(self.lines_of))
        kept += np.bincount(order[by_amount][1:], twins, len(self.lines_of))
        return np.asarray(kept[self.order] == 0)
