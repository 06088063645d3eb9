"""Medusa as a store, through its Admin REST API: refunds, read back by the note in which our key is.

Medusa forgets keys, and its 400 can lie: a refund that it calls refused may be recorded all the same. What counts is
the list of refunds of the order's payments.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import HANDS, Abilities, StoreEffect
from control_tower.stores.web import (
    SETTLES_WITHIN,
    TIMEOUT,
    Web,
    acting,
    in_minor,
    in_units,
    is_marked,
    marked,
    reading,
    recorded,
)

FIELDS = "id,currency_code,*payment_collections.payments,*payment_collections.payments.refunds"


class MedusaStore:
    """The orders of one Medusa shop, each by its id, as in order_01ABC.

    Args:
        url: its address, as in https://shop.example.
        key: a secret API key.
    """

    def __init__(self, url: str, key: str, settles_within: float = SETTLES_WITHIN, timeout: float = TIMEOUT) -> None:
        import httpx

        self.settles_within = settles_within
        auth = httpx.BasicAuth(key, "")
        self.web = Web("Medusa", "see TOWER_MEDUSA_KEY", timeout, base_url=url.rstrip("/"), auth=auth)

    @property
    def abilities(self) -> Abilities:
        """Refunds only."""
        prior = {"prior": ("payment", "paid_amount")}
        return Abilities(
            actions={"refund": HANDS["refund"].model_copy(update=prior)}, settles_within=self.settles_within
        )

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Every refund of the order's payments that carries our key, oldest first.

        Raises:
            StoreError: Medusa can't be read.
        """
        order = self._read(order_id)
        found = [
            StoreEffect(
                key=key, action="refund", reference=str(each["id"]), order_id=order_id,
                money=in_minor(each["amount"], order["currency_code"]), state="refunded",
                prior={
                    "payment": str(payment["id"]),
                    "paid_amount": in_minor(payment["amount"], order["currency_code"]).amount,
                },
                at=datetime.fromisoformat(each["created_at"]),
            )
            for payment in _payments(order)
            for each in payment.get("refunds") or ()
            if is_marked(each.get("note"), key)
        ] if order else []  # fmt: skip
        return tuple(sorted(found, key=lambda each: each.at))

    def refundable(self, order_id: str) -> Money | None:
        """What was captured and not yet refunded; None for an order that Medusa does not know.

        Raises:
            StoreError: Medusa can't be read.
        """
        order = self._read(order_id)
        if order is None:
            return None
        return in_minor(sum((_left(each) for each in _payments(order)), Decimal(0)), order["currency_code"])

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Refund one payment of the order.

        Raises:
            StoreError: Medusa refuses, or no single payment has so much left.
            OutcomeUnknown: it gave no answer.
        """
        order, where = self._read(order_id), f"order {order_id}"
        if order is None:
            raise StoreError("Medusa knows no such order", where=where)
        if money.currency != order["currency_code"].upper():
            raise StoreError(f"was paid in {order['currency_code'].upper()}, not in {money.currency}", where=where)
        amount = in_units(money)
        payment = next((each for each in _payments(order) if _left(each) >= amount), None)
        if payment is None:
            raise StoreError(f"no single payment has {money} left", where=where, remedy="refund it in Medusa")
        asked = {"amount": float(amount), "note": marked(key, reason)}
        with acting(where):
            self._ask("POST", f"/admin/payments/{payment['id']}/refund", json=asked)
        return recorded(self, "Medusa", key, order_id, where)

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Refused."""
        _cannot("reship")

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Refused: nothing in Medusa would keep a held order here."""
        _cannot("hold")

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Refused."""
        _cannot("release")

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Refused."""
        _cannot("cancelling of a reship")

    def _read(self, order_id: str) -> dict[str, Any] | None:
        """The order of an id; None when there is none."""
        if not (order_id.isascii() and order_id.replace("_", "").isalnum()):
            return None
        with reading("Medusa", f"order {order_id}"):
            found = self._ask("GET", f"/admin/orders/{order_id}", params={"fields": FIELDS})
        order: dict[str, Any] | None = found and found["order"]
        return order

    def _ask(self, method: str, path: str, **rest: Any) -> dict[str, Any] | None:
        """One call; None where there is nothing of this name.

        Raises:
            StoreError: it was refused, or says so.
            OutcomeUnknown: no answer, or one that says nothing.
        """
        answer = self.web.send(method, path, **rest)
        if answer.status_code == 404 and method == "GET":
            return None
        if answer.status_code >= 500:
            raise OutcomeUnknown(f"Medusa failed inside: {answer.status_code}")
        content = self.web.content_of(answer)
        if answer.status_code >= 400:
            told = str(content.get("message") or answer.status_code)[:300]
            raise StoreError(f"Medusa refuses: {told}")
        return content


def _cannot(what: str) -> NoReturn:
    raise StoreError(f"there is no {what} here: nothing in Medusa would hold to it", remedy="do it in Medusa")


def _payments(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for held in order.get("payment_collections") or () for each in held.get("payments") or ()]


def _left(payment: dict[str, Any]) -> Decimal:
    """What is left of a captured payment."""
    if not payment.get("captured_at"):
        return Decimal(0)
    back = sum((Decimal(str(each["amount"])) for each in payment.get("refunds") or ()), Decimal(0))
    return max(Decimal(str(payment["amount"])) - back, Decimal(0))
