"""Two stand-ins for Stripe, installed into pytest's cache at first use, and run on loopback."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from control_tower.nouns import Money
from control_tower.stores.protocol import Store

MOCK, LOCAL = "stripe-stateful-mock@0.0.16", "localstripe==1.15.10"
KEY = "sk_test_12345"


@dataclass
class StripeStand:
    """A charge is an order of its own."""

    store: Store
    client: Any
    by_intent: bool
    currency: str = "EUR"
    careless: bool = False

    def order(self, paid: int = 3500) -> str:
        if self.by_intent:
            method = self.client.v1.payment_methods.create(
                {
                    "type": "card",
                    "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"},
                }
            )
            asked = {"amount": paid, "currency": "eur", "payment_method": method.id, "confirm": True}
            return str(self.client.v1.payment_intents.create(asked).id)
        return str(self.client.v1.charges.create({"amount": paid, "currency": "eur", "source": "tok_visa"}).id)

    def parcel(self, order: str) -> str:
        return ""

    def refunds(self, order: str) -> list[int]:
        key = "payment_intent" if self.by_intent else "charge"
        return sorted(each.amount for each in self.client.v1.refunds.list({key: order, "limit": 100}).data)


@contextlib.contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Two halves of a test run install nothing side by side."""
    with (cache / "installing.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def stateful_mock(cache: Path) -> Iterator[str]:
    """URL of stripe-stateful-mock: keys are remembered, rules are kept."""
    program = cache / "node_modules/stripe-stateful-mock/dist/cli.js"
    with one_at_a_time(cache):
        if not program.exists():
            if not (shutil.which("npm") and shutil.which("node")):
                pytest.skip("stripe-stateful-mock needs node and npm")
            asked = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(cache), MOCK]
            _install(asked)
    port = free_port()
    with _running(["node", str(program)], {"PORT": str(port)}, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def localstripe(cache: Path) -> Iterator[str]:
    """URL of localstripe: no keys are remembered, and any amount is paid back."""
    venv = cache / "venv"
    program = venv / "bin/localstripe"
    with one_at_a_time(cache):
        if not program.exists():
            _install([sys.executable, "-m", "venv", "--clear", str(venv)])
            _install([str(venv / "bin/pip"), "install", "--quiet", LOCAL])
    port = free_port()
    with _running([str(venv / "bin/python"), "-m", "localstripe", "--port", str(port), "--from-scratch"], {}, port):
        yield f"http://127.0.0.1:{port}"


def _install(asked: list[str]) -> None:
    done = subprocess.run(asked, capture_output=True, text=True, timeout=240)
    if done.returncode:
        pytest.skip(f"can't be installed here: {done.stderr.strip().splitlines()[-1:]}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _running(asked: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        asked, env=clean | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            else:
                raise TimeoutError(f"{asked[0]} did not start")
            yield
        finally:
            server.terminate()


def make_stand(url: str, *, by_intent: bool) -> StripeStand:
    import stripe

    from control_tower.stores.stripe import StripeStore

    client = stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=0)
    return StripeStand(StripeStore(KEY, url, settles_within=0), client, by_intent, careless=by_intent)


def money(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")
