"""What was planted: the orders of every kind, the missed pick-ups, and the rows that are no evidence."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from control_tower.errors import NotFound
from control_tower.nouns import Noun

if TYPE_CHECKING:
    import pandas as pd

KINDS = (
    "stuck_order",
    "unpaid_order",
    "lost_shipment",
    "silent_shipment",
    "late_delivery",
    "refund_due",
    "cancelled_in_transit",
    "contradiction",
)
"""What is planted in orders."""
WORD_KINDS = ("disputed_delivery",)
"""What is planted in the words of customers; it is found in orders, too."""
RETURN_KINDS = (
    "return_outside_window",
    "return_not_inspected",
    "refund_above_paid",
    "refund_without_receipt",
    "duplicate_refund",
    "late_refund",
    "repeat_returner",
    "reason_spike",
)
"""What is planted in returns; a refund that was paid twice is above what was paid, too."""

SUBSCRIPTION_KINDS = (
    "payment_failing",
    "retries_ended",
    "hard_decline",
    "retry_of_hard_decline",
    "method_expired",
    "method_expiring",
    "no_method",
    "shipment_unpaid",
    "subscription_contradiction",
)
"""What is planted in subscriptions; what is refused for good and tried again, or ships unpaid, is refused, too."""

STOCK_KINDS = (
    "cover_below_inbound",
    "oversell",
    "stockout_while_promoted",
    "late_replenishment",
    "stock_mismatch",
    "rising_availability_questions",
)
"""What is planted in stock; what is oversold, or promoted and gone, runs out before more arrives, too."""

FRAUD_KINDS = (
    "identity_burst",
    "account_velocity",
    "card_velocity",
    "network_velocity",
    "address_mismatch",
    "address_changed_after_purchase",
    "payment_checks_failed",
    "linked_to_dispute",
    "contact_mismatch",
    "provider_high_risk",
    "duplicate_order",
)
"""What is planted in who placed orders; it is found in orders that may still be held."""


class Rates(Noun):
    """How much is planted: a share of the orders for each kind, and a number of missed pick-ups.

    A kind with a share above 0 is planted at least once, as far as there are orders to plant it in. Of
    repeat returners there are so many customers; of spikes there are two, with so many returns together,
    where enough of a product is sold to tell them from chance. Of what is planted in stock there are so
    many products, as far as there are enough that sell.
    """

    stuck_order: float = Field(default=0.005, ge=0, le=0.1)
    unpaid_order: float = Field(default=0.005, ge=0, le=0.1)
    lost_shipment: float = Field(default=0.005, ge=0, le=0.1)
    silent_shipment: float = Field(default=0.004, ge=0, le=0.1)
    late_delivery: float = Field(default=0.010, ge=0, le=0.1)
    refund_due: float = Field(default=0.005, ge=0, le=0.1)
    cancelled_in_transit: float = Field(default=0.003, ge=0, le=0.1)
    contradiction: float = Field(default=0.004, ge=0, le=0.1)
    disputed_delivery: float = Field(default=0.002, ge=0, le=0.1)
    missed_pickups: int = Field(default=3, ge=0, le=10)
    return_outside_window: float = Field(default=0.003, ge=0, le=0.1)
    return_not_inspected: float = Field(default=0.003, ge=0, le=0.1)
    refund_above_paid: float = Field(default=0.002, ge=0, le=0.1)
    refund_without_receipt: float = Field(default=0.003, ge=0, le=0.1)
    duplicate_refund: float = Field(default=0.002, ge=0, le=0.1)
    late_refund: float = Field(default=0.003, ge=0, le=0.1)
    repeat_returner: float = Field(default=0.001, ge=0, le=0.1)
    reason_spike: float = Field(default=0.005, ge=0, le=0.1)
    payment_failing: float = Field(default=0.003, ge=0, le=0.1)
    retries_ended: float = Field(default=0.002, ge=0, le=0.1)
    hard_decline: float = Field(default=0.002, ge=0, le=0.1)
    retry_of_hard_decline: float = Field(default=0.001, ge=0, le=0.1)
    method_expired: float = Field(default=0.002, ge=0, le=0.1)
    method_expiring: float = Field(default=0.003, ge=0, le=0.1)
    no_method: float = Field(default=0.001, ge=0, le=0.1)
    shipment_unpaid: float = Field(default=0.002, ge=0, le=0.1)
    subscription_contradiction: float = Field(default=0.001, ge=0, le=0.1)
    cover_below_inbound: int = Field(default=4, ge=0, le=20)
    oversell: int = Field(default=2, ge=0, le=20)
    stockout_while_promoted: int = Field(default=2, ge=0, le=20)
    late_replenishment: int = Field(default=4, ge=0, le=20)
    stock_mismatch: int = Field(default=4, ge=0, le=20)
    rising_availability_questions: int = Field(default=3, ge=0, le=20)
    unstocked: int = Field(default=2, ge=0, le=20)
    identity_burst: float = Field(default=0.001, ge=0, le=0.1, description="one, where it is above 0")
    account_velocity: float = Field(default=0.0003, ge=0, le=0.01)
    card_velocity: float = Field(default=0.0006, ge=0, le=0.01)
    address_mismatch: float = Field(default=0.001, ge=0, le=0.1)
    address_changed_after_purchase: float = Field(default=0.001, ge=0, le=0.1)
    payment_checks_failed: float = Field(default=0.001, ge=0, le=0.1)
    linked_to_dispute: float = Field(default=0.0006, ge=0, le=0.1)
    contact_mismatch: float = Field(default=0.0008, ge=0, le=0.1)
    provider_high_risk: float = Field(default=0.001, ge=0, le=0.1)
    duplicate_order: float = Field(default=0.0006, ge=0, le=0.1)


class MissedPickup(Noun):
    """A carrier that did not come: every label of one day in one warehouse, without a first scan."""

    carrier: str
    day: date
    """The day of the labels, in the shop's time zone."""
    warehouse_id: str
    orders: tuple[str, ...]


