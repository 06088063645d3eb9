"""A tower whose receiver has a folder, and what it was sent about two people: signed, received and kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger import Ledger, open_ledger
from control_tower.settings import Settings, settings
from control_tower.sources import open_source
from control_tower.webhooks.signatures import Delivery
from desk.webhooks import receiver_of
from tests.sources.test_payloads import rows
from tests.webhooks.senders import SECRETS, SOURCES, body_of, signed

DAY = timedelta(days=1)
ANN = {
    "name": "Ann Lovelace", "mail": "ann.lovelace@mail.example", "phone": "+49 170 5550001", "street": "Nussallee 12",
    "ip": "203.0.113.7", "note": "please ring twice, I am deaf", "card": "fingerprint-of-ann", "account": "cus_ofAnn",
}  # fmt: skip
TELLING = ("name", "mail", "phone", "street", "ip", "note", "card")


def shopify_order(id: int, customer: int, who: dict[str, str] | None = None, **told: Any) -> dict[str, Any]:
    """An order as Shopify sends it, with a person's traces in every corner."""
    who = who or {name: f"{value} {customer}" for name, value in ANN.items()} | {"ip": f"198.51.100.{customer % 250}"}
    address = {"name": who["name"], "address1": who["street"], "zip": "53115", "city": "Bonn", "country_code": "DE"}
    return {
        "id": id, "created_at": "2026-03-01T09:00:00+01:00", "updated_at": "2026-03-01T09:00:00+01:00",
        "currency": "EUR", "total_price": "40.00", "financial_status": "pending", "email": who["mail"],
        "phone": who["phone"], "note": who["note"], "browser_ip": who["ip"], "token": f"token of {who['name']}",
        "client_details": {"browser_ip": who["ip"]}, "note_attributes": [{"name": "gift for", "value": who["name"]}],
        "customer": {"id": customer, "email": who["mail"], "first_name": "Ann", "last_name": "Lovelace",
                     "default_address": address, "created_at": "2025-01-01T09:00:00+01:00", "note": who["note"]},
        "billing_address": address | {"phone": who["phone"]}, "shipping_address": address,
        "line_items": [{"id": id * 10, "sku": "lamp", "quantity": 2, "price": "20.00",
                        "properties": [{"name": "engraving", "value": who["name"]}]}],
    } | told  # fmt: skip


def paid(order: int, id: int, **told: Any) -> dict[str, Any]:
    return {
        "id": id, "order_id": order, "kind": "capture", "status": "success", "amount": "40.00", "currency": "EUR",
        "gateway": "card", "processed_at": "2026-03-01T09:01:00+01:00", "receipt": {"payer": ANN["mail"]},
    } | told  # fmt: skip


@dataclass
class Inbox:
    """What was received."""

    settings: Settings

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings.ledger)

    def send(self, sender: str, content: object, topic: str = "", age: timedelta = timedelta(0)) -> str:
        """Deliver something, and let it lie for a while; what the receiver said."""
        body = body_of(content)
        told = signed(sender, body) | ({"X-Shopify-Topic": topic} if topic else {})
        headers = {name.lower(): [value] for name, value in told.items()}
        token = SECRETS[sender] if sender == "shippo" else ""
        before = set(self.files())
        said = receiver_of(self.settings).answer(sender, Delivery(headers, body, token, time.time()))
        for file in set(self.files()) - before:
            moment = (datetime.now(UTC) - age).timestamp()
            os.utime(file, (moment, moment))
        return said.word

    def files(self) -> list[Path]:
        return sorted(file for file in self.settings.webhooks.glob("*/*.json") if file.is_file())

    def contents(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.files()}

    def all_text(self) -> str:
        """Every byte below the folder, and every name."""
        every = [file for file in self.settings.webhooks.rglob("*") if file.is_file()]
        return "\n".join(f"{file.name} {file.read_bytes().decode()}" for file in every)

    def told(self, sender: str) -> dict[str, list[dict[str, Any]]]:
        """All rows that the source tells."""
        source = SOURCES.get(sender, sender)
        opened = open_source(f"{source}:{self.settings.webhooks / source}", None, self.settings)
        return {table: rows(opened, table) for table in sorted(opened.tables())}


@contextmanager
def inbox_in(folder: Path) -> Iterator[Inbox]:
    """A tower with a book, an archive and a receiver's folder of its own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        environment.setenv("TOWER_ARTIFACTS_URL", (folder / "artifacts").as_uri())
        environment.setenv("TOWER_WEBHOOKS_FOLDER", str(folder / "in"))
        known = {sender: [secret] for sender, secret in SECRETS.items()}
        environment.setenv("TOWER_WEBHOOK_SECRETS", json.dumps(known))
        yield Inbox(settings())
