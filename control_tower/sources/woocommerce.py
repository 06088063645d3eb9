"""WooCommerce's REST v3 as a source: `woocommerce:PATH`, a folder of orders and refunds, fetched or sent by webhooks.

Amounts are text, times are UTC in the columns that end in _gmt, and there is no tracking: that is a plugin's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from control_tower.sources.payloads import (
    Payload,
    PayloadSource,
    Rows,
    at,
    mapped,
    minor,
    text,
    upper,
    whole,
    written_out,
)

STATUSES = {
    "pending": "created", "on-hold": "created", "failed": "created", "processing": "processing",
    "completed": "shipped", "cancelled": "cancelled",
}  # fmt: skip
BASKETS = ("checkout-draft", "auto-draft", "trash")
Orders = dict[str, Payload]


def open_woocommerce(folder: str | Path, key: bytes) -> PayloadSource:
    """The source of a folder of WooCommerce's orders and refunds."""
    return PayloadSource(folder, "woocommerce", adapt, key)


def adapt(rows: Rows, contents: Sequence[tuple[Any, datetime]]) -> None:
    """Put orders and refunds into rows; of two views of an order the newer counts, and it names its refunds."""
    found = [(one, seen) for content, seen in contents for one in objects(content)]
    found.sort(key=lambda each: _modified(each[0]))
    orders = {str(one.get("id")): (one, seen) for one, seen in found if not is_refund(one)}
    of_refund: Orders = {}
    for one, seen in orders.values():
        if one.get("status") not in BASKETS:
            _order(rows, one, seen)
        for stub in _listed(one.get("refunds")):
            of_refund[str(at(stub, "id"))] = one
            _refund(rows, stub, seen, one)
    for one, seen in found:
        if is_refund(one):
            named = orders.get(str(one.get("parent_id")))
            _refund(rows, one, seen, of_refund.get(str(one.get("id"))) or (named[0] if named else {}))


def objects(content: Any) -> Iterator[Payload]:
    """Every order and refund, wherever it stands; what an order holds of its refunds are stubs, and stay with it."""
    if isinstance(content, dict) and ("order_key" in content or is_refund(content)):
        yield content
        return
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from objects(inner)


def is_refund(one: Payload) -> bool:
    """Whether an object is a refund, and no order."""
    return "refunded_by" in one or "refunded_payment" in one


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _modified(one: Payload) -> datetime:
    try:
        return gmt(one.get("date_modified_gmt") or one.get("date_created_gmt"))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def gmt(value: Any) -> datetime:
    """A time of a column that ends in _gmt, which has no offset because it is UTC."""
    moment = datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _status(one: Payload) -> Any:
    """What was refunded whole was sent if it was completed before, and otherwise never will be."""
    if one.get("status") == "refunded":
        return "shipped" if one.get("date_completed_gmt") else "cancelled"
    return one.get("status")


def _since(one: Payload) -> Any:
    """Since when a status holds, where WooCommerce dates it."""
    dated = {"processing": "date_paid_gmt", "completed": "date_completed_gmt", "pending": "date_created_gmt"}
    return one.get(dated.get(str(one.get("status")), ""))


def _order(rows: Rows, one: Payload, seen: datetime) -> None:
    rows.tell("orders", "order_lines", "payments", "refunds", "risk_signals", "buyers")
    order, currency = one.get("id"), _currency(one, rows)
    guest = str(one.get("customer_id") or "0") == "0"
    rows.add(
        "orders", order, seen,
        customer_id=(None if guest else one.get("customer_id"), text), status=(_status(one), mapped(STATUSES)),
        status_at=(_since(one), gmt), placed_at=(one.get("date_created_gmt"), gmt),
        approved_at=(one.get("date_paid_gmt"), gmt), currency=(currency, text),
        total_amount=(one.get("total"), minor(currency)), ship_to_country=(at(one, "shipping", "country"), upper),
    )  # fmt: skip
    for line in _listed(one.get("line_items")):
        rows.add(
            "order_lines", at(line, "id"), seen,
            order_id=(order, text), sku=(at(line, "sku") or at(line, "variation_id") or at(line, "product_id"), text),
            quantity=(at(line, "quantity"), whole), unit_amount=(line, _unit(currency)), currency=(currency, text),
        )  # fmt: skip
    if one.get("date_paid_gmt") and one.get("total") not in ("0", "0.00", 0):
        rows.add(
            "payments", f"order-{order}", seen,
            order_id=(order, text), amount=(one.get("total"), minor(currency)), currency=(currency, text),
            method=(one.get("payment_method"), text), paid_at=(one.get("date_paid_gmt"), gmt),
        )  # fmt: skip
    _buyer(rows, one, seen, None if guest else one.get("customer_id"))


def _currency(one: Payload, rows: Rows) -> str:
    named = one.get("currency")
    return named.upper() if isinstance(named, str) and named else rows.shop.currency


def _unit(currency: str) -> Any:
    """What was paid for one piece with its tax; a fraction of a cent is left out, so that no piece repays more."""
    money = minor(currency)

    def read(line: Any) -> int:
        paid = money(at(line, "total") or "") + money(at(line, "total_tax") or "0")
        return int(paid // whole(at(line, "quantity")))

    return read


def _refund(rows: Rows, one: Payload, seen: datetime, order: Payload) -> None:
    """Also one that was paid back by hand: what is not counted would be paid twice."""
    currency = _currency(order, rows)
    rows.tell("refunds")
    rows.add(
        "refunds", at(one, "id"), seen,
        order_id=(order.get("id") or at(one, "parent_id") or None, text),
        amount=(at(one, "amount") or at(one, "total"), lambda value: abs(minor(currency)(value))),
        currency=(currency, text), method=("original" if at(one, "refunded_payment") is True else None, text),
        # An order tells of its refunds without a date: they were made when it was read.
        refunded_at=(at(one, "date_created_gmt") or seen.isoformat(), gmt),
    )  # fmt: skip


def _buyer(rows: Rows, one: Payload, seen: datetime, customer: Any) -> None:
    order, email = one.get("id"), at(one, "billing", "email")
    device = one.get("customer_ip_address")
    rows.add(
        "risk_signals", f"order-{order}", seen,
        order_id=(order, text), customer_id=(customer, text), email_hash=(email, rows.hash),
        ip_hash=(device, lambda value: rows.hash(_network_address(value))),
        billing_hash=(_address(one.get("billing")), rows.hash), billing_country=(at(one, "billing", "country"), upper),
        shipping_hash=(_address(one.get("shipping")), rows.hash),
        shipping_country=(at(one, "shipping", "country"), upper), recorded_at=(one.get("date_created_gmt"), gmt),
    )  # fmt: skip
    name = " ".join(str(part) for part in (at(one, "billing", "first_name"), at(one, "billing", "last_name")) if part)
    rows.add(
        "buyers", order, seen,
        order_id=(order, text), customer_name=(name, text), customer_email=(email, text),
        billing_address=(one.get("billing"), _address), shipping_address=(one.get("shipping"), _address),
        purchase_ip=(device, _network_address),
    )  # fmt: skip


def _address(value: Any) -> str | None:
    return written_out(value, ("address_1", "address_2", "postcode", "city", "state", "country"))


def _network_address(value: Any) -> str:
    return str(ipaddress.ip_address(str(value)))
