"""A Medusa server on loopback over a PostgreSQL, installed into pytest's cache at first use."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from control_tower.stores.medusa import MedusaStore
from control_tower.stores.protocol import Store
from tests.stores.stripe_services import free_port, one_at_a_time

HERE = Path(__file__).parent / "medusa"
NAME, PASSWORD = "tower@example.com", secrets.token_hex(12)


def install(cache: Path) -> Path:
    """The folder in which Medusa is installed, as its lock file says; skips where it can't be."""
    folder = cache / f"medusa-{(HERE / 'package-lock.json').stat().st_size}"
    with one_at_a_time(cache):
        if not (folder / "complete").exists():
            if not (shutil.which("npm") and shutil.which("node")):
                pytest.skip("Medusa needs node and npm")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder / name)
            asked = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=900)
            if done.returncode:
                pytest.skip(f"Medusa could not be installed: {done.stderr.strip().splitlines()[-1:]}")
            (folder / "complete").touch()
        shutil.copy(HERE / "medusa-config.js", folder / "medusa-config.js")
    return folder


@dataclass
class MedusaStand:
    """A new order for each test, bought through the shop as a guest would."""

    store: Store
    http: httpx.Client
    shop: httpx.Client
    seeded: dict[str, str]
    currency: str = "EUR"
    careless: bool = False

    def order(self, paid: int = 3500) -> str:
        address = {"first_name": "A", "last_name": "B", "address_1": "Road 1", "city": "X", "country_code": "de"}
        address |= {"postal_code": "1"}
        cart = said(
            self.shop.post(
                "/store/carts",
                json={
                    "region_id": self.seeded["region"], "sales_channel_id": self.seeded["channel"],
                    "email": "a@example.com", "shipping_address": address, "billing_address": address,
                    "items": [{"variant_id": self.seeded["variant"], "quantity": paid}],
                },
            )
        )["cart"]["id"]  # fmt: skip
        said(self.shop.post(f"/store/carts/{cart}/shipping-methods", json={"option_id": self.seeded["shipping"]}))
        held = said(self.shop.post("/store/payment-collections", json={"cart_id": cart}))["payment_collection"]["id"]
        session = {"provider_id": "pp_system_default"}
        said(self.shop.post(f"/store/payment-collections/{held}/payment-sessions", json=session))
        order = said(self.shop.post(f"/store/carts/{cart}/complete"))["order"]["id"]
        for payment in self.payments(order):
            said(self.http.post(f"/admin/payments/{payment['id']}/capture", json={}))
        return str(order)

    def payments(self, order: str) -> list[dict[str, Any]]:
        fields = "*payment_collections.payments,*payment_collections.payments.refunds"
        found = said(self.http.get(f"/admin/orders/{order}", params={"fields": fields}))["order"]
        return [each for held in found["payment_collections"] for each in held["payments"]]

    def parcel(self, order: str) -> str:
        return ""

    def refunds(self, order: str) -> list[int]:
        return sorted(round(r["amount"] * 100) for p in self.payments(order) for r in p.get("refunds") or ())


def said(answer: httpx.Response) -> Any:
    """What a call that must succeed answers."""
    assert answer.is_success, f"{answer.request.url}: {answer.text[:500]}"
    return answer.json()


@contextlib.contextmanager
def medusa(cache: Path, database: str) -> Iterator[MedusaStand]:
    """A server over an empty PostgreSQL database, with one product that costs a cent."""
    folder, port = install(cache), free_port()
    url = make_url(database)
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    environment = known | {
        "DATABASE_URL": f"postgres://{url.username}@{url.host}:{url.port}/{url.database}",
        "SECRET": secrets.token_hex(16), "MEDUSA_DISABLE_TELEMETRY": "true", "NODE_ENV": "production",
    }  # fmt: skip
    program = str(folder / "node_modules/.bin/medusa")
    for words in (["db:migrate"], ["user", "-e", NAME, "-p", PASSWORD]):
        done = subprocess.run(
            ["node", program, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=280
        )
        if done.returncode:
            pytest.fail(f"medusa {words[0]}: {(done.stdout + done.stderr)[-800:]}")
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            ["node", program, "start", "--port", str(port), "--host", "127.0.0.1"], cwd=folder, env=environment,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
            _until_healthy(http, process)
            yield _seeded(http)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _until_healthy(http: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail("Medusa ended")
        with contextlib.suppress(httpx.HTTPError):
            if http.get("/health").is_success:
                return
        time.sleep(0.3)
    pytest.fail("Medusa did not answer")


def _seeded(http: httpx.Client) -> MedusaStand:
    """Everything that it takes to buy, made through the Admin API."""
    token = said(http.post("/auth/user/emailpass", json={"email": NAME, "password": PASSWORD}))["token"]
    http.headers["authorization"] = f"Bearer {token}"

    def make(path: str, noun: str, **content: Any) -> str:
        return str(said(http.post(f"/admin/{path}", json=content))[noun]["id"])

    channel = make("sales-channels", "sales_channel", name="web")
    place = make("stock-locations", "stock_location", name="here")
    make(f"stock-locations/{place}/sales-channels", "stock_location", add=[channel])
    make(f"stock-locations/{place}/fulfillment-providers", "stock_location", add=["manual_manual"])
    make(f"stock-locations/{place}/fulfillment-sets", "stock_location", name="parcels", type="shipping")
    fields = {"fields": "*fulfillment_sets"}
    sets = said(http.get(f"/admin/stock-locations/{place}", params=fields))["stock_location"]["fulfillment_sets"]
    zones = [{"type": "country", "country_code": "de"}]
    made = said(
        http.post(f"/admin/fulfillment-sets/{sets[0]['id']}/service-zones", json={"name": "de", "geo_zones": zones})
    )
    zone = made["fulfillment_set"]["service_zones"][0]["id"]
    profile = make("shipping-profiles", "shipping_profile", name="all", type="tower")
    region = make(
        "regions", "region", name="Germany", currency_code="eur", countries=["de"],
        payment_providers=["pp_system_default"],
    )  # fmt: skip
    shipping = make(
        "shipping-options", "shipping_option", name="Parcel", service_zone_id=zone, shipping_profile_id=profile,
        provider_id="manual_manual", price_type="flat", type={"label": "p", "description": "p", "code": "p"},
        prices=[{"currency_code": "eur", "amount": 0}], rules=[],
    )  # fmt: skip
    variant = {
        "title": "one", "options": {"Size": "one"}, "manage_inventory": False,
        "prices": [{"currency_code": "eur", "amount": 0.01}],
    }  # fmt: skip
    product = said(
        http.post(
            "/admin/products",
            json={
                "title": "Cent", "status": "published", "shipping_profile_id": profile,
                "options": [{"title": "Size", "values": ["one"]}], "variants": [variant],
                "sales_channels": [{"id": channel}],
            },
        )
    )["product"]  # fmt: skip
    open_key = said(http.post("/admin/api-keys", json={"title": "shop", "type": "publishable"}))["api_key"]
    said(http.post(f"/admin/api-keys/{open_key['id']}/sales-channels", json={"add": [channel]}))
    secret = said(http.post("/admin/api-keys", json={"title": "tower", "type": "secret"}))["api_key"]["token"]
    url = str(http.base_url)
    header = {"x-publishable-api-key": open_key["token"]}
    shop = httpx.Client(base_url=url, headers=header, trust_env=False, timeout=60)
    seeded = {"region": region, "channel": channel, "variant": product["variants"][0]["id"], "shipping": shipping}
    return MedusaStand(MedusaStore(url, secret, settles_within=0.2), http, shop, seeded)
