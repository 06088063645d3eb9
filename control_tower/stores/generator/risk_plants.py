"""What a reviewer should see of who placed orders, each clear of every boundary, and what is then true of them.

Nothing of an order as a parcel is changed: only what was written down of who placed it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator import identities as who
from control_tower.stores.generator.clock import NEVER, Generator, Mask, Moments, Numbers, between, span, within
from control_tower.stores.generator.gatherings import CARD, Gathering, Shares
from control_tower.stores.generator.identities import Identities, fresh
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.truth import FRAUD_KINDS, Rates

OF_NOBODY = 2**33
"""From here on, customers' numbers that no other customer has."""
FEW = 5
"""One device, or one account in an hour, may have so many orders before one."""


class RiskScene:
    """Arrays with an entry for each order; plants change them in place.

    Attributes:
        holds: one row for each order, one column for each of FRAUD_KINDS.
        free: nothing was planted in it, so far.
        changed, contacted, disputed: when its address was changed, somebody wrote, its payment was disputed.
        moved: the change was to another address; else it was the same again.
        matches: who wrote knew what the customer knows.
        unrecognized: the cardholder did not know of it; else it did not arrive, or was not as told.
    """

    def __init__(self, sold: Scene, rows: Rows, sent_to: pa.ChunkedArray, chance: Generator) -> None:
        self.sold, self.rows, self.chance = sold, rows, chance
        self.timeline, self.now = sold.timeline, sold.clock.now
        size = len(self.timeline)
        country: Numbers = pc.index_in(sent_to, pa.array(shelf.COUNTRIES.tolist())).to_numpy()
        self.who = Identities(rows.customers, self.timeline.placed, self.timeline.method, country, chance)
        self.holds: Mask = np.zeros((size, len(FRAUD_KINDS)), bool)
        self.free: Mask = np.ones(size, bool)
        gone = ~np.isnat(self.timeline.cancelled) | self.timeline.unavailable
        self.arrived: Mask = ~np.isnat(self.timeline.delivered)
        self.reviewable: Mask = ~gone & ~self.arrived & ~self.timeline.said_delivered
        self.changed, self.contacted, self.disputed = (np.full(size, NEVER) for _ in range(3))
        self.moved, self.unrecognized = np.zeros(size, bool), np.zeros(size, bool)
        self.matches: Mask = np.ones(size, bool)
        _, which, orders = np.unique(rows.customers, return_inverse=True, return_counts=True)
        self.only_order: Mask = orders[which] == 1

    def true(self, which: Numbers | Mask, *kinds: str) -> None:
        """Say that kinds hold for orders."""
        for kind in kinds:
            self.holds[which, FRAUD_KINDS.index(kind)] = True

    def pick(self, eligible: Mask, share: float) -> Numbers:
        """A share of all orders, from the eligible ones that are free; at least one if it can be."""
        wanted = max(1, round(share * len(self.free))) if share > 0 else 0
        pool = np.flatnonzero(eligible & self.free)
        picked: Numbers = np.sort(self.chance.choice(pool, min(wanted, len(pool)), replace=False))
        self.free[picked] = False
        return picked

    def to_review(self, hours: float = 1.0) -> Mask:
        """Orders that may still be held, placed so many hours ago or more."""
        return self.reviewable & (self.timeline.placed <= self.now - span(hours))

    def since(self, which: Numbers) -> Moments:
        """A moment between each order and now."""
        last = np.full(len(which), self.now)
        return between(self.timeline.placed[which], last, self.chance.uniform(0.2, 0.9, len(which)))


def give_to_nobody_else(rows: Rows, gatherings: list[Gathering]) -> None:
    """The orders of one account become one customer's, before anybody looks at customers."""
    for number, gathering in enumerate(gatherings):
        if gathering.shares in (Shares.account, Shares.cards):
            rows.customers[gathering.orders] = OF_NOBODY + 10 * number  # far from one another's households


