"""A stand for each store: the store itself, a way to place orders in it, and its own book, read past our hands."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from control_tower.nouns import Money
from control_tower.stores.hostile import HostileStore, Malice
from control_tower.stores.protocol import Store
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import FulfillmentRow, OrderRow, PaymentRow

MORNING = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


class Stand(Protocol):
    """One store under test."""

    store: Store
    currency: str
    careless: bool

    def order(self, paid: int = 3500) -> str:
        """A new order, paid and not yet sent; its parcel is `parcel(order)`."""

    def parcel(self, order: str) -> str: ...

    def refunds(self, order: str) -> list[int]:
        """What the store's own book says went back, each time, smallest first."""


@dataclass
class EmbeddedStand:
    store: Store
    path: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    currency: str = "EUR"
    careless: bool = False
    orders: int = 0

    def order(self, paid: int = 3500) -> str:
        self.orders += 1
        name = f"{1000 + self.orders}"
        with Session(EmbeddedShop(f"sqlite:///{self.path}").engine) as session, session.begin():
            fill(session, name, paid)
        return name

    def parcel(self, order: str) -> str:
        return f"F{order}"

    def refunds(self, order: str) -> list[int]:
        with sqlite3.connect(self.path) as book:
            found = book.execute("SELECT amount FROM refunds WHERE order_id = ? ORDER BY amount", (order,))
            return [amount for (amount,) in found]


def fill(session: Session, name: str, paid: int) -> None:
    """One order of the embedded shop: approved, paid, its parcel labelled."""
    common = {"order_id": name, "observed_at": MORNING}
    session.add(
        OrderRow(**common, status="approved", placed_at=MORNING - timedelta(days=3), currency="EUR", total_amount=paid)
    )
    session.add(PaymentRow(**common, payment_id=f"P{name}", amount=paid, currency="EUR", paid_at=MORNING))
    session.add(
        FulfillmentRow(
            **common, fulfillment_id=f"F{name}", status="label", carrier="adler", service="express",
            tracking_code="ADLER1", warehouse_id="BER", label_created_at=MORNING,
        )
    )  # fmt: skip


def embedded(folder: Path) -> EmbeddedStand:
    path = folder / "shop.db"
    return EmbeddedStand(EmbeddedShop(f"sqlite:///{path}"), path)


def hostile_but_quiet(folder: Path) -> EmbeddedStand:
    stand = embedded(folder)
    stand.store = HostileStore(stand.store, seed=1, mix={Malice.none: 1}, lag=0)
    return stand


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")
