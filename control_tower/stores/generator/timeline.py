"""The life of every order as it goes well, drawn all at once, and then cut off at `as_of`.

What keeps a healthy order clear of every boundary:
- it is handed over a working day before its ship-by, and delivered a working day before its deliver-by;
- it is approved within 30 hours, where 48 are allowed;
- its scans are never further apart than a working day less than its service allows;
- a label waits for its first scan for a working day at most, and never most of a carrier's labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import (
    DAY,
    NEVER,
    Clock,
    Days,
    Generator,
    Mask,
    Moments,
    Numbers,
    between,
    span,
    within,
)

LABEL, FIRST, HUB, NEXT_HUB, OUT, ARRIVED, AFTER = range(7)
"""The scans that a parcel can have, in order; the last, after delivery, only by mistake."""
CODES = (
    "pre_transit",
    "in_transit",
    "in_transit",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "in_transit",
)


@dataclass
class Timeline:
    """Arrays with an entry for each order, in order of `placed`; plants change them in place."""

    placed: Moments
    method: Numbers
    approved: Moments
    carrier: Numbers
    service: Numbers
    warehouse: Numbers
    ship_by: Moments
    deliver_by: Moments
    label: Moments
    handed_over: Moments
    delivered: Moments
    scans: Moments
    """One row for each order, one column for each of CODES."""
    pickup: Numbers
    """Number of the missed pick-up that an order belongs to, or -1."""
    cancelled: Moments
    hold_placed: Moments
    hold_released: Moments
    refunded: Moments
    refund_share: Numbers
    """Of the total, 0 to 1, paid back at `refunded`."""
    unavailable: Mask
    voided: Mask
    """The label was cancelled."""
    said_delivered: Mask
    """The parcel is called delivered, whatever else is known."""

    def __len__(self) -> int:
        return len(self.placed)

    def no_scans_from(self, scan: int, which: Numbers) -> None:
        """No such scan of these orders, none after it, and no delivery."""
        self.scans[which, scan:] = NEVER
        self.delivered[which] = NEVER

    def never_shipped(self, which: Numbers) -> None:
        """No parcel at all."""
        self.label[which] = self.handed_over[which] = NEVER
        self.no_scans_from(LABEL, which)

    def never_approved(self, which: Numbers) -> None:
        """No payment, so no promise and no parcel."""
        self.approved[which] = self.ship_by[which] = self.deliver_by[which] = NEVER
        self.never_shipped(which)


@dataclass(frozen=True)
class Pickup:
    """A pick-up that will be missed: who, when, where, and how many orders are placed for it."""

    carrier: int
    warehouse: int
    day: np.datetime64
    orders: int


def choose_pickups(number: int, clock: Clock, chance: Generator) -> list[Pickup]:
    """Pick-ups to be missed, each on a working day of its own, five days ago or more."""
    days = clock.working_days_ago(5 + 2 * np.arange(number))
    carriers = chance.integers(0, len(shelf.CARRIERS), number)
    warehouses = chance.integers(0, len(shelf.WAREHOUSES), number)
    orders = chance.integers(8, 15, number)
    return [Pickup(*missed) for missed in zip(carriers, warehouses, days, orders, strict=True)]


def draw(orders: int, days: int, pickups: list[Pickup], clock: Clock, chance: Generator) -> Timeline:
    """Draw the timelines of so many orders, every one of them healthy, cut off at `as_of`.

    Args:
        days: how far back they go.
        pickups: orders are placed for each of these, on the morning of its day.
    """
    placed, pickup = _placed(orders, days, pickups, clock, chance)
    method = np.where(pickup >= 0, 0, chance.choice(3, orders, p=shelf.METHOD_SHARES))
    least, most = shelf.APPROVAL_HOURS[method].T
    approved = placed + span(chance.uniform(least, most))
    carrier, service, warehouse = _routes(pickups, pickup, chance)
    timeline = Timeline(
        placed=placed,
        method=method,
        approved=approved,
        carrier=carrier,
        service=service,
        warehouse=warehouse,
        pickup=pickup,
        **_shipping(approved, service, pickup, clock, chance),
        **_nothing_else(orders),
    )
    _cut_off(timeline, clock.now)
    _thin_fresh_labels(timeline, clock)
    return timeline


def group_of(timeline: Timeline, clock: Clock) -> Numbers:
    """A number for each carrier, day of label and warehouse; -1 without a label."""
    unlabelled = np.isnat(timeline.label)
    day = clock.day(np.where(unlabelled, clock.now, timeline.label)).astype(int)
    route = timeline.carrier * len(shelf.WAREHOUSES) + timeline.warehouse
    return np.where(unlabelled, -1, day * 100 + route)


def _placed(orders: int, days: int, pickups: list[Pickup], clock: Clock, chance: Generator) -> tuple[Moments, Numbers]:
    """When orders were placed, by the rhythm of day and week, and which pick-up they were placed for."""
    hours = clock.now - span(np.arange(days * 24, 0, -1))
    wall = clock.wall(hours)
    hour = wall.astype("datetime64[h]").astype(int) % 24
    weekday = (wall.astype("datetime64[D]").astype(int) + 3) % 7
    busy = shelf.HOURS[hour] * shelf.WEEKDAYS[weekday] * np.linspace(1.0, 1.25, len(hours))
    placed = chance.choice(hours, orders, p=busy / busy.sum()) + span(chance.integers(0, 3600, orders) / 3600)
    pickup = np.full(orders, -1)
    chosen = chance.choice(orders, sum(missed.orders for missed in pickups), replace=False)
    pickup[chosen] = np.repeat(np.arange(len(pickups)), [missed.orders for missed in pickups])
    for number, missed in enumerate(pickups):
        morning = np.full(missed.orders, missed.day)
        placed[pickup == number] = clock.at(morning, chance.uniform(5.0, 10.0, missed.orders))
    in_order = np.argsort(placed, kind="stable")
    return placed[in_order], pickup[in_order]


def _routes(pickups: list[Pickup], pickup: Numbers, chance: Generator) -> tuple[Numbers, Numbers, Numbers]:
    """Carrier, service and warehouse of each order."""
    carrier = chance.choice(len(shelf.CARRIERS), len(pickup), p=shelf.CARRIER_SHARES)
    warehouse = chance.choice(len(shelf.WAREHOUSES), len(pickup), p=shelf.WAREHOUSE_SHARES)
    for number, missed in enumerate(pickups):
        carrier[pickup == number] = missed.carrier
        warehouse[pickup == number] = missed.warehouse
    cumulative = shelf.SERVICE_SHARES.cumsum(axis=1)[carrier]
    service = (chance.random(len(pickup))[:, None] >= cumulative).sum(axis=1)
    return carrier, np.minimum(service, shelf.ECONOMY), warehouse


def _shipping(
    approved: Moments, service: Numbers, pickup: Numbers, clock: Clock, chance: Generator
) -> dict[str, Moments]:
    """Promises, label, hand-over, scans and delivery that follow from an approval."""
    wall = clock.wall(approved)
    hour = wall.astype("datetime64[h]").astype(int) % 24
    accepted = clock.working_day(wall.astype("datetime64[D]") + (hour >= shelf.CUT_OFF_HOUR) * DAY)
    handling = np.where(chance.random(len(approved)) < 0.3, 2, 1)
    ship_day = clock.working_day(accepted, handling)
    waits = (handling == 2) & (chance.random(len(approved)) < 0.4) & (pickup < 0)
    label_day = clock.working_day(accepted, waits.astype(int))
    label = _label(approved, label_day, clock, chance)
    overnight = (handling == 2) & ~waits & (chance.random(len(approved)) < 0.05)
    handed_over = _hand_over(label, label_day, overnight, clock, chance)
    scans = _scans(label, handed_over, service, clock, chance)
    deliver_day = clock.working_day(ship_day, shelf.PROMISED_DAYS[service])
    return {
        "ship_by": clock.at(ship_day, shelf.SHIP_BY_HOUR),
        "deliver_by": clock.end_of(deliver_day),
        "label": label,
        "handed_over": handed_over,
        "delivered": scans[:, ARRIVED].copy(),
        "scans": scans,
    }


def _label(approved: Moments, day: Days, clock: Clock, chance: Generator) -> Moments:
    """Printed between eight and four, and after the approval."""
    opens = np.maximum(clock.at(day, 8.0), approved + span(1 / 6))
    return between(opens, clock.at(day, 16.0), chance.random(len(day)))


def _hand_over(label: Moments, day: Days, overnight: Mask, clock: Clock, chance: Generator) -> Moments:
    """At noon, or at five for labels of the afternoon; a few wait for the next noon."""
    noon = overnight | (label < clock.at(day, 11.5))
    day = clock.working_day(day, overnight.astype(int))
    return clock.at(day, np.where(noon, 12.0, 17.0)) + within(chance, len(day), 0.0, 1.0)


def _scans(label: Moments, handed_over: Moments, service: Numbers, clock: Clock, chance: Generator) -> Moments:
    """Four to six scans a parcel, in order."""
    orders = len(label)
    least, most = shelf.TRANSIT_DAYS[service].T
    day = clock.working_day(clock.day(handed_over), chance.integers(least, most + 1))
    scans = np.full((orders, len(CODES)), NEVER)
    scans[:, LABEL] = label + within(chance, orders, 0.02, 0.2)
    scans[:, FIRST] = handed_over + within(chance, orders, 0.1, 1.0)
    scans[:, OUT] = clock.at(day, chance.uniform(7.0, 8.75, orders))
    scans[:, ARRIVED] = clock.at(day, chance.uniform(9.0, 18.0, orders))
    hubs = chance.choice(3, orders, p=(0.10, 0.35, 0.55))
    for column, least_hubs, soonest in ((HUB, 1, 0.20), (NEXT_HUB, 2, 0.55)):
        passed = between(scans[:, FIRST], scans[:, OUT], soonest + 0.25 * chance.random(orders))
        scans[:, column] = np.where(hubs >= least_hubs, passed, NEVER)
    return scans


def _nothing_else(orders: int) -> dict[str, Numbers]:
    """No cancellation, hold, refund, voided label or false word."""
    moments = ("cancelled", "hold_placed", "hold_released", "refunded")
    flags = ("unavailable", "voided", "said_delivered")
    return {
        **{name: np.full(orders, NEVER) for name in moments},
        **{name: np.zeros(orders, bool) for name in flags},
        "refund_share": np.zeros(orders),
    }


def _cut_off(timeline: Timeline, now: np.datetime64) -> None:
    """Forget everything that is still to come; promises are made at the approval."""
    for name in ("approved", "label", "handed_over", "delivered", "scans"):
        moments = getattr(timeline, name)
        moments[moments > now] = NEVER
    unapproved = np.isnat(timeline.approved)
    timeline.ship_by[unapproved] = timeline.deliver_by[unapproved] = NEVER


def _thin_fresh_labels(timeline: Timeline, clock: Clock) -> None:
    """Leave one label without a scan for two with one, or two in all, by carrier, day and warehouse.

    The others are printed later: fresh labels would otherwise look like a pick-up that was missed.
    """
    group = group_of(timeline, clock)
    labelled = np.flatnonzero(group >= 0)
    scanned = ~np.isnat(timeline.scans[labelled, FIRST])
    _, number = np.unique(group[labelled], return_inverse=True)
    allowed = np.maximum(np.bincount(number, scanned) // 2, 2)
    fresh = np.flatnonzero(~scanned)
    timeline.never_shipped(labelled[fresh[rank_in_group(number[fresh]) >= allowed[number[fresh]]]])


def rank_in_group(group: Numbers) -> Numbers:
    """0 for the first entry of each group, 1 for the second, and so on, in order of appearance."""
    by_group = np.argsort(group, kind="stable")
    ordered = group[by_group]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.array([], int)
    rank = np.empty(len(group), int)
    rank[by_group] = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    return rank
