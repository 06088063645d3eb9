"""The measures at the end, worked out a second time: from the plan, what hands did, and plain SQL on the book."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from control_tower.stores.generator.clock import NEVER
from simulated.shop import so_far
from simulated.truth import moment

if TYPE_CHECKING:
    from simulated.account import Books

WEEKS = 4
LABEL, HOUR_OF_WORK, MINUTES, GOODS = 590, 2500, 10, 0.5
HOUR = np.timedelta64(3600 * 10**6, "us")
Spell = tuple[float, bool]
"""Hours, and whether it has ended."""


def measures_add_up(books: Books) -> tuple[int, list[str]]:
    """`tower measure` over four weeks says what was worked out here, measure by measure."""
    from desk.measure import measure

    with contextlib.redirect_stdout(io.StringIO()) as said:
        measure("shop", None, None, WEEKS, "lane", None, json=True)
    told = json.loads(said.getvalue())
    since, now = (np.datetime64(told[name].replace("Z", ""), "us") for name in ("since", "as_of"))
    ours = Ours(books, since, now)
    wrong = []
    page = {one["measure"]: one for one in told["together"]}
    for name, (n, value) in ours.all().items():
        there = page[name]
        same = there["value"] == value or (
            None not in (there["value"], value) and math.isclose(there["value"], value, rel_tol=1e-9, abs_tol=1e-9)
        )
        if there["n"] != n or not same:
            wrong.append(f"{name}: the page says {there['value']} of {there['n']}, the truth is {value} of {n}")
    return len(ours.all()), wrong


class Ours:
    """What each measure should be, over a window."""

    def __init__(self, books: Books, since: np.datetime64, now: np.datetime64) -> None:
        self.books, self.since, self.now = books, since, now
        self.plan, self.seen = books.week.plan, books.week.shop.seen
        self.line = books.week.shop.lived()
        # A parcel that was given up for another speaks for its order no more.
        self.handed, shop = self.line.handed_over.copy(), books.week.shop
        for parcel in books.shop(
            "SELECT order_id, handed_over_at FROM fulfillments WHERE fulfillment_id LIKE 'reship-%'"
        ):
            left = parcel["handed_over_at"]
            self.handed[shop.number[parcel["order_id"]]] = np.datetime64(left, "us") if left else NEVER

    def all(self) -> dict[str, tuple[int, float | None]]:
        """By measure: of how many, and its value."""
        return {
            "stuck_orders": self._stuck(),
            "late_shipments": self._late(),
            "late_shipment_contacts": (self._late()[0], 0.0),
            "cancellations": self._cancelled(),
            "reshipment_cost": self._reshipped(),
            "refund_leakage": self._leaked(),
            "return_receipt": lasting(self._stage("requested", "received")),
            "return_inspection": lasting(self._stage("received", "inspected")),
            "exception_time": lasting(self._cases()),
            "time_to_rule": lasting(self._ruled()),
            "overrides": self._overrides(),
            "expiries": self._expiries(),
        }

    def _within(self, moments: Any) -> Any:
        return (moments >= self.since) & (moments <= self.now)

    def _stuck(self) -> tuple[int, float | None]:
        line = self.line
        asked = self._within(line.ship_by) & ~np.isnat(line.approved) & ~(line.cancelled <= line.ship_by)
        return share(asked, np.isnat(self.handed) | (self.handed > line.ship_by))

    def _late(self) -> tuple[int, float | None]:
        return share(self._within(self.handed), self.handed > self.line.ship_by)

    def _cancelled(self) -> tuple[int, float | None]:
        return share(self._within(self.line.placed), ~np.isnat(self.line.cancelled) & np.isnat(self.handed))

    def _reshipped(self) -> tuple[int, float | None]:
        shop, approved = self.books.week.shop, self._within(self.line.approved)
        cost = 0.0
        for effect in self.books.effects:
            if (
                effect["action"] == "reship"
                and effect["state"] == "confirmed"
                and approved[shop.number[effect["order_id"]]]
            ):
                cost += (
                    LABEL + HOUR_OF_WORK * MINUTES / 60 + GOODS * self.plan.rows.totals[shop.number[effect["order_id"]]]
                )
        return int(approved.sum()), cost

    def _leaked(self) -> tuple[int, float | None]:
        """Nothing was planted that leaks: every refund is of money that was paid, after what it is for came back."""
        rows = self.books.shop("SELECT refunded_at FROM refunds")
        return sum(bool(self._within(np.datetime64(each["refunded_at"], "us"))) for each in rows), 0.0

    def _stage(self, first: str, last: str) -> list[Spell]:
        returns = self.plan.returns
        begun, ended = (so_far(getattr(returns, name), self.seen) for name in (first, last))
        counted, has = np.flatnonzero(self._within(begun)), ~np.isnat(ended)
        until = np.where(has, ended, self.now)
        return [(float((until[at] - begun[at]) / HOUR), bool(has[at])) for at in counted.tolist()]

    def _cases(self) -> list[Spell]:
        cases = [(moment(each["opened_at"]), each["closed_at"]) for each in self.books.cases]
        return [self._spell(opened, closed) for opened, closed in cases if self._within(opened)]

    def _ruled(self) -> list[Spell]:
        rows = self.books._ledger(
            "SELECT p.digest, p.standing, p.opened_at, min(r.ruled_at) AS ruled_at FROM proposals AS p"
            " LEFT JOIN rulings AS r ON r.proposal = p.digest GROUP BY p.digest, p.standing, p.opened_at"
        )
        return [
            self._spell(moment(each["opened_at"]), each["ruled_at"])
            for each in rows
            if each["ruled_at"] or each["standing"] in ("waiting", "expired")
        ]

    def _spell(self, begun: np.datetime64, ended: Any) -> Spell:
        return float(((moment(ended) if ended else self.now) - begun) / HOUR), ended is not None

    def _overrides(self) -> tuple[int, float | None]:
        rulings = self.books.rulings
        return ratio([each["verdict"] != "approve" or each["amount"] is not None for each in rulings])

    def _expiries(self) -> tuple[int, float | None]:
        return ratio([each["standing"] == "expired" for each in self.books.proposals if each["standing"] != "waiting"])


def share(under: Any, over: Any) -> tuple[int, float | None]:
    """How many are under, and which part of them is over."""
    return ratio((over & under)[under].tolist())


def ratio(flags: Sequence[bool]) -> tuple[int, float | None]:
    """How many there are, and which part of them is so."""
    return len(flags), sum(flags) / len(flags) if flags else None


def lasting(spells: Sequence[Spell]) -> tuple[int, float | None]:
    """How many there are, and the median by Kaplan and Meier."""
    alive, gone = 1.0, 0
    every, ended = Counter(hours for hours, _ in spells), Counter(hours for hours, over in spells if over)
    for hours in sorted(every):
        alive *= 1 - ended[hours] / (len(spells) - gone)
        gone += every[hours]
        if alive <= 0.5 + 1e-12:
            return len(spells), hours
    return len(spells), None
