"""Who sends webhooks: how each proves itself, what of it a source can use, and which delivery is which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from control_tower.sources.payloads import at
from control_tower.sources.stripe import KNOWN
from control_tower.webhooks.signatures import (
    Delivery,
    Proof,
    in_base64,
    in_the_path,
    of_easypost,
    of_stripe,
)

SHOPIFY_TOPICS = {
    "orders/create": "order", "orders/updated": "order", "orders/paid": "order", "orders/cancelled": "order",
    "orders/fulfilled": "order", "orders/partially_fulfilled": "order", "refunds/create": "refund",
    "fulfillments/create": "fulfillment", "fulfillments/update": "fulfillment",
    "fulfillment_events/create": "fulfillment_event", "order_transactions/create": "transaction",
    "disputes/create": "dispute", "disputes/update": "dispute",
}  # fmt: skip


@dataclass(frozen=True)
class Sender:
    """One sender.

    Args:
        source: the kind of source that reads what it sends, and the name of the folder.
        proved: whether a secret signed a delivery.
        usable: what a delivery is to the source, or nothing where it is of no use to it.
        identity: where in the signed body a delivery's own name stands; without one, the body is its name.
        named: whether the payload does not say what it is, and is kept under its kind.
    """

    source: str
    proved: Proof
    usable: Callable[[Delivery, Any], str | None]
    identity: str = ""
    named: bool = False

    def name_of(self, kind: str, sent: Delivery, content: Any) -> str:
        """A name that the same delivery always has; nothing that was sent is part of it as it was sent.

        Ids in headers are signed by nobody. A body that names itself is one event, however often it comes; another
        is the same when its bytes are.
        """
        own = content.get(self.identity) if isinstance(content, dict) and self.identity else None
        said = str(own).encode("utf-8", "replace") if isinstance(own, str) and own else sent.body
        return hashlib.sha256(kind.encode() + b"\n" + said).hexdigest()

    def kept(self, kind: str, sent: Delivery) -> bytes:
        """What is written: the body as it came, under its kind where it does not say so itself."""
        return b'{"%s": %s}\n' % (kind.encode(), sent.body) if self.named else sent.body


def _shopify(sent: Delivery, content: Any) -> str | None:
    kind = SHOPIFY_TOPICS.get(sent.only("x-shopify-topic"))
    return kind if isinstance(content, dict) and content.get("id") else None


def _stripe(_: Delivery, content: Any) -> str | None:
    known = at(content, "object") == "event" and str(at(content, "data", "object", "object")) in KNOWN
    return "event" if known else None


def _woocommerce(_: Delivery, content: Any) -> str | None:
    return "order" if at(content, "order_key") and at(content, "id") else None


def _easypost(_: Delivery, content: Any) -> str | None:
    return "event" if at(content, "result", "object") in ("Tracker", "Shipment") else None


def _aftership(_: Delivery, content: Any) -> str | None:
    known = isinstance(at(content, "msg", "checkpoints"), list) and at(content, "msg", "tracking_number")
    return "tracking" if known else None


def _shippo(_: Delivery, content: Any) -> str | None:
    return "track" if at(content, "data", "tracking_number") and "tracking_history" in content["data"] else None


SENDERS: dict[str, Sender] = {
    "shopify": Sender("shopify", in_base64("x-shopify-hmac-sha256"), _shopify, named=True),
    "stripe": Sender("stripe", of_stripe, _stripe, "id"),
    "woocommerce": Sender("woocommerce", in_base64("x-wc-webhook-signature"), _woocommerce),
    "easypost": Sender("tracking", of_easypost, _easypost, "id"),
    "aftership": Sender("tracking", in_base64("aftership-hmac-sha256"), _aftership, "event_id"),
    "shippo": Sender("tracking", in_the_path, _shippo),
}
