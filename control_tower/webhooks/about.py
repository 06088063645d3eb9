"""What a payload is about: the ids by which payloads of one sender belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from control_tower.sources import shopify, stripe, tracking, woocommerce
from control_tower.sources.payloads import at

STRIPE_NAMES = ("charge", "payment_intent", "invoice", "latest_charge", "subscription", "default_payment_method")


def about(source: str, content: Any) -> frozenset[str]:
    """What a content is about, as in `order 1001`: what has one of these in common is read together.

    Args:
        source: the kind of source that reads it.
    """
    return frozenset(f"{kind} {id}" for kind, id in _ABOUT[source](content) if id not in (None, "", 0))


Named = Iterator[tuple[str, Any]]


def _shopify(content: Any) -> Named:
    for kind, one in shopify.objects(content):
        yield kind, one.get("id")
        yield "order", one.get("order_id")
        yield "fulfillment", one.get("fulfillment_id")


def _stripe(content: Any) -> Named:
    for one in stripe.objects(content):
        yield "object", one.get("id")
        yield "order", at(one, "metadata", "order_id")
        of = [one.get(name) for name in STRIPE_NAMES] + [at(one, "parent", "subscription_details", "subscription")]
        yield from (("object", named.get("id") if isinstance(named, dict) else named) for named in of)


def _woocommerce(content: Any) -> Named:
    for one in woocommerce.objects(content):
        if woocommerce.is_refund(one):
            yield "refund", one.get("id")
            yield "order", one.get("parent_id")
        else:
            yield "order", one.get("id")
            stubs = one.get("refunds")
            yield from (("refund", at(stub, "id")) for stub in (stubs if isinstance(stubs, list) else ()))


def _tracking(content: Any) -> Named:
    for shipment in tracking.objects(content, tracking.is_shipment):
        yield "shipment", shipment["id"]
    for one in tracking.objects(content, tracking.is_tracker):
        yield "tracker", tracking.read_tracker(one, {}).name
        yield "shipment", one.get("shipment_id")


_ABOUT: dict[str, Callable[[Any], Named]] = {
    "shopify": _shopify, "stripe": _stripe, "woocommerce": _woocommerce, "tracking": _tracking,
}  # fmt: skip
