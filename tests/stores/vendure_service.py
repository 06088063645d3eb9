"""A Vendure server on loopback, installed into pytest's cache at first use: on sql.js, or on a PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from control_tower.stores.protocol import Store
from control_tower.stores.vendure import VendureStore
from tests.stores.stripe_services import free_port, one_at_a_time

HERE = Path(__file__).parent / "vendure"
PATIENCE = 90.0


def install(cache: Path) -> Path:
    """The folder in which Vendure is installed, as its lock file says; skips where it can't be."""
    with one_at_a_time(cache):
        return _installed(cache / f"vendure-{(HERE / 'package-lock.json').stat().st_size}")


def _installed(folder: Path) -> Path:
    if not (folder / "complete").exists():
        if not (shutil.which("npm") and shutil.which("node")):
            pytest.skip("Vendure needs node and npm")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        asked = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=280)
        if done.returncode:
            pytest.skip(f"Vendure could not be installed: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "complete").touch()
    shutil.copy(HERE / "server.js", folder / "server.js")
    return folder


@dataclass
class Vendure:
    """One server that runs, and what it takes to start it again."""

    folder: Path
    environment: dict[str, str]
    port: int
    process: subprocess.Popen[str] | None = None
    key: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> str:
        return f"{self.url}/admin-api"

    def start(self) -> None:
        own = {"PORT": str(self.port), "VENDURE_DISABLE_TELEMETRY": "true"} | self.environment
        own |= {"FILLED": "yes"} if self.key else {}
        known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
        self.process = subprocess.Popen(
            ["node", "server.js"], cwd=self.folder, env=known | own, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        ready = threading.Event()
        threading.Thread(target=self._listen, args=(self.process, ready), daemon=True).start()
        if not ready.wait(PATIENCE) or self.process.poll() is not None:
            self.kill()
            pytest.fail(f"Vendure did not start: {self.lines[-5:]}")
        if not self.key:
            self.key = self._new_key()

    def _listen(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line)
            if line.strip() == "READY":
                ready.set()
        ready.set()

    def kill(self) -> None:
        """As a power cut would."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    def _new_key(self) -> str:
        """An API key that may read and update orders, and nothing else."""
        with httpx.Client(trust_env=False, timeout=30) as http:
            login = 'mutation($p: String!) { login(username: "superadmin", password: $p) { __typename } }'
            answer = http.post(
                self.admin, json={"query": login, "variables": {"p": self.environment["ADMIN_PASSWORD"]}}
            )
            bearer = {"authorization": f"Bearer {answer.headers['vendure-auth-token']}"}
            role = (
                'mutation { createRole(input: {code: "tower", description: "tower",'
                " permissions: [ReadOrder, UpdateOrder]}) { id } }"
            )
            made = asked(http, self.admin, role, {}, bearer)["createRole"]["id"]
            new = (
                "mutation($r: [ID!]!) { createApiKey(input: {roleIds: $r,"
                ' translations: [{languageCode: en, name: "tower"}]}) { apiKey } }'
            )
            return str(asked(http, self.admin, new, {"r": [made]}, bearer)["createApiKey"]["apiKey"])


def asked(http: httpx.Client, url: str, query: str, variables: dict[str, Any], headers: dict[str, str]) -> Any:
    """One call that must succeed."""
    content = http.post(url, json={"query": query, "variables": variables}, headers=headers).json()
    assert "errors" not in content, content
    return content["data"]


@contextlib.contextmanager
def vendure(cache: Path, database: str = "", refund_ms: int = 20) -> Iterator[Vendure]:
    """A server on sql.js, in memory, or on an empty PostgreSQL database."""
    environment = {"ADMIN_PASSWORD": secrets.token_hex(8), "REFUND_MS": str(refund_ms)}
    if database:
        url = make_url(database)
        environment |= {
            "DB": "postgres", "PGHOST": str(url.host), "PGPORT": str(url.port), "PGUSER": str(url.username),
            "PGDATABASE": str(url.database),
        }  # fmt: skip
    server = Vendure(install(cache), environment, free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


@dataclass
class VendureStand:
    """A new order for each test, bought through the shop as a guest would."""

    store: Store
    server: Vendure
    currency: str = "USD"
    careless: bool = False
    parcels: dict[str, str] = field(default_factory=dict)

    def order(self, paid: int = 3500) -> str:
        shop = f"{self.server.url}/shop-api"
        with httpx.Client(trust_env=False, timeout=30) as http:
            answer = http.post(shop, json={"query": ADD, "variables": {"n": paid}})
            assert "errors" not in answer.json(), answer.text
            guest = {"authorization": f"Bearer {answer.headers['vendure-auth-token']}"}
            method = asked(http, shop, BUYER, {}, guest) and asked(http, shop, METHODS, {}, guest)
            asked(http, shop, SHIP, {"m": [method["eligibleShippingMethods"][0]["id"]]}, guest)
            bought = asked(http, shop, PAY, {}, guest)["addPaymentToOrder"]
            assert bought["state"] == "PaymentSettled", bought
            key = {"vendure-api-key": self.server.key}
            lines = [{"orderLineId": bought["lines"][0]["id"], "quantity": paid}]
            parcel = asked(http, self.server.admin, PARCEL, {"lines": lines}, key)["addFulfillmentToOrder"]
        self.parcels[bought["code"]] = parcel["id"]
        return str(bought["code"])

    def parcel(self, order: str) -> str:
        return self.parcels[order]

    def refunds(self, order: str) -> list[int]:
        key = {"vendure-api-key": self.server.key}
        with httpx.Client(trust_env=False, timeout=30) as http:
            items = asked(http, self.server.admin, BOOK, {"c": order}, key)["orders"]["items"]
        return sorted(r["total"] for p in items[0]["payments"] for r in p["refunds"] if r["state"] != "Failed")

    def hand_over(self, parcel: str) -> str:
        """What Vendure says when a parcel is to leave."""
        key = {"vendure-api-key": self.server.key}
        with httpx.Client(trust_env=False, timeout=30) as http:
            said = asked(http, self.server.admin, LEAVE, {"id": parcel}, key)["transitionFulfillmentToState"]
        return str(said.get("transitionError") or said["state"])


def stand(server: Vendure) -> VendureStand:
    return VendureStand(VendureStore(server.admin, server.key, settles_within=0.2), server)


ADD = "mutation($n: Int!) { addItemToOrder(productVariantId: 1, quantity: $n) { __typename ... on Order { code } } }"
BUYER = """mutation {
  setCustomerForOrder(input: {firstName: "A", lastName: "B", emailAddress: "a@example.com"}) { __typename }
  setOrderShippingAddress(input: {streetLine1: "Road 1", countryCode: "DE"}) { __typename }
}"""
METHODS = "{ eligibleShippingMethods { id } }"
SHIP = """mutation($m: [ID!]!) {
  setOrderShippingMethod(shippingMethodId: $m) { __typename }
  transitionOrderToState(state: "ArrangingPayment") { __typename }
}"""
PAY = """mutation {
  addPaymentToOrder(input: {method: "card", metadata: {}}) {
    __typename ... on Order { code state lines { id } } ... on ErrorResult { errorCode message }
  }
}"""
PARCEL = """mutation($lines: [OrderLineInput!]!) {
  addFulfillmentToOrder(input: {lines: $lines, handler: {code: "manual-fulfillment", arguments: [
    {name: "method", value: "parcel"}, {name: "trackingCode", value: "T1"}]}}) {
    __typename ... on Fulfillment { id state } ... on ErrorResult { errorCode message }
  }
}"""
BOOK = """query($c: String!) {
  orders(options: {filter: {code: {eq: $c}}}) { items { payments { refunds { total state } } } }
}"""
LEAVE = """mutation($id: ID!) {
  transitionFulfillmentToState(id: $id, state: "Shipped") {
    __typename ... on Fulfillment { state } ... on FulfillmentStateTransitionError { transitionError }
  }
}"""
