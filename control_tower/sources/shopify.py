"""Shopify's REST payloads, as fetched or sent by webhooks: orders, transactions, risks and disputes, into rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from control_tower.sources.payloads import Payload, Rows, at, iso, mapped, minor, text, upper, whole, written_out

PLURALS = {
    "orders": "order", "transactions": "transaction", "refunds": "refund", "fulfillments": "fulfillment",
    "fulfillment_events": "fulfillment_event", "risks": "risk", "disputes": "dispute",
}  # fmt: skip
KINDS = tuple(PLURALS.values())
PAID = ("paid", "partially_refunded", "refunded")
GIVEN_UP = ("cancelled", "error", "failure")
MOVING = ("in_transit", "out_for_delivery", "attempted_delivery", "delayed", "picked_up")
CODES = {
    "label_printed": "pre_transit", "label_purchased": "pre_transit", "confirmed": "pre_transit",
    "picked_up": "in_transit", "delayed": "in_transit", "attempted_delivery": "in_transit",
    "ready_for_pickup": "available_for_pickup",
}  # fmt: skip
OUTCOMES = {"won": "won", "lost": "lost", "accepted": "lost"}
LEVELS = {"accept": "low", "investigate": "medium", "cancel": "high"}
REASONS = {
    "fraudulent", "unrecognized", "product_not_received", "product_unacceptable", "credit_not_processed", "duplicate",
    "general",
}  # fmt: skip
Currencies = dict[str, str]


def adapt(rows: Rows, contents: Sequence[tuple[Any, datetime]]) -> None:
    """Put payloads into rows, orders first: what names no currency is in that of its order."""
    found = [(kind, one, seen) for content, seen in contents for kind, one in objects(content)]
    found.sort(key=lambda each: _updated(each[1]))
    orders = [one for kind, one, _ in found if kind == "order" and one.get("currency")]
    currencies = {str(order.get("id")): str(order["currency"]) for order in orders}
    for kind, one, seen in found:
        adapter, tables = ADAPTERS[kind]
        rows.tell(*tables)
        rows.version = _updated(one)
        adapter(rows, one, seen, currencies)


def _updated(one: Payload) -> datetime:
    """When an object was written last: of two views of one, the newer counts."""
    try:
        return iso(one.get("updated_at"))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def objects(content: Any, inside: str = "") -> Iterator[tuple[str, Payload]]:
    """Every object that we know, with its kind: under its name, in a list, or inside an order or a refund."""
    if isinstance(content, list):
        for each in content:
            if inside and not (isinstance(each, dict) and inside in each):
                yield from _object(inside, each)
            else:
                yield from objects(each)
    elif isinstance(content, dict):
        for name, inner in content.items():
            if name in KINDS and isinstance(inner, dict):
                yield from _object(name, inner)
            elif name in PLURALS and isinstance(inner, list):
                yield from objects(inner, PLURALS[name])


def _object(kind: str, one: Any) -> Iterator[tuple[str, Payload]]:
    if isinstance(one, dict):
        yield kind, one
        yield from objects({name: inner for name, inner in one.items() if name in PLURALS})


def _currency(one: Payload, rows: Rows, currencies: Currencies) -> str:
    return str(one.get("currency") or currencies.get(str(one.get("order_id"))) or rows.shop.currency).upper()


def _order(rows: Rows, one: Payload, seen: datetime, currencies: Currencies) -> None:
    if one.get("test") is True:
        return
    currency, order = _currency(one, rows, currencies), one.get("id")
    money = minor(currency)
    if one.get("cancelled_at"):
        status = "cancelled"
    elif one.get("fulfillment_status") == "fulfilled":
        status = "shipped"
    else:
        status = "approved" if one.get("financial_status") in PAID else "created"
    rows.add(
        "orders", order, seen,
        customer_id=(at(one, "customer", "id"), text), status=(status, text), placed_at=(one.get("created_at"), iso),
        cancelled_at=(one.get("cancelled_at"), iso), currency=(currency, text),
        total_amount=(one.get("total_price"), money),
        ship_to_country=(at(one, "shipping_address", "country_code"), upper),
    )  # fmt: skip
    for line in one.get("line_items") or ():
        rows.add(
            "order_lines", line.get("id"), seen,
            order_id=(order, text), sku=(line.get("sku") or line.get("variant_id"), text),
            quantity=(line.get("quantity"), whole), unit_amount=(line.get("price"), money), currency=(currency, text),
        )  # fmt: skip
    rows.add(
        "risk_signals", f"order-{order}", seen,
        order_id=(order, text), customer_id=(at(one, "customer", "id"), text), email_hash=(one.get("email"), rows.hash),
        ip_hash=(_device(one), lambda found: rows.hash(_network_address(found) or "")),
        billing_hash=(_address(one.get("billing_address")), rows.hash),
        billing_country=(at(one, "billing_address", "country_code"), upper),
        shipping_hash=(_address(one.get("shipping_address")), rows.hash),
        shipping_country=(at(one, "shipping_address", "country_code"), upper),
        account_created_at=(at(one, "customer", "created_at"), iso), recorded_at=(one.get("created_at"), iso),
    )  # fmt: skip
    name = " ".join(str(part) for part in (at(one, "customer", "first_name"), at(one, "customer", "last_name")) if part)
    rows.add(
        "buyers", order, seen,
        order_id=(order, text), customer_name=(name or at(one, "billing_address", "name"), text),
        customer_email=(one.get("email"), text), billing_address=(one.get("billing_address"), _address),
        shipping_address=(one.get("shipping_address"), _address),
        purchase_ip=(_device(one), _network_address),
    )  # fmt: skip


def _address(value: Any) -> str | None:
    return written_out(value, ("address1", "address2", "zip", "city", "province", "country"))


def _device(one: Payload) -> Any:
    return one.get("browser_ip") or at(one, "client_details", "browser_ip")


def _network_address(value: Any) -> str | None:
    """An IP address; 0.0.0.0 is written where none was seen."""
    found = ipaddress.ip_address(str(value))
    return None if found.is_unspecified else str(found)


def _transaction(rows: Rows, one: Payload, seen: datetime, currencies: Currencies) -> None:
    """An authorisation is no payment yet, a void is none, and what failed moved nothing."""
    kind = one.get("kind")
    if one.get("test") is True or one.get("status") != "success" or kind not in ("sale", "capture", "refund"):
        return
    currency = _currency(one, rows, currencies)
    happened = one.get("processed_at") or one.get("created_at")
    shared = {
        "order_id": (one.get("order_id"), text), "amount": (one.get("amount"), minor(currency)),
        "currency": (currency, text),
    }  # fmt: skip
    if kind == "refund":
        rows.add("refunds", one.get("id"), seen, **shared, refunded_at=(happened, iso))
    else:
        rows.add("payments", one.get("id"), seen, **shared, method=(one.get("gateway"), text), paid_at=(happened, iso))


def _fulfillment(rows: Rows, one: Payload, seen: datetime, _: Currencies) -> None:
    moved = one.get("shipment_status")
    if one.get("status") in GIVEN_UP:
        status = "cancelled"
    else:
        status = "delivered" if moved == "delivered" else "in_transit" if moved in MOVING else "label"
    rows.add(
        "fulfillments", one.get("id"), seen,
        order_id=(one.get("order_id"), text), status=(status, text), carrier=(one.get("tracking_company"), text),
        service=(one.get("service"), text), tracking_code=(one.get("tracking_number"), text),
        warehouse_id=(one.get("location_id"), text), label_created_at=(one.get("created_at"), iso),
    )  # fmt: skip


def _event(rows: Rows, one: Payload, seen: datetime, _: Currencies) -> None:
    rows.add(
        "shipment_events", one.get("id"), seen,
        fulfillment_id=(one.get("fulfillment_id"), text), order_id=(one.get("order_id"), text),
        code=(one.get("status"), mapped(CODES)), occurred_at=(one.get("happened_at"), iso),
        place=(one.get("city"), text),
    )  # fmt: skip


def _risk(rows: Rows, one: Payload, seen: datetime, _: Currencies) -> None:
    """Nobody says when a risk was assessed: it is known since it was read."""
    rows.add(
        "risk_signals", one.get("id"), seen,
        order_id=(one.get("order_id"), text), provider_level=(one.get("recommendation"), LEVELS.get),
        recorded_at=(seen.isoformat(), iso),
    )  # fmt: skip


def _dispute(rows: Rows, one: Payload, seen: datetime, currencies: Currencies) -> None:
    currency = _currency(one, rows, currencies)
    rows.add(
        "disputes", one.get("id"), seen,
        order_id=(one.get("order_id"), text), kind=(one.get("type"), text), reason=(one.get("reason"), _reason),
        network_reason_code=(one.get("network_reason_code"), text), amount=(one.get("amount"), minor(currency)),
        currency=(currency, text), opened_at=(one.get("initiated_at"), iso),
        evidence_due_at=(one.get("evidence_due_by"), iso), evidence_sent_at=(one.get("evidence_sent_on"), iso),
        closed_at=(one.get("finalized_on"), iso), outcome=(OUTCOMES.get(str(one.get("status"))), text),
    )  # fmt: skip


def _reason(word: Any) -> str:
    return "subscription_canceled" if word == "subscription_cancelled" else word if word in REASONS else "general"


def _refund(rows: Rows, one: Payload, seen: datetime, _: Currencies) -> None:
    """That there is a refund does not say that the money went back; the transactions inside it do."""


ADAPTERS: dict[str, tuple[Callable[[Rows, Payload, datetime, Currencies], None], tuple[str, ...]]] = {
    "order": (_order, ("orders", "order_lines", "risk_signals", "buyers")),
    "transaction": (_transaction, ("payments", "refunds")),
    "refund": (_refund, ("refunds",)),
    "fulfillment": (_fulfillment, ("fulfillments",)),
    "fulfillment_event": (_event, ("shipment_events",)),
    "risk": (_risk, ("risk_signals",)),
    "dispute": (_dispute, ("disputes",)),
}
