"""Who placed each order, as numbers that stand for hashes: healthy, until something is planted.

What keeps a healthy order clear of every boundary:
- a customer has one mail address and card, at most two devices, and shares a delivery address with one other;
- a network address that many share takes turns, so that it never sees more than a handful of orders a day;
- no mail address has the same total twice;
- payment is tried three times at the most, and what is said of address and code is never that they are wrong.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from control_tower.stores.generator.clock import Generator, Mask, Moments, Numbers, span
from control_tower.stores.generator.gatherings import CARD

EMAIL, CARDS, DEVICE, IP, ADDRESS, BILLING, HOUSEHOLD, ACCOUNT = range(8)
NOTHING = 0
AVS = np.array(["match", "address_only", "postcode_only", "not_applicable", "no_match", "unavailable"])
AVS_SHARES = (0.86, 0.08, 0.06)
CVV = np.array(["match", "not_given", "not_applicable", "no_match", "unavailable"])
NOT_APPLICABLE, NO_MATCH, UNAVAILABLE = (3, 2), (4, 3), (5, 4)
"""The numbers of these words, of an address check and of a security code."""
LEVELS = np.array(["low", "medium", "none", "high"])
LEVEL_SHARES = (0.88, 0.07, 0.05)
HIGH = 3
PER_SHARED_ADDRESS = 4


def mixed(numbers: Numbers, salt: int) -> Numbers:
    """Numbers that look like hashes, the same for the same; never NOTHING."""
    with np.errstate(over="ignore"):
        x = numbers.astype(np.uint64) * np.uint64(16) + np.uint64(salt)
        x = (x + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(2)).astype(np.int64) + 1


class Identities:
    """Arrays with an entry for each order; plants change them in place.

    Attributes:
        email, card, device, ip, address, billing: what stands for a hash; a card is NOTHING where none was used.
        ip_country, billing_country: numbers of countries, as `country`, to which it is sent.
        avs, cvv, level: numbers of words.
    """

    def __init__(
        self, customers: Numbers, placed: Moments, method: Numbers, country: Numbers, chance: Generator
    ) -> None:
        size = len(customers)
        every = np.arange(size)
        household = mixed(customers, HOUSEHOLD) % 5 == 0
        self.email = mixed(customers, EMAIL)
        self.card = np.where(method == CARD, mixed(customers, CARDS), NOTHING)
        self.device = mixed(customers * 2 + (chance.random(size) < 0.3), DEVICE)
        self.address = mixed(np.where(household, customers // 2 + 2**40, customers), ADDRESS)
        self.billing = np.where(chance.random(size) < 0.08, mixed(every, BILLING), self.address)
        self.ip = _network(customers, placed, chance)
        self.country = country
        self.billing_country = country.copy()
        travelling = chance.random(size) < 0.03
        self.ip_country = np.where(travelling, chance.integers(0, 3, size), country)
        carded = method == CARD
        self.avs = np.where(carded, chance.choice(3, size, p=AVS_SHARES), NOT_APPLICABLE[0])
        self.cvv = np.where(carded, (chance.random(size) < 0.03).astype(int), NOT_APPLICABLE[1])
        self.attempts = chance.choice(3, size, p=(0.90, 0.08, 0.02)) + 1
        self.level = chance.choice(3, size, p=LEVEL_SHARES)
        age = np.where(chance.random(size) < 0.1, chance.uniform(0.1, 1.0, size), chance.uniform(100.0, 20000.0, size))
        self.account_created = placed - span(age)

    def no_two_alike(self, totals: Numbers, but: Mask) -> None:
        """Give another mail address to whoever would have the same total twice, but for some."""
        again = pd.DataFrame({"email": self.email, "total": totals}).duplicated().to_numpy() & ~but
        self.email[again] = fresh(np.flatnonzero(again), EMAIL)


def fresh(which: Numbers, salt: int) -> Numbers:
    """What no customer has, one for each."""
    return mixed(which + 2**50, salt)


def _network(customers: Numbers, placed: Moments, chance: Generator) -> Numbers:
    """One by customer; for a tenth, one of those that strangers share."""
    own = mixed(customers, IP)
    sharing = np.flatnonzero(chance.random(len(customers)) < 0.1)
    sharing = sharing[np.argsort(placed[sharing], kind="stable")]
    if not len(sharing):
        return own
    _, a_day = np.unique(placed[sharing].astype("datetime64[D]"), return_counts=True)
    turns = max(1, -(-2 * int(a_day.max()) // PER_SHARED_ADDRESS))
    own[sharing] = fresh(np.arange(len(sharing)) % turns, IP)
    return own
