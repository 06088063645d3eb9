"""Shopify as a store, through its Admin GraphQL API: refunds, holds of our own, and their release.

Our key is the refund's idempotency key and the first word of its note; it is the handle of a hold. A release leaves no
trace of its own, so it is announced in a metafield of the order, and counts when our hold is gone too. A reship has no
place for a key in Shopify, and is refused. Never run against the real service; docs/stores.md says what was.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.nouns import Money, as_json
from control_tower.stores import shopify_api as api
from control_tower.stores.protocol import HANDS, Abilities, Standing, StoreEffect
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

HOLDABLE = ("OPEN", "ON_HOLD", "SCHEDULED")
STANDINGS = {"SUCCESS": Standing.done, "FAILURE": Standing.failed, "ERROR": Standing.failed}


class ShopifyStore:
    """The orders of one Shopify shop, each by its number as payloads and exports name it.

    Args:
        shop: its address, as in https://example.myshopify.com.
        token: an Admin API access token with read_orders, write_orders and write_merchant_managed_fulfillment_orders.
    """

    def __init__(self, shop: str, token: str, settles_within: float = SETTLES_WITHIN, timeout: float = TIMEOUT) -> None:
        self.settles_within = settles_within
        self.url = f"{shop.rstrip('/')}/admin/api/{api.VERSION}/graphql.json"
        remedy = "docs/stores.md names the scopes"
        self.web = Web("Shopify", remedy, timeout, headers={"X-Shopify-Access-Token": token})

    @property
    def abilities(self) -> Abilities:
        """Refunds, holds and releases."""
        return Abilities(
            actions={
                "refund": HANDS["refund"].model_copy(update={"prior": ("parent", "paid_amount")}),
                "hold": HANDS["hold"].model_copy(update={"prior": ("open_holds",)}),
                "release": HANDS["release"].model_copy(update={"prior": ("reason",)}),
            },
            settles_within=self.settles_within,
            remembers_keys=timedelta(hours=24),
        )

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """Everything that the order shows under our key, oldest first.

        Raises:
            StoreError: Shopify can't be read.
        """
        order = self._read(order_id)
        if order is None or not key:
            return ()
        found = [*_refunds(order, order_id, key), *_held(order, order_id, key), *_released(order, order_id, key)]
        return tuple(sorted(found, key=lambda each: each.at))

    def refundable(self, order_id: str) -> Money | None:
        """What was paid and not yet refunded.

        Raises:
            StoreError: Shopify can't be read.
        """
        order = self._read(order_id)
        if order is None:
            return None
        left = sum((_left(order, each) for each in _payments(order)), Decimal(0))
        return in_minor(left, order["currencyCode"])

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """Refund one payment of the order; never more than was paid.

        Raises:
            StoreError: Shopify refuses, or no single payment has so much left.
            OutcomeUnknown: it gave no answer.
        """
        order, where = self._order(order_id), f"order {order_id}"
        if not order["currencyCode"] == order["presentmentCurrencyCode"] == money.currency:
            paid = f"{order['presentmentCurrencyCode']} in a shop of {order['currencyCode']}"
            raise StoreError(f"was paid in {paid}; {money} is refunded in Shopify", where=where)
        amount = in_units(money)
        parent = next((each for each in _payments(order) if _left(order, each) >= amount), None)
        if parent is None or amount <= 0:
            raise StoreError(f"no single payment has {money} left", where=where, remedy="refund it in Shopify")
        if return_id is not None:
            self._refund_return(order, key, return_id, parent["id"], money, reason)
            return self._recorded(key, order_id, where)
        transaction = {
            "orderId": order["id"], "parentId": parent["id"], "gateway": parent["gateway"], "kind": "REFUND",
            "amount": str(amount),
        }  # fmt: skip
        given = {
            "orderId": order["id"], "note": marked(key, reason), "notify": False,
            "transactions": [transaction],
        }  # fmt: skip
        self._act(api.REFUND, {"input": given, "key": key}, where, "refundCreate")
        return self._recorded(key, order_id, where)

    def _refund_return(
        self, order: dict[str, Any], key: str, return_id: str, parent: str, money: Money, reason: str
    ) -> None:
        """Refund through a return, so that Shopify settles it too.

        `returnProcess` takes no key and leaves no words to read back, so the return's refunds of before are written
        down first: one more, of this amount, is what was approved.
        """
        where, returned = f"return {return_id}", f"gid://shopify/Return/{return_id}"
        if not any(each["id"] == returned and each["status"] == "OPEN" for each in order["returns"]["nodes"]):
            raise StoreError("is no open return of this order", where=where)
        if not any(line["key"] == key for line in _log_of(order)):
            before = [each["id"] for each in order["refunds"] if (each["return"] or {}).get("id") == returned]
            line = {"key": key, "action": "refund", "target": returned, "amount": money.amount, "before": before}
            self._log(order, line, where)
        amount = {"amount": str(in_units(money)), "currencyCode": money.currency}
        issued = {"issueRefund": {"orderTransactions": [{"parentId": parent, "transactionAmount": amount}]}}
        given = {
            "returnId": returned,
            "note": marked(key, reason),
            "notifyCustomer": False,
            "financialTransfer": issued,
        }
        self._act(api.RETURN, {"input": given}, where, "returnProcess")

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Hold every part of the order that has not left, under a handle of our own.

        Raises:
            StoreError: nothing is left to hold, or Shopify refuses.
            OutcomeUnknown: it gave no answer.
        """
        order, where = self._order(order_id), f"order {order_id}"
        parts = [each for each in order["fulfillmentOrders"]["nodes"] if each["status"] in HOLDABLE]
        if not parts:
            raise StoreError("has left, and can't be held", where=where)
        for part in parts:
            if any(each["handle"] == key for each in _ours(part)):
                continue  # held by an earlier try
            held = {"reason": "OTHER", "reasonNotes": reason[:255], "handle": key, "notifyMerchant": False}
            self._act(api.HOLD, {"id": part["id"], "hold": held}, where, "fulfillmentOrderHold")
        return self._recorded(key, order_id, where)

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Release our holds of one handle, and no other.

        Raises:
            StoreError: it is not open, or Shopify refuses.
            OutcomeUnknown: it gave no answer.
        """
        order_id, _, handle = hold_id.partition("/")
        order, where = self._order(order_id), f"hold {hold_id}"
        held = [
            (part["id"], each)
            for part in order["fulfillmentOrders"]["nodes"]
            for each in _ours(part)
            if each["handle"] == handle
        ]
        if not held:
            raise StoreError("is no open hold of ours", where=where)
        if not any(line["key"] == key for line in _log_of(order)):
            words = str(held[0][1]["reasonNotes"] or "")
            line = {"key": key, "action": "release", "target": handle, "reason": words}
            self._log(order, line, where)
        for part, each in held:
            self._act(api.RELEASE, {"id": part, "holds": [each["id"]]}, where, "fulfillmentOrderReleaseHold")
        return self._recorded(key, order_id, where)

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Refused."""
        _cannot("reship")

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Refused."""
        _cannot("cancelling of a reship")

    def _log(self, order: dict[str, Any], line: dict[str, Any], where: str) -> None:
        known = order["metafield"]
        field = {
            "ownerId": order["id"], "namespace": "control_tower", "key": "log", "type": "json",
            "value": json.dumps([*_log_of(order), line | {"at": as_json(datetime.now(UTC))}]),
            # Written only over what was read: whoever else writes meanwhile is not undone.
            "compareDigest": known["compareDigest"] if known else None,
        }  # fmt: skip
        self._act(api.LOG, {"metafields": [field]}, where, "metafieldsSet")

    def _recorded(self, key: str, order_id: str, where: str) -> StoreEffect:
        return recorded(self, "Shopify", key, order_id, where)

    def _order(self, order_id: str) -> dict[str, Any]:
        order = self._read(order_id)
        if order is None:
            raise StoreError("Shopify knows no such order", where=f"order {order_id}")
        return order

    def _read(self, order_id: str) -> dict[str, Any] | None:
        if not (order_id.isascii() and order_id.isdecimal()):
            return None
        with reading("Shopify", f"order {order_id}"):
            data = self.web.graphql(self.url, api.ORDER, {"id": f"gid://shopify/Order/{order_id}"})
        order: dict[str, Any] | None = data["order"]
        return order

    def _act(self, mutation: str, given: dict[str, Any], where: str, field: str) -> None:
        with acting(where):
            result = self.web.graphql(self.url, mutation, given)[field]
        if result is None:
            raise OutcomeUnknown("Shopify answered with nothing", where=where)
        if result["userErrors"]:
            told = "; ".join(str(each["message"]) for each in result["userErrors"])[:300]
            raise StoreError(f"Shopify refuses: {told}", where=where)


def _cannot(what: str) -> NoReturn:
    raise StoreError(
        f"Shopify has no place for our key in a {what}, and it is not done here", remedy="do it in Shopify"
    )


def _amount(of: dict[str, Any]) -> Decimal:
    return Decimal(of["amountSet"]["shopMoney"]["amount"])


def _payments(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each for each in order["transactions"] if each["kind"] in ("SALE", "CAPTURE") and each["status"] == "SUCCESS"
    ]


def _left(order: dict[str, Any], payment: dict[str, Any]) -> Decimal:
    """What is left of a payment: what failed was not paid back, and what is pending may be."""
    back = [
        _amount(each)
        for refund in order["refunds"]
        for each in refund["transactions"]["nodes"]
        if each["kind"] == "REFUND"
        and STANDINGS.get(each["status"]) is not Standing.failed
        and (each["parentTransaction"] or {}).get("id") == payment["id"]
    ]
    return max(_amount(payment) - sum(back, Decimal(0)), Decimal(0))


def _refunds(order: dict[str, Any], order_id: str, key: str) -> list[StoreEffect]:
    found = []
    through_return = _through_a_return(order, key)
    for each in order["refunds"]:
        if not is_marked(each["note"], key) and each["id"] not in through_return:
            continue
        moves = each["transactions"]["nodes"]
        standings = [STANDINGS.get(move["status"], Standing.pending) for move in moves]
        worst = next((each for each in (Standing.pending, Standing.failed) if each in standings), Standing.done)
        parent = next(
            (p for p in _payments(order) if moves and (moves[0]["parentTransaction"] or {}).get("id") == p["id"]), None
        )
        total = sum((_amount(move) for move in moves), Decimal(0))
        found.append(
            StoreEffect(
                key=key, action="refund", reference=each["id"], order_id=order_id,
                money=in_minor(total, order["currencyCode"]),
                state=", ".join(sorted({move["status"].lower() for move in moves})) or "no transaction",
                standing=worst if moves else Standing.pending,
                prior={
                    "parent": parent["id"] if parent else "",
                    "paid_amount": in_minor(_amount(parent), order["currencyCode"]).amount if parent else 0,
                },
                at=datetime.fromisoformat(each["createdAt"]),
            )
        )  # fmt: skip
    return found


def _through_a_return(order: dict[str, Any], key: str) -> set[str]:
    """The refunds of a return that came after ours was announced, of the amount that was announced."""
    return {
        each["id"]
        for line in _log_of(order)
        if line["key"] == key and line["action"] == "refund"
        for each in order["refunds"]
        if (each["return"] or {}).get("id") == line["target"]
        and each["id"] not in line["before"]
        and in_minor(each["totalRefundedSet"]["shopMoney"]["amount"], order["currencyCode"]).amount == line["amount"]
    }


def _ours(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in part["fulfillmentHolds"] if each["heldByRequestingApp"]]


def _held(order: dict[str, Any], order_id: str, key: str) -> list[StoreEffect]:
    """Our hold on every part that can be held; half of one is none yet, and a released one was one."""
    parts = [each for each in order["fulfillmentOrders"]["nodes"] if each["status"] in HOLDABLE]
    on = [part for part in parts if any(each["handle"] == key for each in _ours(part))]
    released = [line for line in _log_of(order) if line["action"] == "release" and line["target"] == key]
    if not on and not released:
        return []
    others = sorted({each["id"] for part in parts for each in part["fulfillmentHolds"] if each["handle"] != key})
    whole = len(on) == len(parts) or bool(released)
    return [
        StoreEffect(
            key=key, action="hold", reference=f"{order_id}/{key}", order_id=order_id, money=None,
            state="released" if released and not on else "on_hold" if whole else "partly held",
            standing=Standing.done if whole else Standing.pending,
            prior={"open_holds": list(others)}, at=datetime.now(UTC),
        )
    ]  # fmt: skip


def _released(order: dict[str, Any], order_id: str, key: str) -> list[StoreEffect]:
    """A release that was announced, once our hold is gone."""
    standing = {each["handle"] for part in order["fulfillmentOrders"]["nodes"] for each in _ours(part)}
    return [
        StoreEffect(
            key=key, action="release", reference=f"{order_id}/{line['target']}", order_id=order_id, money=None,
            state="released", prior={"reason": line.get("reason", "")}, at=datetime.fromisoformat(line["at"]),
        )
        for line in _log_of(order)
        if line["key"] == key and line["action"] == "release" and line["target"] not in standing
    ]  # fmt: skip


def _log_of(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The releases, and the refunds of returns, that were announced.

    Raises:
        StoreError: somebody else has written there what is no log.
    """
    try:
        lines = json.loads(order["metafield"]["value"]) if order["metafield"] else []
        sound = isinstance(lines, list) and all({"key", "action", "target", "at"} <= set(line) for line in lines)
    except (ValueError, TypeError):
        sound = False
    if not sound:
        raise StoreError("its control_tower.log is damaged", where=order["id"], remedy="mend it in Shopify")
    return list(lines)
