"""Subscriptions as they go well: who has them, what they cost, what pays, and what was charged so far.

What keeps a healthy subscription clear of every boundary: its card is good for two months after the next
charge, what was charged was paid, and where it was not, the subscription is cancelled or paused and ships
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from control_tower.stores.generator.clock import DAY, NEVER, Clock, Generator, Mask, Moments, Numbers, span

PLANS = np.array(["coffee-monthly", "razor-monthly", "snack-box", "membership"])
PLAN_SHARES = (0.40, 0.25, 0.20, 0.15)
PLAN_AMOUNTS = np.array([2490, 1290, 3490, 990])
MEMBERSHIP = 3
"""The plan that ships nothing."""
METHODS = np.array(["card", "bank_debit", "wallet", "none"])
METHOD_SHARES = (0.72, 0.18, 0.10)
CARD, NOTHING = 0, 3
COUNTRIES = np.array(["DE", "AT", "NL", "IN"])
COUNTRY_SHARES = (0.85, 0.08, 0.05, 0.02)
INDIA = 3
STATUSES = np.array(["active", "past_due", "unpaid", "paused", "cancelled"])
ACTIVE, PAST_DUE, UNPAID, PAUSED, CANCELLED = range(5)
STATUS_SHARES = (0.88, 0.0, 0.0, 0.04, 0.08)
SOFT = np.array(["insufficient_funds", "do_not_honor", "generic_decline", "try_again_later", "expired_card"])
HARD = np.array(["stolen_card", "lost_card", "incorrect_number", "revocation_of_authorization"])
CODES = np.concatenate([SOFT, HARD])
NO_CODE = -1
PERIOD = 30 * DAY
SUBSCRIBERS = 0.12
"""So many subscriptions for each order."""


@dataclass
class Subscribed:
    """Arrays with an entry for each subscription; plants change them in place."""

    customer: Numbers
    plan: Numbers
    status: Numbers
    started: Moments
    cancelled: Moments
    next_charge: Moments
    next_ship: Moments
    next_order: Numbers
    """The position of the order that the next shipment is, or -1."""
    method: Numbers
    country: Numbers
    expires: Moments
    periods: Numbers
    """How often it was charged, the last time 30 days before the next."""
    attempts: Numbers
    """Of its last invoice; what was never refused was tried once."""
    code: Numbers
    """Why the last invoice is not paid, or NO_CODE where it is."""
    last_attempt: Moments
    next_attempt: Moments
    paid_too_early: Mask

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def charged(self) -> Moments:
        """When its last invoice was made."""
        return self.next_charge - PERIOD

    @property
    def running(self) -> Mask:
        """Neither paused nor cancelled."""
        return self.status < PAUSED

    def refuse(self, which: Numbers, code: Numbers, attempts: Numbers, now: np.datetime64, share: Numbers) -> None:
        """Leave the last invoice unpaid: refused with this code, and tried last at a share of the time since."""
        charged = self.charged[which] + span(1.0)
        self.code[which], self.attempts[which] = code, attempts
        self.last_attempt[which] = charged + ((now - span(1.0) - charged) * share).astype("timedelta64[s]")

    def subset(self, which: Numbers) -> Subscribed:
        """Some of them."""
        return Subscribed(**{each.name: getattr(self, each.name)[which] for each in fields(self)})


def subscribe(customers: Numbers, orders: Numbers, ships: Moments, clock: Clock, chance: Generator) -> Subscribed:
    """One healthy subscription for each of these customers.

    Args:
        customers: their numbers, each once.
        orders: the position of the order that is their next shipment, or -1.
        ships: when that order is promised to leave; NaT without one.
    """
    size, now = len(customers), clock.now
    has_order = orders >= 0
    plan = chance.choice(len(PLANS), size, p=PLAN_SHARES)
    plan = np.where(has_order & (plan == MEMBERSHIP), 0, plan)
    status = np.where(has_order, ACTIVE, chance.choice(len(STATUSES), size, p=STATUS_SHARES))
    next_charge = now + span(chance.uniform(0.2, 28.5, size) * 24)
    periods = chance.integers(2, 24, size)
    charged = next_charge - PERIOD
    gone = status == CANCELLED
    later = now + span(chance.uniform(5.0, 28.0, size) * 24)
    ships_nothing = gone | (status == PAUSED) | (plan == MEMBERSHIP)
    method = chance.choice(len(METHODS) - 1, size, p=METHOD_SHARES)
    made = Subscribed(
        customer=customers,
        plan=plan,
        status=status,
        started=next_charge - periods * PERIOD,
        cancelled=np.where(gone, charged + ((now - charged) * 0.8).astype("timedelta64[s]"), NEVER),
        next_charge=next_charge,
        next_ship=np.where(has_order, ships, np.where(ships_nothing, NEVER, later)),
        next_order=orders.copy(),
        method=method,
        country=chance.choice(len(COUNTRIES), size, p=COUNTRY_SHARES),
        expires=np.where(method == CARD, month_start(now, chance.integers(3, 48, size)), NEVER),
        periods=periods,
        attempts=np.ones(size, int),
        code=np.full(size, NO_CODE),
        last_attempt=charged + span(1.0),
        next_attempt=np.full(size, NEVER),
        paid_too_early=np.zeros(size, bool),
    )
    # What a cancelled or paused one still owes is nobody's to look at here.
    owing = np.flatnonzero((made.status >= PAUSED) & (chance.random(size) < 0.4))
    soft = chance.integers(0, len(SOFT), len(owing))
    made.refuse(owing, soft, chance.integers(3, 9, len(owing)), now, chance.uniform(0.2, 0.7, len(owing)))
    return made


def month_start(now: np.datetime64, months: Numbers | int) -> Moments:
    """The first moment of a month (UTC), so many months after this one."""
    month = now.astype("datetime64[M]") + np.asarray(months)
    return np.asarray(month.astype("datetime64[us]"))