def plant_risks(scene: RiskScene, gatherings: list[Gathering], rates: Rates) -> None:
    """Plant everything, what needs the most orders first."""
    together = np.zeros(len(scene.free), bool)
    for number, gathering in enumerate(gatherings):
        together[gathering.orders] = True
        _share(scene, gathering, number)
    scene.free &= ~together
    scene.who.no_two_alike(scene.rows.totals, but=together)
    _same_totals(scene, together)
    linked_to_disputes(scene, rates.linked_to_dispute)
    ordered_twice(scene, rates.duplicate_order)
    several_at_once(scene, rates.provider_high_risk * 0.4)
    called_risky(scene, rates.provider_high_risk * 0.6)
    checks_failed(scene, rates.payment_checks_failed)
    sent_abroad(scene, rates.address_mismatch)
    redirected(scene, rates.address_changed_after_purchase)
    asked_by_strangers(scene, rates.contact_mismatch)


def _share(scene: RiskScene, gathering: Gathering, number: int) -> None:
    """What orders that come close together have in common, and what holds for the later of them."""
    orders, held = gathering.orders, scene.who
    one = fresh(np.array([number + 2**51]), 0)[0]
    before = np.arange(len(orders))
    if gathering.shares is Shares.device:
        held.device[orders] = held.ip[orders] = held.address[orders] = one
        scene.true(orders, "identity_burst")
        scene.true(orders[before > FEW], "network_velocity")
    elif gathering.shares is Shares.account:
        held.device[orders] = held.address[orders] = one
        scene.true(orders[before > FEW], "account_velocity", "network_velocity")
    elif gathering.shares is Shares.card:
        held.card[orders] = one
        scene.true(orders[1:], "card_velocity")
    else:
        held.card[orders] = fresh(orders, who.CARDS)
        scene.true(orders[4:], "card_velocity")


def _same_totals(scene: RiskScene, together: Mask) -> None:
    """Of orders that come close together by one mail address, some may cost the same."""
    orders = np.flatnonzero(together)
    orders = orders[np.argsort(scene.timeline.placed[orders], kind="stable")]
    seen: set[tuple[int, int]] = set()
    for order in orders:
        pair = (int(scene.who.email[order]), int(scene.rows.totals[order]))
        if pair in seen:
            scene.true(np.array([order]), "duplicate_order")
        seen.add(pair)


def linked_to_disputes(scene: RiskScene, share: float) -> None:
    """A card, device, mail or delivery address that a disputed order had as well; for some, two of them."""
    by_card, month_ago = scene.timeline.method == CARD, scene.now - span(30 * 24.0)
    # One in a million that is still to be reviewed is older than a month: what it shares came after it.
    later = scene.pick(scene.to_review() & by_card & (scene.timeline.placed > month_ago), share)
    long_ago = scene.arrived & scene.only_order & by_card & (scene.timeline.placed <= month_ago)
    to = np.repeat(np.arange(len(later)), 1 + (np.arange(len(later)) % 3 == 0))  # the later order of each earlier one
    earlier = scene.chance.permutation(scene.pick(long_ago, len(to) / len(scene.free)))
    to = to[: len(earlier)]
    _dispute(scene, earlier)
    same = fresh(later + 2**52, 0)
    for number, held in enumerate((scene.who.card, scene.who.device, scene.who.email, scene.who.address)):
        theirs = to % 4 == number
        held[earlier[theirs]] = held[later[to[theirs]]] = same[to[theirs]]
    scene.true(later[to], "linked_to_dispute")


def _dispute(scene: RiskScene, which: Numbers) -> None:
    """The cardholder did not know of these; nobody else shares anything with them."""
    held = scene.who
    held.email[which], held.device[which] = fresh(which, who.EMAIL), fresh(which, who.DEVICE)
    held.address[which] = held.billing[which] = fresh(which, who.ADDRESS)
    held.card[which] = np.where(held.card[which] == who.NOTHING, who.NOTHING, fresh(which, who.CARDS))
    scene.disputed[which] = scene.timeline.placed[which] + within(scene.chance, len(which), 8 * 24.0, 25 * 24.0)
    scene.unrecognized[which] = True


