"""Where a fault campaign is held: the embedded shop, Vendure on two databases, and two stand-ins for Stripe."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from misbehaving import Inner
from sqlalchemy.orm import Session

from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import OrderRow, PaymentRow

sys.path.insert(0, str(Path(__file__).parents[1]))  # the servers are those of the tests
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Place(Protocol):
    """One store to hold a campaign at."""

    inner: Inner
    currency: str
    lag: float

    def orders(self, names: list[str], paid: int) -> list[str]:
        """A new order for each name, paid; their ids."""

    def refunds(self, order: str) -> list[int]:
        """What its own book says went back."""


@dataclass
class Embedded:
    """The embedded shop in a file."""

    file: Path
    currency: str = "EUR"
    lag: float = 0.08

    @property
    def inner(self) -> Inner:
        """Its file."""
        return Inner("embedded", f"sqlite:///{self.file}")

    def orders(self, names: list[str], paid: int) -> list[str]:
        """The names themselves."""
        shop = EmbeddedShop(f"sqlite:///{self.file}")
        with Session(shop.engine) as session, session.begin():
            for name in names:
                common: dict[str, Any] = {"order_id": name, "observed_at": NOW}
                session.add(OrderRow(**common, status="approved", placed_at=NOW, currency="EUR", total_amount=paid))
                session.add(PaymentRow(**common, payment_id=f"P{name}", amount=paid, currency="EUR", paid_at=NOW))
        shop.engine.dispose()
        return names

    def refunds(self, order: str) -> list[int]:
        """Past our hands."""
        with contextlib.closing(sqlite3.connect(self.file)) as book:
            return [amount for (amount,) in book.execute("SELECT amount FROM refunds WHERE order_id = ?", (order,))]


@dataclass
class Served:
    """A server of the tests: its stand buys the orders and reads the book."""

    inner: Inner
    stand: Any
    lag: float = 0.6

    @property
    def currency(self) -> str:
        """The stand's."""
        return str(self.stand.currency)

    def orders(self, names: list[str], paid: int) -> list[str]:
        """Ids that the server gave."""
        return [self.stand.order(paid) for _ in names]

    def refunds(self, order: str) -> list[int]:
        """As the server says."""
        return list(self.stand.refunds(order))


NAMES = ("embedded", "vendure-sqljs", "vendure-postgres", "stripe-stateful-mock", "localstripe")


@contextlib.contextmanager
def place(name: str, folder: Path, cache: Path) -> Iterator[Place]:
    """One of the places, for as long as the block lasts.

    Args:
        folder: where the embedded shop keeps its file.
        cache: where servers are installed.
    """
    if name == "embedded":
        yield Embedded(folder / "shop.db")
        return
    from tests.stores import stripe_services, vendure_service

    with contextlib.ExitStack() as open_:
        if name.startswith("vendure"):
            from tests.postgres import new_database, postgres_server

            database = new_database(open_.enter_context(postgres_server())) if name.endswith("postgres") else ""
            server = open_.enter_context(vendure_service.vendure(cache / "vendure", database))
            yield Served(Inner("vendure", server.admin, server.key), vendure_service.stand(server))
            return
        start = stripe_services.stateful_mock if name == "stripe-stateful-mock" else stripe_services.localstripe
        url = open_.enter_context(start(cache / name))
        stand = stripe_services.make_stand(url, by_intent=name == "localstripe")
        yield Served(Inner("stripe", url, stripe_services.KEY), stand)
