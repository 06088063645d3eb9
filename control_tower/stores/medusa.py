"""Medusa as a store, through its Admin REST API: refunds, read back by the note in which our key is.

Medusa forgets keys, and its 400 can lie: a refund that it calls refused may be recorded all the same. What counts is
the list of refunds of the order's payments.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from control_tower.errors import OutcomeUnknown, StoreBusy, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import HANDS, Abilities, StoreEffect

if TYPE_CHECKING:
    import httpx

TIMEOUT = 20.0
SETTLES_WITHIN = 30.0
"""Seconds: longer than any call of ours may take, so that none is still on its way."""
MARK = "tower:"
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
        self.http: httpx.Client = httpx.Client(
            base_url=url.rstrip("/"), auth=httpx.BasicAuth(key, ""), timeout=timeout, trust_env=False
        )

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
                money=_money(each["amount"], order["currency_code"]), state="refunded",
                prior={
                    "payment": str(payment["id"]),
                    "paid_amount": _money(payment["amount"], order["currency_code"]).amount,
                },
                at=datetime.fromisoformat(each["created_at"]),
            )
            for payment in _payments(order)
            for each in payment.get("refunds") or ()
            if key and str(each.get("note") or "").split(" ", 1)[0] == f"{MARK}{key}"
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
        return _money(sum((_left(each) for each in _payments(order)), Decimal(0)), order["currency_code"])

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
        amount = _decimal(money)
        payment = next((each for each in _payments(order) if _left(each) >= amount), None)
        if payment is None:
            raise StoreError(f"no single payment has {money} left", where=where, remedy="refund it in Medusa")
        asked = {"amount": float(amount), "note": f"{MARK}{key} {reason}"[:500]}
        self._ask("POST", f"/admin/payments/{payment['id']}/refund", where, json=asked)
        try:
            found = self.effects(key, order_id)
        except StoreError as fault:
            raise OutcomeUnknown(f"can't be read back: {fault.what}", where=where) from fault
        if not found:
            raise OutcomeUnknown("Medusa said yes and shows nothing", where=where)
        return found[-1]

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
        try:
            found = self._ask("GET", f"/admin/orders/{order_id}", f"order {order_id}", params={"fields": FIELDS})
        except OutcomeUnknown as fault:
            raise StoreError(f"Medusa can't be read: {fault.what}", where=f"order {order_id}") from None
        order: dict[str, Any] | None = found and found["order"]
        return order

    def _ask(self, method: str, path: str, where: str, **rest: Any) -> dict[str, Any] | None:
        """One call; None where there is nothing of this name.

        Raises:
            StoreError: it was refused, or says so.
            OutcomeUnknown: no answer, or one that says nothing.
        """
        import httpx

        try:
            answer = self.http.request(method, path, **rest)
        except httpx.HTTPError as fault:
            raise OutcomeUnknown(f"Medusa gave no answer: {type(fault).__name__}", where=where) from None
        if answer.status_code in (401, 403):
            raise StoreError("Medusa refuses the key", where=where, remedy="see TOWER_MEDUSA_KEY")
        if answer.status_code == 429:
            raise StoreBusy("Medusa asks us to come again later", where=where)
        if answer.status_code == 404 and method == "GET":
            return None
        try:
            content = answer.json()
        except ValueError:
            content = None
        if 400 <= answer.status_code < 500:
            told = str(content.get("message", "")) if isinstance(content, dict) else ""
            raise StoreError(f"Medusa refuses: {told[:300] or answer.status_code}", where=where)
        if answer.status_code >= 500 or not isinstance(content, dict):
            raise OutcomeUnknown(f"Medusa failed inside: {answer.status_code}", where=where)
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


def _digits(currency: str) -> int:
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency.upper()))


def _money(amount: Any, currency: str) -> Money:
    minor = Decimal(str(amount)).scaleb(_digits(currency))
    return Money(amount=int(minor.to_integral_value()), currency=currency.upper())


def _decimal(money: Money) -> Decimal:
    return Decimal(money.amount).scaleb(-_digits(money.currency))