def ordered_twice(scene: RiskScene, share: float) -> None:
    """The same total by the same mail address, some hours later."""
    placed, totals = scene.timeline.placed, scene.rows.totals
    wanted = max(1, round(share * len(scene.free))) if share > 0 else 0
    by_total = np.lexsort((placed, totals))
    first, second = by_total[:-1], by_total[1:]
    gap = placed[second] - placed[first]
    pairs = (totals[first] == totals[second]) & (gap >= span(0.2)) & (gap <= span(20.0))
    pairs &= scene.to_review()[second] & scene.free[first] & scene.free[second]
    for at in scene.chance.permutation(np.flatnonzero(pairs)):
        if wanted and scene.free[first[at]] and scene.free[second[at]]:
            scene.who.email[second[at]] = scene.who.email[first[at]]
            scene.free[[first[at], second[at]]] = False
            scene.true(second[at : at + 1], "duplicate_order")
            wanted -= 1


def several_at_once(scene: RiskScene, share: float) -> None:
    """The provider's word, a wrong code and another country, which together are enough to ask for a hold."""
    which = scene.pick(scene.to_review() & (scene.timeline.method == CARD), share)
    scene.who.level[which], scene.who.cvv[which] = who.HIGH, who.NO_MATCH[1]
    scene.who.billing_country[which] = (scene.who.country[which] + 1) % 3
    scene.true(which, "provider_high_risk", "payment_checks_failed", "address_mismatch")


def called_risky(scene: RiskScene, share: float) -> None:
    """The provider's word alone; of some, neither address nor code could be checked."""
    which = scene.pick(scene.to_review() & (scene.timeline.method == CARD), share)
    scene.who.level[which] = who.HIGH
    unchecked = which[::2]
    scene.who.avs[unchecked], scene.who.cvv[unchecked] = who.UNAVAILABLE
    scene.true(which, "provider_high_risk")


def checks_failed(scene: RiskScene, share: float) -> None:
    """Another address than the bank's, a wrong code, or payment tried again and again; a third each."""
    which = scene.pick(scene.to_review() & (scene.timeline.method == CARD), share)
    scene.who.avs[which[0::3]] = who.NO_MATCH[0]
    scene.who.cvv[which[1::3]] = who.NO_MATCH[1]
    scene.who.attempts[which[2::3]] = scene.chance.integers(4, 9, len(which[2::3]))
    scene.true(which, "payment_checks_failed")


def sent_abroad(scene: RiskScene, share: float) -> None:
    """Billed in another country."""
    which = scene.pick(scene.to_review(), share)
    scene.who.billing_country[which] = (scene.who.country[which] + 1) % 3
    scene.true(which, "address_mismatch")


def redirected(scene: RiskScene, share: float) -> None:
    """To go elsewhere since."""
    which = scene.pick(scene.to_review(3.0), share)
    scene.changed[which], scene.moved[which] = scene.since(which), True
    scene.true(which, "address_changed_after_purchase")


def asked_by_strangers(scene: RiskScene, share: float) -> None:
    """Somebody wrote who did not know what the customer knows."""
    which = scene.pick(scene.to_review(3.0), share)
    scene.contacted[which], scene.matches[which] = scene.since(which), False
    scene.true(which, "contact_mismatch")


def settle_risks(scene: RiskScene) -> None:
    """What looks like evidence and is none: the same address again, the customer's own questions, other disputes."""
    same = scene.pick(scene.timeline.placed <= scene.now - span(3.0), 0.004)
    scene.changed[same] = scene.since(same)
    asked = scene.pick(scene.timeline.placed <= scene.now - span(3.0), 0.03)
    scene.contacted[asked] = scene.since(asked)
    long_ago = scene.arrived & (scene.timeline.placed <= scene.now - span(30 * 24.0))
    broken = scene.pick(long_ago, 0.003)
    scene.disputed[broken] = scene.timeline.placed[broken] + within(scene.chance, len(broken), 8 * 24.0, 25 * 24.0)
    _dispute(scene, scene.pick(long_ago & scene.only_order, 0.001))
