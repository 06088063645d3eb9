"""From who placed orders to the canonical tables: risk signals, address changes, disputes, support contacts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator import identities as who
from control_tower.stores.generator.clock import NEVER, Numbers
from control_tower.stores.generator.columns import customer_ids, joined, named
from control_tower.stores.generator.identities import fresh
from control_tower.stores.generator.risk_plants import RiskScene
from control_tower.stores.generator.truth import FRAUD_KINDS

CHANNELS = np.array(["mail", "phone", "chat", "message"])
TOPICS = np.array(["delivery", "address", "payment"])
UNKNOWN_TO_THEM = np.array(["fraudulent", "unrecognized"])
OTHER_REASONS = np.array(["product_not_received", "product_unacceptable"])
DECIDED_AFTER = np.timedelta64(20, "D")


class RiskRows:
    """Writes a scene of risks down, in order of its orders."""

    def __init__(self, scene: RiskScene) -> None:
        self.scene, self.rows, self.who, self.chance = scene, scene.rows, scene.who, scene.chance

    def write(self, tables: dict[str, pa.Table]) -> dict[str, tuple[str, ...]]:
        """Add the tables of risks to a shop's.

        Returns:
            Kind -> ids of the orders that it holds for.
        """
        tables["risk_signals"] = self._signals()
        tables["address_changes"] = self._changes()
        tables["disputes"] = self._disputes()
        tables["support_contacts"] = self._contacts()
        return {
            kind: tuple(self.rows.ids.filter(pa.array(self.scene.holds[:, at])).to_pylist())
            for at, kind in enumerate(FRAUD_KINDS)
        }

    def _signals(self) -> pa.Table:
        held = self.who
        return self.rows.table(
            "risk_signals",
            {
                "signal_id": joined("S", self.rows.ids),
                "order_id": self.rows.ids,
                "customer_id": customer_ids(self.rows.customers),
                "email_hash": _hashes("e", held.email),
                "card_fingerprint": _hashes("c", held.card),
                "device_id": _hashes("d", held.device),
                "ip_hash": _hashes("i", held.ip),
                "ip_country": named(shelf.COUNTRIES, held.ip_country),
                "billing_hash": _hashes("a", held.billing),
                "billing_country": named(shelf.COUNTRIES, held.billing_country),
                "shipping_hash": _hashes("a", held.address),
                "shipping_country": named(shelf.COUNTRIES, held.country),
                "avs": named(who.AVS, held.avs),
                "cvv": named(who.CVV, held.cvv),
                "payment_attempts": held.attempts,
                "account_created_at": held.account_created,
                "provider_level": named(who.LEVELS, held.level),
                "recorded_at": self.scene.timeline.placed,
            },
        )

    def _changes(self) -> pa.Table:
        which = np.flatnonzero(~np.isnat(self.scene.changed))
        before, elsewhere = self.who.address[which], fresh(which, who.ADDRESS)
        return self.rows.table(
            "address_changes",
            {
                "change_id": joined("A", self._ids(which)),
                "order_id": self._ids(which),
                "from_hash": _hashes("a", before),
                "to_hash": _hashes("a", np.where(self.scene.moved[which], elsewhere, before)),
                "changed_at": self.scene.changed[which],
            },
        )

    def _disputes(self) -> pa.Table:
        opened, now = self.scene.disputed, self.scene.now
        which = np.flatnonzero(opened <= now)
        lot = self.chance.integers(0, 2, len(which))
        reasons = np.append(UNKNOWN_TO_THEM, OTHER_REASONS)
        closed = opened[which] + DECIDED_AFTER
        still = closed > now
        return self.rows.table(
            "disputes",
            {
                "dispute_id": joined("D", self._ids(which)),
                "order_id": self._ids(which),
                "reason": named(reasons, lot + 2 * ~self.scene.unrecognized[which]),
                "opened_at": opened[which],
                "closed_at": np.where(still, NEVER, closed),
                "outcome": named(np.array(["lost", "won"]), self.chance.integers(0, 2, len(which)), still),
            },
        )

    def _contacts(self) -> pa.Table:
        which = np.flatnonzero(~np.isnat(self.scene.contacted))
        return self.rows.table(
            "support_contacts",
            {
                "contact_id": joined("M", self._ids(which)),
                "order_id": self._ids(which),
                "customer_id": customer_ids(self.rows.customers[which]),
                "channel": named(CHANNELS, self.chance.integers(0, len(CHANNELS), len(which))),
                "topic": named(TOPICS, self.chance.integers(0, len(TOPICS), len(which))),
                "matches_order": self.scene.matches[which],
                "contacted_at": self.scene.contacted[which],
            },
        )

    def _ids(self, which: Numbers) -> pa.Array:
        return self.rows.ids.take(pa.array(which))


def _hashes(letter: str, numbers: Numbers) -> pa.Array:
    """Text that stands for a hash; null for nothing."""
    return joined(letter, pa.array(numbers, mask=numbers == who.NOTHING).cast(pa.string()))
