"""What payload sources give: canonical tables, and the columns of each that an API's payloads can fill.

The first column is the row's key. `source`, `source_id` and `observed_at` come beside. Types are the contracts'.
"""

from __future__ import annotations

SHAPES: dict[str, tuple[str, ...]] = {
    "orders": (
        "order_id", "customer_id", "status", "placed_at", "cancelled_at", "currency", "total_amount",
        "ship_to_country",
    ),
    "order_lines": ("line_id", "order_id", "sku", "quantity", "unit_amount", "currency"),
    "payments": ("payment_id", "order_id", "amount", "currency", "method", "paid_at"),
    "refunds": ("refund_id", "order_id", "amount", "currency", "method", "refunded_at"),
    "fulfillments": (
        "fulfillment_id", "order_id", "status", "carrier", "service", "tracking_code", "warehouse_id",
        "label_created_at", "delivered_at",
    ),
    "shipment_events": ("event_id", "fulfillment_id", "order_id", "code", "occurred_at", "place"),
    "returns": (
        "return_id", "order_id", "line_id", "sku", "quantity", "reason", "reason_text", "status", "requested_at",
        "approved_at", "closed_at",
    ),
    "subscriptions": (
        "subscription_id", "customer_id", "status", "plan", "amount", "currency", "started_at", "cancelled_at",
        "next_charge_at", "method_kind", "method_expires_at", "method_country",
    ),
    "invoices": (
        "invoice_id", "subscription_id", "order_id", "amount", "currency", "created_at", "due_at", "paid_at",
        "attempts", "next_attempt_at", "decline_code", "status",
    ),
    "disputes": (
        "dispute_id", "order_id", "payment_id", "kind", "reason", "network_reason_code", "amount", "currency",
        "opened_at", "evidence_due_at", "evidence_sent_at", "closed_at", "outcome",
    ),
    "risk_signals": (
        "signal_id", "order_id", "payment_id", "customer_id", "email_hash", "card_fingerprint", "ip_hash",
        "billing_hash", "billing_country", "shipping_hash", "shipping_country", "avs", "cvv",
        "account_created_at", "provider_level", "recorded_at",
    ),
    "buyers": (
        "buyer_id", "order_id", "payment_id", "customer_name", "customer_email", "billing_address",
        "shipping_address", "purchase_ip",
    ),
}  # fmt: skip