class DirtyRow(Noun):
    """A row that must be set aside, and why."""

    rule: str
    """`payment_of_nothing`, `impossible_ship_by_year` or `mixed_currency`."""
    table: str
    source_id: str


class Truth(Noun):
    """Everything that holds in a generated shop at `as_of`, and nothing that does not."""

    as_of: AwareDatetime
    orders: int
    seed: int
    planted: dict[str, dict[str, tuple[str, ...]]]
    """Lane -> kind -> ids of everything that it holds for, sorted: orders for fulfilment, returns for returns,
    subscriptions for subscriptions, products, and products and their orders, for inventory.

    An id may be under several kinds.
    """
    missed_pickups: tuple[MissedPickup, ...]
    dirty: tuple[DirtyRow, ...]
    unstocked: tuple[str, ...] = ()
    """Products that sell, and whose stock nobody counted: what is promised of them is unknown."""

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Kind -> orders that it holds for, of the fulfilment lane."""
        return self.planted["fulfilment"]

    @property
    def pairs(self) -> pd.DataFrame:
        """Columns order_id and kind, sorted: one row for every kind that holds for an order."""
        return _pairs(self.kinds, "order_id")

    @property
    def return_pairs(self) -> pd.DataFrame:
        """Columns return_id and kind, sorted: one row for every kind that holds for a return."""
        return _pairs(self.planted["returns"], "return_id")

    @property
    def subscription_pairs(self) -> pd.DataFrame:
        """Columns subscription_id and kind, sorted: one row for every kind that holds for a subscription."""
        return _pairs(self.planted["subscriptions"], "subscription_id")

    @property
    def stock_pairs(self) -> pd.DataFrame:
        """Columns promise_id and kind, sorted: one row for every kind that holds for a product, or an order of it."""
        return _pairs(self.planted["inventory"], "promise_id")

    @property
    def fraud_pairs(self) -> pd.DataFrame:
        """Columns order_id and kind, sorted: one row for every kind of evidence that holds for an order."""
        return _pairs(self.planted["fraud"], "order_id")

    def save(self, made: Path) -> Path:
        """Write it beside a shop's file or a folder of Parquet, where no source reads."""
        path = _beside(made)
        path.write_text(self.model_dump_json(indent=1))
        return path

    @classmethod
    def of(cls, made: Path) -> Truth:
        """Read the truth of a shop's file or a folder of Parquet.

        Raises:
            NotFound: nothing was generated there.
        """
        path = _beside(made)
        if not path.is_file():
            raise NotFound("has no truth beside it", where=str(made), remedy="only a generated shop has one")
        return cls.model_validate_json(path.read_text())


def _pairs(kinds: dict[str, tuple[str, ...]], subject: str) -> pd.DataFrame:
    import pandas as pd

    rows = [(each, kind) for kind, ids in kinds.items() for each in ids]
    frame = pd.DataFrame(rows, columns=[subject, "kind"], dtype="str")
    return frame.sort_values([subject, "kind"], ignore_index=True)


def _beside(made: Path) -> Path:
    return made.with_name(made.name + ".truth.json")
