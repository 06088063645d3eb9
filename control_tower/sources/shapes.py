"""The tables that payload sources give, with their columns and types, in one place.

Tables that have a contract are read by their contract's columns; here stands what an adapter fills of them.
Those without one yet (`disputes`, `reviews`, `risk_signals`, `buyers`) are whole: a contract for one of them
names the columns that it takes from here. Money is integer minor units, a score is of a hundred.
"""

from __future__ import annotations

TEXT, WHOLE, FLAG, MOMENT = "VARCHAR", "BIGINT", "BOOLEAN", "TIMESTAMPTZ"

DISPUTES = {
    "dispute_id": TEXT,
    "order_id": TEXT,
    "payment_id": TEXT,
    "kind": TEXT,  # chargeback or inquiry
    "reason": TEXT,
    "network_reason_code": TEXT,
    "amount": WHOLE,
    "currency": TEXT,
    "status": TEXT,
    "opened_at": MOMENT,  # born
    "evidence_due_at": MOMENT,  # plan
    "evidence_sent_at": MOMENT,  # event
    "closed_at": MOMENT,  # event
    "outcome": TEXT,  # won, lost, accepted; null while it is open
}
REVIEWS = {
    "review_id": TEXT,
    "order_id": TEXT,
    "payment_id": TEXT,
    "opened_at": MOMENT,  # born
    "open": FLAG,
    "opened_reason": TEXT,
    "closed_reason": TEXT,
    "reason": TEXT,
}
RISK_SIGNALS = {
    "signal_id": TEXT,
    "order_id": TEXT,
    "payment_id": TEXT,
    "kind": TEXT,  # assessment or early_fraud_warning
    "provider": TEXT,
    "provider_level": TEXT,  # low, medium or high; normal, elevated or highest
    "provider_score": WHOLE,  # of a hundred
    "recommendation": TEXT,  # accept, investigate or cancel
    "reason": TEXT,
    "address_check": TEXT,  # pass, fail, unavailable or unchecked, as the issuer says
    "postcode_check": TEXT,
    "code_check": TEXT,
    "assessed_at": MOMENT,  # born, where the provider says when
}
BUYERS = {  # who bought, in the words of the order or the charge; personal, and asked for by the evidence form
    "buyer_id": TEXT,
    "order_id": TEXT,
    "payment_id": TEXT,
    "customer_name": TEXT,
    "customer_email": TEXT,
    "billing_address": TEXT,
    "shipping_address": TEXT,
    "purchase_ip": TEXT,
}
ORDERS = {
    "order_id": TEXT, "customer_id": TEXT, "status": TEXT, "placed_at": MOMENT, "cancelled_at": MOMENT,
    "currency": TEXT, "total_amount": WHOLE, "ship_to_country": TEXT,
}  # fmt: skip
ORDER_LINES = {
    "line_id": TEXT, "order_id": TEXT, "sku": TEXT, "quantity": WHOLE, "unit_amount": WHOLE, "currency": TEXT,
}  # fmt: skip
PAYMENTS = {
    "payment_id": TEXT, "order_id": TEXT, "amount": WHOLE, "currency": TEXT, "method": TEXT, "paid_at": MOMENT,
}  # fmt: skip
REFUNDS = {
    "refund_id": TEXT, "order_id": TEXT, "amount": WHOLE, "currency": TEXT, "method": TEXT, "refunded_at": MOMENT,
}  # fmt: skip
FULFILLMENTS = {
    "fulfillment_id": TEXT, "order_id": TEXT, "status": TEXT, "carrier": TEXT, "service": TEXT, "tracking_code": TEXT,
    "warehouse_id": TEXT, "label_created_at": MOMENT,
}  # fmt: skip
SHIPMENT_EVENTS = {
    "event_id": TEXT, "fulfillment_id": TEXT, "order_id": TEXT, "code": TEXT, "occurred_at": MOMENT, "place": TEXT,
}  # fmt: skip
SUBSCRIPTIONS = {
    "subscription_id": TEXT, "customer_id": TEXT, "status": TEXT, "plan": TEXT, "amount": WHOLE, "currency": TEXT,
    "started_at": MOMENT, "cancelled_at": MOMENT, "next_charge_at": MOMENT, "method_kind": TEXT,
    "method_expires_at": MOMENT, "method_country": TEXT,
}  # fmt: skip
INVOICES = {
    "invoice_id": TEXT, "subscription_id": TEXT, "order_id": TEXT, "amount": WHOLE, "currency": TEXT,
    "created_at": MOMENT, "due_at": MOMENT, "paid_at": MOMENT, "attempts": WHOLE, "next_attempt_at": MOMENT,
    "decline_code": TEXT, "status": TEXT,
}  # fmt: skip
SHAPES: dict[str, dict[str, str]] = {
    "orders": ORDERS, "order_lines": ORDER_LINES, "payments": PAYMENTS, "refunds": REFUNDS,
    "fulfillments": FULFILLMENTS, "shipment_events": SHIPMENT_EVENTS, "subscriptions": SUBSCRIPTIONS,
    "invoices": INVOICES, "disputes": DISPUTES, "reviews": REVIEWS, "risk_signals": RISK_SIGNALS, "buyers": BUYERS,
}  # fmt: skip
"""Table -> column -> DuckDB type; the first is the row's key. `source`, `source_id`, `observed_at` come beside."""
