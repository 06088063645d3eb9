"""What becomes of a returned line as it goes well, drawn all at once, and cut off at `as_of`.

What keeps a healthy return clear of every boundary:
- it is asked for within 28 days of delivery, where 30 are given;
- it is looked at on the working day after it arrived at the latest, where three are given;
- it is repaid within two working days of that, where five are given.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from control_tower.stores.generator.clock import DAY, NEVER, Clock, Generator, Mask, Moments, Numbers, span, within

NOT_YET = -1
"""The reason of a returned line before one is drawn."""
LATEST_DAY = 28.0
EVENTS = ("approved", "received", "inspected", "refunded", "refunded_again", "rejected", "cancelled")


@dataclass
class Steps:
    """When returns are approved, received, inspected and repaid; arrays with an entry for each."""

    approved: Moments
    received: Moments
    inspected: Moments
    refunded: Moments

    def take(self, which: Numbers) -> Steps:
        """The steps of some."""
        return Steps(self.approved[which], self.received[which], self.inspected[which], self.refunded[which])


@dataclass
class Returned:
    """Arrays with an entry for each returned line; plants change them in place."""

    line: Numbers
    """The position of the order line."""
    quantity: Numbers
    requested: Moments
    approved: Moments
    received: Moments
    inspected: Moments
    refunded: Moments
    refunded_again: Moments
    rejected: Moments
    cancelled: Moments
    share: Numbers
    """What goes back first, of what is owed."""
    share_again: Numbers
    """And what goes back at `refunded_again`."""
    reason: Numbers
    """The number of its reason, or NOT_YET."""
    faultless: Mask
    """It comes back for nothing that the shop did wrong."""
    not_the_item: Mask
    whole: Mask
    """The whole order comes back."""

    def __len__(self) -> int:
        return len(self.line)

    def take(self, which: Numbers) -> Returned:
        """Some of them; one may be taken several times."""
        return Returned(**{each.name: getattr(self, each.name)[which] for each in fields(self)})

    def nothing_from(self, event: str) -> None:
        """No such event, and none of those that follow when all goes well."""
        for each in EVENTS[EVENTS.index(event) : EVENTS.index("refunded") + 1]:
            getattr(self, each)[:] = NEVER

    def cut_off(self, now: np.datetime64) -> None:
        """Forget everything that is still to come."""
        for each in EVENTS:
            moments = getattr(self, each)
            moments[moments > now] = NEVER


def returned(line: Numbers, quantity: Numbers, requested: Moments, steps: Steps) -> Returned:
    """Lines that go well, all their pieces, without a reason yet."""
    size = len(line)
    return Returned(
        line=line.copy(),
        quantity=quantity.copy(),
        requested=requested.copy(),
        **{name: moments.copy() for name, moments in vars(steps).items()},
        **{name: np.full(size, NEVER) for name in EVENTS[4:]},
        share=np.ones(size),
        share_again=np.zeros(size),
        reason=np.full(size, NOT_YET),
        **{name: np.zeros(size, bool) for name in ("faultless", "not_the_item", "whole")},
    )


def all_of(blocks: list[Returned]) -> Returned:
    """Blocks of returned lines as one, in their order."""
    return Returned(**{each.name: np.concatenate([getattr(b, each.name) for b in blocks]) for each in fields(Returned)})


def asked_for(delivered: Moments, chance: Generator) -> Moments:
    """Some hours to four weeks after delivery, most in the first two."""
    days = 0.3 + (LATEST_DAY - 0.3) * chance.beta(1.2, 2.8, len(delivered))
    return delivered + span(days * 24)


def go_well(requested: Moments, clock: Clock, chance: Generator) -> Steps:
    """Approved within a day, back in one to five working days, looked at and repaid in the days after."""
    size = len(requested)
    approved = requested + within(chance, size, 0.05, 20.0)
    received_on = clock.working_day(clock.day(approved) + DAY, chance.integers(1, 6, size))
    received = clock.at(received_on, chance.uniform(8.0, 12.0, size))
    inspected_on = clock.working_day(received_on, chance.integers(0, 2, size))
    inspected = clock.at(inspected_on, chance.uniform(13.0, 15.5, size))
    refunded_on = clock.working_day(inspected_on, chance.integers(0, 3, size))
    return Steps(approved, received, inspected, clock.at(refunded_on, chance.uniform(16.0, 18.0, size)))
