"""Stripe's objects as a source: `stripe:PATH`, a folder of what its API, or its webhooks, gave.

Stripe has no orders. What is paid for is named by the metadata key `order_id` of a charge or its payment
intent, an invoice or a subscription; where there is none, which order it is of is unknown.
"""

from __future__ import annotations

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
    text,
    unix,
    upper,
    whole,
    written_out,
)

STATUSES = {"canceled": "cancelled", "incomplete_expired": "cancelled"}
METHODS = {
    "card": "card", "us_bank_account": "bank_debit", "sepa_debit": "bank_debit", "bacs_debit": "bank_debit",
    "acss_debit": "bank_debit", "au_becs_debit": "bank_debit", "paypal": "wallet", "link": "wallet",
    "cashapp": "wallet", "amazon_pay": "wallet", "customer_balance": "transfer",
}  # fmt: skip
OUTCOMES = {"won": "won", "lost": "lost", "warning_closed": "withdrawn", "prevented": "withdrawn"}
REASONS = {
    "fraudulent", "unrecognized", "product_not_received", "product_unacceptable", "credit_not_processed", "duplicate",
    "subscription_canceled", "general",
}  # fmt: skip
LEVELS = {"normal": "low", "elevated": "medium", "highest": "high", "not_assessed": "none"}
REVIEWED = {
    "approved": "low", "refunded_as_fraud": "high", "disputed": "high", "canceled": "none", "refunded": "none",
    "redacted": "none",
}  # fmt: skip
CODES = {"pass": "match", "fail": "no_match", "unavailable": "unavailable", "unchecked": "unavailable"}
KNOWN = {
    "charge", "payment_intent", "payment_method", "refund", "dispute", "review", "subscription", "invoice",
    "radar.early_fraud_warning",
}  # fmt: skip
HELD = {("event", "data"), ("charge", "refunds")}
Objects = dict[str, dict[str, tuple[Payload, datetime]]]


def open_stripe(folder: str | Path, key: bytes) -> PayloadSource:
    """The source of a folder of Stripe's objects: lists, events, single objects, or a file of resources."""
    return PayloadSource(folder, "stripe", adapt, key)


def adapt(rows: Rows, contents: Sequence[tuple[Any, datetime]]) -> None:
    """Put objects into rows; what names another object is looked up among them all."""
    found: Objects = {kind: {} for kind in KNOWN}
    for content, seen in sorted(contents, key=lambda each: _happened(each[0])):
        for one in objects(content):
            found[one["object"]][str(one.get("id"))] = (one, seen)
    for kind, adapter, tables in (
        ("charge", _charge, ("payments", "risk_signals", "buyers")), ("refund", _refund, ("refunds",)),
        ("dispute", _dispute, ("disputes",)), ("review", _review, ("risk_signals",)),
        ("radar.early_fraud_warning", _warning, ("risk_signals",)),
        ("subscription", _subscription, ("subscriptions",)), ("invoice", _invoice, ("invoices",)),
    ):  # fmt: skip
        if found[kind]:
            rows.tell(*tables)
        for one, seen in found[kind].values():
            adapter(rows, one, seen, found)


def _happened(content: Any) -> int:
    """Events in the order in which they happened, after what was fetched: the newest of an object counts."""
    created = at(content, "created") if at(content, "object") == "event" else None
    return created if isinstance(created, int) else 0


def objects(content: Any) -> Iterator[Payload]:
    """Every object that we know, wherever it stands."""
    if isinstance(content, list):
        for each in content:
            yield from objects(each)
    elif isinstance(content, dict):
        kind = content.get("object")
        if isinstance(kind, str) and kind in KNOWN:
            yield content
        for name, inner in content.items():
            # What an object holds of others may be a stub; what a list, an event or a file holds is whole.
            if not isinstance(kind, str) or kind == "list" or (kind, name) in HELD:
                yield from objects(inner)


