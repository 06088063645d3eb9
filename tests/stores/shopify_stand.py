"""A stand-in for Shopify on loopback: it executes our operations on Shopify's published schema, over a small book.

A field that is not in the schema, a wrong type or a missing argument fails as it would there. What the book does is
ours, after the published descriptions; it is not Shopify.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import itertools
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from control_tower.stores.protocol import Store
from control_tower.stores.shopify import ShopifyStore
from control_tower.stores.shopify_api import VERSION
from tests.stores.stripe_services import one_at_a_time

TOKEN = "shpat_planted0123456789"
PACKAGE = "@shopify/dev-mcp@1.16.0"


def published_schema(cache: Path) -> Any:
    """The Admin API's schema, from the package in which Shopify publishes it; skips where it can't be had."""
    graphql = pytest.importorskip("graphql", reason="graphql-core is not installed")
    file = cache / f"package/dist/data/admin_{VERSION}.json.gz"
    with one_at_a_time(cache):
        _fetch(cache, file)
    content = json.loads(gzip.decompress(file.read_bytes()))
    return graphql.build_client_schema(content.get("data", content), assume_valid=True)


def _fetch(cache: Path, file: Path) -> None:
    if not file.exists():
        if not shutil.which("npm"):
            pytest.skip("Shopify's schema is in an npm package, and npm is not here")
        done = subprocess.run(
            ["npm", "pack", PACKAGE, "--silent"], cwd=cache, capture_output=True, text=True, timeout=200
        )
        if done.returncode:
            pytest.skip(f"Shopify's schema could not be had: {done.stderr.strip().splitlines()[-1:]}")
        shutil.unpack_archive(cache / done.stdout.strip(), cache)


@dataclass
class Shop:
    """The book of one shop, and how it misbehaves."""

    schema: Any
    token: str = TOKEN
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Every call that came: the token that it came with, and `query` or `mutation`."""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(1000))
    lock: threading.RLock = field(default_factory=threading.RLock)
    status_of_refunds: str = "SUCCESS"
    throttled: int = 0
    lost_replies: int = 0
    failures_after_commit: int = 0

    def new(self, kind: str) -> str:
        return f"gid://shopify/{kind}/{next(self.ids)}"

    def execute(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        import graphql

        with self.lock:
            document = graphql.parse(query)
            if faults := graphql.validate(self.schema, document):
                return {"errors": [{"message": str(fault)} for fault in faults]}
            root = {
                "order": lambda info, id: self.orders.get(id), "refundCreate": self.refund_create,
                "returnProcess": self.process,
                "fulfillmentOrderHold": self.hold, "fulfillmentOrderReleaseHold": self.release,
                "metafieldsSet": self.set_metafields,
            }  # fmt: skip
            result = graphql.execute_sync(self.schema, document, root, variable_values=variables)
        found: dict[str, Any] = {"data": result.data}
        if result.errors:
            found["errors"] = [{"message": str(each)} for each in result.errors]
        return found

    def refund_create(self, info: Any, input: dict[str, Any]) -> dict[str, Any]:
        node = info.field_nodes[0].directives[0].arguments[0].value
        values = info.variable_values
        key = getattr(values, "coerced", values)[node.name.value]  # graphql-core 3.3 keeps their sources too
        asked = json.dumps(input, sort_keys=True)
        if key in self.keys:
            before, answer = self.keys[key]
            if before != asked:
                return {"refund": None, "userErrors": [{"field": ["key"], "message": "key used with other input"}]}
            return answer
        order = self.orders[input["orderId"]]
        transactions = []
        for each in input["transactions"]:
            parent = next(t for t in order["all"] if t["id"] == each["parentId"])
            back = sum(
                Decimal(t["amountSet"]["shopMoney"]["amount"])
                for r in order["book"] for t in r["nodes"]
                if t["parentTransaction"]["id"] == parent["id"] and t["status"] != "FAILURE"
            )  # fmt: skip
            left = Decimal(parent["amountSet"]["shopMoney"]["amount"]) - back
            if Decimal(each["amount"]) > left and not input.get("allowOverRefunding"):
                said = "Refund amount cannot be greater than the amount left"
                return {"refund": None, "userErrors": [{"field": ["transactions"], "message": said}]}
            transactions.append(
                {
                    "id": self.new("OrderTransaction"), "kind": "REFUND", "status": self.status_of_refunds,
                    "gateway": each["gateway"], "amountSet": money(Decimal(each["amount"])),
                    "parentTransaction": {"id": parent["id"]},
                }
            )  # fmt: skip
        refund = {
            "id": self.new("Refund"), "note": input.get("note"), "return": None,
            "createdAt": datetime.now(UTC).isoformat(),
            "totalRefundedSet": money(sum((Decimal(each["amount"]) for each in input["transactions"]), Decimal(0))),
            "nodes": transactions, "transactions": lambda info, **_: {"nodes": transactions},
        }  # fmt: skip
        order["book"].append(refund)
        self.keys[key] = (asked, {"refund": refund, "userErrors": []})
        return self.keys[key][1]

    def process(self, info: Any, input: dict[str, Any]) -> dict[str, Any]:
        """It knows no keys: twice is paid twice."""
        order = next(o for o in self.orders.values() if any(r["id"] == input["returnId"] for r in o["returned"]))
        (moved,) = input["financialTransfer"]["issueRefund"]["orderTransactions"]
        amount = Decimal(str(moved["transactionAmount"]["amount"]))
        transaction = {
            "id": self.new("OrderTransaction"), "kind": "REFUND", "status": self.status_of_refunds,
            "amountSet": money(amount), "parentTransaction": {"id": moved["parentId"]},
        }  # fmt: skip
        refund = {
            "id": self.new("Refund"), "note": None, "return": {"id": input["returnId"]}, "nodes": [transaction],
            "createdAt": datetime.now(UTC).isoformat(), "totalRefundedSet": money(amount),
            "transactions": lambda info, **_: {"nodes": [transaction]},
        }  # fmt: skip
        order["book"].append(refund)
        return {"return": {"id": input["returnId"]}, "userErrors": []}

    def hold(self, info: Any, id: str, fulfillmentHold: dict[str, Any]) -> dict[str, Any]:
        part = self.part(id)
        if any(each["handle"] == fulfillmentHold["handle"] for each in part["fulfillmentHolds"]):
            said = {"code": "DUPLICATE_FULFILLMENT_HOLD_HANDLE", "field": ["handle"], "message": "handle is taken"}
            return {"fulfillmentHold": None, "userErrors": [said]}
        held = {
            "id": self.new("FulfillmentHold"), "handle": fulfillmentHold["handle"], "heldByRequestingApp": True,
            "reasonNotes": fulfillmentHold.get("reasonNotes"),
        }  # fmt: skip
        part["fulfillmentHolds"].append(held)
        part["status"] = "ON_HOLD"
        return {"fulfillmentHold": held, "userErrors": []}

    def release(self, info: Any, id: str, holdIds: list[str]) -> dict[str, Any]:
        part = self.part(id)
        part["fulfillmentHolds"] = [each for each in part["fulfillmentHolds"] if each["id"] not in holdIds]
        part["status"] = "ON_HOLD" if part["fulfillmentHolds"] else "OPEN"
        return {"fulfillmentOrder": part, "userErrors": []}

    def set_metafields(self, info: Any, metafields: list[dict[str, Any]]) -> dict[str, Any]:
        for each in metafields:
            order = self.orders[each["ownerId"]]
            known = order["log"]["compareDigest"] if order["log"] else None
            if each.get("compareDigest") != known:
                said = {"code": "STALE_OBJECT", "field": ["compareDigest"], "message": "it was changed meanwhile"}
                return {"metafields": None, "userErrors": [said]}
            digest = hashlib.sha256(each["value"].encode()).hexdigest()
            order["log"] = {"id": self.new("Metafield"), "value": each["value"], "compareDigest": digest}
        return {"metafields": [], "userErrors": []}

    def part(self, id: str) -> dict[str, Any]:
        return next(p for order in self.orders.values() for p in order["parts"] if p["id"] == id)

    def buy(self, paid: Decimal) -> dict[str, Any]:
        sale = {
            "id": self.new("OrderTransaction"), "kind": "SALE", "status": "SUCCESS", "gateway": "shopify_payments",
            "amountSet": money(paid), "parentTransaction": None,
        }  # fmt: skip
        parts = [{"id": self.new("FulfillmentOrder"), "status": "OPEN", "fulfillmentHolds": []} for _ in range(2)]
        order: dict[str, Any] = {"id": self.new("Order"), "currencyCode": "EUR", "presentmentCurrencyCode": "EUR"}
        order |= {"all": [sale], "book": [], "parts": parts, "log": None, "returned": []}
        order |= {
            "transactions": lambda info, **_: order["all"],
            "refunds": lambda info, **_: order["book"],
            "fulfillmentOrders": lambda info, **_: {"nodes": order["parts"]},
            "returns": lambda info, **_: {"nodes": order["returned"]},
            "metafield": lambda info, **_: order["log"],
        }
        self.orders[order["id"]] = order
        return order


def money(amount: Decimal) -> dict[str, Any]:
    return {"shopMoney": {"amount": f"{amount:.2f}", "currencyCode": "EUR"}}


class Door(http.server.BaseHTTPRequestHandler):
    """One call at a time, answered as the shop is told to."""

    def do_POST(self) -> None:
        shop: Shop = self.server.shop  # type: ignore[attr-defined]
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        given = str(self.headers["X-Shopify-Access-Token"])
        shop.calls.append((given, "mutation" if asked["query"].strip().startswith("mutation") else "query"))
        if given != shop.token:
            return self.say(401, {"errors": "[API] Invalid API key or access token"})
        if shop.throttled:
            shop.throttled -= 1
            return self.say(200, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})
        answer = shop.execute(asked["query"], asked["variables"])
        if asked["query"].strip().startswith("mutation"):
            if shop.lost_replies:
                shop.lost_replies -= 1
                self.connection.close()
                return None
            if shop.failures_after_commit:
                shop.failures_after_commit -= 1
                return self.say(500, {"errors": "Internal Server Error"})
        return self.say(200, answer)

    def say(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@dataclass
class ShopifyStand:
    """A new order for each test."""

    store: Store
    shop: Shop
    url: str
    currency: str = "EUR"
    careless: bool = False

    def order(self, paid: int = 3500) -> str:
        with self.shop.lock:
            return str(self.shop.buy(Decimal(paid) / 100)["id"].rpartition("/")[2])

    def parcel(self, order: str) -> str:
        return ""

    def refunds(self, order: str) -> list[int]:
        book = self.shop.orders[f"gid://shopify/Order/{order}"]["book"]
        done = [t for refund in book for t in refund["nodes"] if t["status"] == "SUCCESS"]
        return sorted(int(Decimal(t["amountSet"]["shopMoney"]["amount"]) * 100) for t in done)

    def parts(self, order: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.shop.orders[f"gid://shopify/Order/{order}"]["parts"]
        return found


@contextlib.contextmanager
def stand(cache: Path, token: str = TOKEN) -> Iterator[ShopifyStand]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    shop = Shop(published_schema(cache), token)
    server.shop = shop  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ShopifyStand(ShopifyStore(url, token, settles_within=0.1), shop, url)
    finally:
        server.shutdown()
        server.server_close()
        time.sleep(0)
