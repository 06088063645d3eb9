"""What the six senders send, signed as each says that it signs; written from their documentation, not from our code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import unicodedata
from typing import Any

SECRETS = {
    "shopify": "shpss_0123456789abcdef", "stripe": "whsec_0123456789abcdef", "woocommerce": "woo secret of ours",
    "easypost": "sécret of ours", "aftership": "aftership-0123456789", "shippo": "shippo-token-0123456789",
}  # fmt: skip
SHOPIFY_ORDER = {
    "id": 1001, "created_at": "2026-03-01T09:00:00+01:00", "updated_at": "2026-03-01T09:00:00+01:00",
    "currency": "EUR", "total_price": "40.00", "financial_status": "pending", "line_items": [],
}  # fmt: skip
PAYLOADS: dict[str, dict[str, Any]] = {
    "shopify": SHOPIFY_ORDER,
    "stripe": {
        "object": "event", "id": "evt_1", "type": "charge.dispute.created", "created": 1_780_000_000,
        "data": {"object": {"object": "dispute", "id": "dp_1", "amount": 4000, "currency": "eur"}},
    },
    "woocommerce": {"id": 501, "order_key": "wc_order_1", "status": "processing", "currency": "EUR", "total": "40.00"},
    "easypost": {
        "object": "Event", "id": "evt_7", "description": "tracker.updated",
        "result": {"object": "Tracker", "id": "trk_1", "tracking_code": "Z1", "status": "in_transit",
                   "tracking_details": [{"datetime": "2026-03-02T08:00:00Z", "status": "in_transit"}]},
    },
    "aftership": {
        "event": "tracking_update", "event_id": "e-1", "msg": {
            "id": "af-1", "tracking_number": "A1", "slug": "dhl", "tag": "InTransit", "order_id": "1001",
            "checkpoints": [{"checkpoint_time": "2026-03-02T08:00:00+01:00", "tag": "InTransit"}],
        },
    },
    "shippo": {
        "event": "track_updated", "data": {
            "carrier": "ups", "tracking_number": "S1", "metadata": "1001",
            "tracking_status": {"status": "TRANSIT", "status_date": "2026-03-02T08:00:00Z"}, "tracking_history": [],
        },
    },
}  # fmt: skip
SOURCES = {"easypost": "tracking", "aftership": "tracking", "shippo": "tracking"}


def signed(sender: str, body: bytes, secret: str | None = None, at: float | None = None) -> dict[str, str]:
    """The headers of a delivery."""
    told = {"content-type": "application/json; charset=utf-8"}
    key = (secret or SECRETS[sender]).encode()
    in_base64 = base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()
    if sender == "shopify":
        return told | {"X-Shopify-Hmac-Sha256": in_base64, "X-Shopify-Topic": "orders/updated"}
    if sender == "woocommerce":
        return told | {"X-WC-Webhook-Signature": in_base64}
    if sender == "aftership":
        return told | {"aftership-hmac-sha256": in_base64}
    if sender == "easypost":
        key = unicodedata.normalize("NFKD", secret or SECRETS[sender]).encode()
        return told | {"X-Hmac-Signature": f"hmac-sha256-hex={hmac.new(key, body, hashlib.sha256).hexdigest()}"}
    if sender == "stripe":
        moment = int(time.time() if at is None else at)
        over = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        return told | {"Stripe-Signature": f"t={moment},v0={'0' * 64},v1={over}"}
    return told


def path(sender: str) -> str:
    return f"/{sender}/{SECRETS[sender]}" if sender == "shippo" else f"/{sender}"


def body_of(content: object) -> bytes:
    return json.dumps(content).encode()