def _other(found: Objects, kind: str, named: Any) -> Payload:
    """An object that another names, by its id or expanded; empty where it is not there."""
    if isinstance(named, dict):
        return named
    known = found[kind].get(str(named))
    return known[0] if known else {}


def _order(found: Objects, charge: Payload) -> Any:
    intent = _other(found, "payment_intent", charge.get("payment_intent"))
    return at(charge, "metadata", "order_id") or at(intent, "metadata", "order_id")


def _id(named: Any) -> Any:
    return named.get("id") if isinstance(named, dict) else named


def _charge(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    order, currency = _order(found, one), (one.get("currency"), upper)
    paid = one.get("status") == "succeeded" and one.get("captured") is True
    if one.get("status") == "succeeded":
        rows.add(
            "payments", one.get("id"), seen,
            order_id=(order, text), amount=(one.get("amount_captured" if paid else "amount"), whole), currency=currency,
            method=(at(one, "payment_method_details", "type"), text),
            paid_at=(one.get("created") if paid else None, unix),  # an authorisation is no payment yet
        )  # fmt: skip
    card = at(one, "payment_method_details", "card") or {}
    rows.add(
        "risk_signals", one.get("id"), seen,
        order_id=(order, text), payment_id=(one.get("id"), text), customer_id=(_id(one.get("customer")), text),
        email_hash=(at(one, "billing_details", "email") or one.get("receipt_email"), rows.hash),
        card_fingerprint=(card.get("fingerprint"), text),
        billing_hash=(_address(at(one, "billing_details", "address")), rows.hash),
        billing_country=(at(one, "billing_details", "address", "country"), upper),
        shipping_hash=(_address(at(one, "shipping", "address")), rows.hash),
        shipping_country=(at(one, "shipping", "address", "country"), upper),
        avs=(card.get("checks"), _avs), cvv=(at(card, "checks", "cvc_check"), mapped(CODES)),
        provider_level=(at(one, "outcome", "risk_level"), LEVELS.get), recorded_at=(one.get("created"), unix),
    )  # fmt: skip
    billing = one.get("billing_details") or {}
    rows.add(
        "buyers", one.get("id"), seen,
        order_id=(order, text), payment_id=(one.get("id"), text),
        customer_name=(billing.get("name") or at(one, "shipping", "name"), text),
        customer_email=(billing.get("email") or one.get("receipt_email"), text),
        billing_address=(billing.get("address"), _address),
        shipping_address=(at(one, "shipping", "address"), _address),
    )  # fmt: skip


def _avs(checks: Payload) -> str | None:
    """How far the bank knows the address, from what it says of the street and of the postcode."""
    street, postcode = checks.get("address_line1_check"), checks.get("address_postal_code_check")
    if street is None and postcode is None:
        return None
    if "fail" in (street, postcode):
        part = {"address_only": street, "postcode_only": postcode}
        return next((name for name, said in part.items() if said == "pass"), "no_match")
    return "match" if "pass" in (street, postcode) else "unavailable"


def _address(value: Any) -> str | None:
    return written_out(value, ("line1", "line2", "postal_code", "city", "state", "country"))


def _refund(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    if one.get("status") not in ("succeeded", None):  # what is pending or failed has not gone back
        return
    charge = _other(found, "charge", one.get("charge"))
    order = at(one, "metadata", "order_id") or _order(found, charge)
    rows.add(
        "refunds", one.get("id"), seen,
        order_id=(order, text), amount=(one.get("amount"), whole), currency=(one.get("currency"), upper),
        method=("original", text), refunded_at=(one.get("created"), unix),
    )  # fmt: skip


def _dispute(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    charge = _other(found, "charge", one.get("charge"))
    status = one.get("status")
    inquiry = str(status).startswith("warning") or at(one, "payment_method_details", "card", "case_type") == "inquiry"
    rows.add(
        "disputes", one.get("id"), seen,
        order_id=(at(one, "metadata", "order_id") or _order(found, charge), text),
        payment_id=(_id(one.get("charge")), text), kind=("inquiry" if inquiry else "chargeback", text),
        reason=(one.get("reason"), lambda word: word if word in REASONS else "general"),
        network_reason_code=(at(one, "payment_method_details", "card", "network_reason_code"), text),
        amount=(one.get("amount"), whole), currency=(one.get("currency"), upper),
        opened_at=(one.get("created"), unix), evidence_due_at=(at(one, "evidence_details", "due_by"), unix),
        outcome=(OUTCOMES.get(str(status)), text),
    )  # fmt: skip


def _review(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    """A review says how risky the provider's rules, and later a reviewer, called a charge.

    When it was closed is told by nobody: that it is, is known since it was read.
    """
    closed = one.get("open") is False
    _signal(rows, one, seen, found, REVIEWED.get(str(one.get("closed_reason"))) if closed else "medium", late=closed)


def _warning(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    """The issuer's early warning of fraud."""
    _signal(rows, one, seen, found, "high")


def _signal(rows: Rows, one: Payload, seen: datetime, found: Objects, level: str | None, *, late: bool = False) -> None:
    charge = _other(found, "charge", one.get("charge"))
    rows.add(
        "risk_signals", one.get("id"), seen,
        order_id=(_order(found, charge), text), payment_id=(_id(one.get("charge")), text), provider_level=(level, text),
        recorded_at=(int(seen.timestamp()) if late else one.get("created"), unix),
    )  # fmt: skip


def _subscription(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    items = at(one, "items", "data") or []
    prices = [(at(item, "price", "unit_amount"), item.get("quantity", 1)) for item in items]
    amount = None if not prices or any(None in pair for pair in prices) else sum(p * q for p, q in prices)
    method = _other(found, "payment_method", one.get("default_payment_method"))
    paused = one.get("status") == "active" and bool(one.get("pause_collection"))
    rows.add(
        "subscriptions", one.get("id"), seen,
        customer_id=(_id(one.get("customer")), text),
        status=("paused" if paused else one.get("status"), mapped(STATUSES)),
        plan=(at(items, 0, "price", "lookup_key") or at(items, 0, "price", "id"), text), amount=(amount, whole),
        currency=(one.get("currency"), upper), started_at=(one.get("start_date"), unix),
        # `canceled_at` is when somebody asked for it, which may be long before it ends.
        cancelled_at=(one.get("ended_at"), unix),
        next_charge_at=(at(items, 0, "current_period_end") or one.get("current_period_end"), unix),
        method_kind=(method.get("type"), mapped(METHODS)), method_expires_at=(method.get("card"), _card_ends),
        method_country=(at(method, "card", "country"), upper),
    )  # fmt: skip


def _card_ends(card: Any) -> datetime:
    """A card is good to the end of its month."""
    year, month = whole(card["exp_year"]), whole(card["exp_month"])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _invoice(rows: Rows, one: Payload, seen: datetime, found: Objects) -> None:
    named = one.get("subscription") or at(one, "parent", "subscription_details", "subscription")
    if named is None:  # a bill of no subscription
        return
    intent = _other(found, "payment_intent", one.get("payment_intent"))
    charge = _other(found, "charge", one.get("charge") or intent.get("latest_charge"))
    code = at(intent, "last_payment_error", "decline_code") or at(charge, "outcome", "reason")
    unpaid = one.get("status") != "paid"
    rows.add(
        "invoices", one.get("id"), seen,
        subscription_id=(_id(named), text), order_id=(at(one, "metadata", "order_id"), text),
        amount=(one.get("amount_due"), whole), currency=(one.get("currency"), upper),
        created_at=(one.get("created"), unix), due_at=(one.get("due_date") or one.get("effective_at"), unix),
        paid_at=(at(one, "status_transitions", "paid_at"), unix), attempts=(one.get("attempt_count"), whole),
        next_attempt_at=(one.get("next_payment_attempt"), unix), decline_code=(code if unpaid else None, text),
        status=(one.get("status"), text),
    )  # fmt: skip
