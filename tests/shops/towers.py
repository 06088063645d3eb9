"""Towers of two shops that are as like as two shops can be: the same orders, customers, products and amounts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control_tower.nouns import Action, Proposal
from control_tower.settings import settings
from control_tower.stores.generator import generate
from control_tower.stores.shop import EmbeddedShop
from tasks.report import LaneReport
from tests.flows.conftest import MANY_LOST, Tower, own_tower

BERLIN, RECIFE = "berlin", "recife"

SHOPS = """
shops:
  berlin:
    source: shop
    database: berlin.db
    slack_channel: "#berlin"
  recife:
    source: shop
    database: recife.db
    time_zone: America/Sao_Paulo
    country: BR
    currency: BRL
    policies: recife
    slack_channel: "#recife"
"""
RECIFE_FULFILMENT = """
inherits: fulfilment
version: 2
owner: head of Recife
in_force: {from: 2020-01-01}
calendar: {cut_off: "16:00"}
thresholds:
  unpaid_hours:
    source: "our own: a boleto takes three business days"
    values: [{from: 2020-01-01, value: 120}]
"""
RECIFE_AUTHORITY = """
inherits: authority
version: 1
owner: head of Recife
in_force: {from: 2020-01-01}
time_zone: America/Sao_Paulo
country: BR
keepers: [finance]
on_call: {finance: [rosa]}
limits:  # an approver rules on nothing there
  - {role: lead, action: refund, each: {BRL: 2500000}, a_day: {BRL: 12500000}}
  - {role: lead, action: reship}
  - {role: lead, action: hold}
  - {role: lead, action: release}
  - {role: lead, action: cancel_reship}
  - {role: finance, action: refund, each: {BRL: 25000000}, a_day: {BRL: 100000000}}
waiting: {remind_after: 3 business days, remind_every: 8 hours, reminders: 1, escalate_after: 4 business days}
"""
UNPAID_SINCE = """
UPDATE orders SET placed_at = :moment, status_at = :moment, observed_at = :moment WHERE order_id = (
    SELECT order_id FROM orders WHERE approved_at IS NULL AND cancelled_at IS NULL ORDER BY placed_at LIMIT 1
)
"""


@dataclass
class TwoShops:
    """A tower whose file has two shops, each an embedded one with the same evidence in another currency."""

    tower: Tower
    folder: Path

    def database(self, shop: str) -> str:
        return f"sqlite:///{self.folder / f'{shop}.db'}"

    def fill(self, orders: int, seed: int, as_of: datetime) -> None:
        generate(self.database(BERLIN), orders=orders, seed=seed, as_of=as_of, rates=MANY_LOST)
        EmbeddedShop(self.database(BERLIN)).engine.dispose()
        with sqlite3.connect(self.folder / "berlin.db") as book, sqlite3.connect(self.folder / "recife.db") as other:
            book.backup(other)
            tables = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                if "currency" in [row[1] for row in other.execute(f"PRAGMA table_info({table})")]:
                    other.execute(f"UPDATE {table} SET currency = 'BRL'")

    def unpaid_since(self, moment: datetime) -> None:
        """The oldest order that nobody paid was placed then, in both shops."""
        for shop in (BERLIN, RECIFE):
            with sqlite3.connect(self.folder / f"{shop}.db") as book:
                changed = book.execute(UNPAID_SINCE, {"moment": round(moment.timestamp() * 1_000_000)})
                assert changed.rowcount == 1

    def watch(self, shop: str, **given: Any) -> LaneReport:
        return self.tower.watch(source=f"shop:{shop}", as_of=None, **given)

    def waiting(self, shop: str, action: Action) -> list[Proposal]:
        return [each for each in self.tower.waiting(action) if each.shop == shop]

    def moved_in(self, shop: str, key: str) -> bool:
        """Whether a shop's own book has something under a key."""
        return EmbeddedShop(self.database(shop)).find(key) is not None


@contextmanager
def two_shops(folder: Path, flows: dict[UUID, Any]) -> Iterator[TwoShops]:
    (folder / "recife").mkdir()
    (folder / "shops.yaml").write_text(SHOPS)
    (folder / "recife" / "fulfilment.yaml").write_text(RECIFE_FULFILMENT)
    (folder / "recife" / "authority.yaml").write_text(RECIFE_AUTHORITY)
    with pytest.MonkeyPatch.context() as environment, own_tower(folder, flows) as tower:
        environment.setenv("TOWER_SHOPS", str(folder / "shops.yaml"))
        tower.settings = settings()
        yield TwoShops(tower, folder)
