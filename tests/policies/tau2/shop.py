"""The shop of the tau2 data set as its customers can see it, and what they say; never the tasks' answers."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, eq=False)
class Item:
    """One bought item: which variant of which product, and its price."""

    product: str
    item_id: str
    options: dict[str, str]
    price: float
    available: bool = True


@dataclass(frozen=True, eq=False)
class Order:
    """One order of a customer, and the kind of payment method that paid it."""

    id: str
    status: str
    items: tuple[Item, ...]
    paid_with: str


@dataclass(frozen=True, eq=False)
class Customer:
    """One customer: how they are found, what they bought, and their payment methods with any balance."""

    id: str
    name: tuple[str, str]
    zip: str
    email: str
    orders: tuple[Order, ...]
    methods: tuple[str, ...]
    gift_card: float | None

    @property
    def products(self) -> set[str]:
        """The names of what they ever bought."""
        return {item.product for order in self.orders for item in order.items}


@dataclass(frozen=True, eq=False)
class Shop:
    """All customers, and every variant that a product has."""

    customers: tuple[Customer, ...]
    variants: dict[str, tuple[Item, ...]]

    def who(self, said: str) -> Customer | None:
        """The customer whom a text names by email, by name and zip code, or by user id; None if nobody."""
        for customer in self.customers:
            both = all(re.search(rf"\b{part}\b", said) for part in customer.name) and customer.zip in said
            if customer.email in said or customer.id in said or both:
                return customer
        return None


@dataclass(frozen=True)
class Said:
    """What the customer of one task knows and wants, in the data set's own words."""

    task: str
    known: str
    wants: str


def shop_of(folder: Path) -> Shop:
    """Read the shop's products, customers and orders."""
    kept = _read(folder / "db.json.gz")
    variants = {
        product["name"]: tuple(
            Item(product["name"], one["item_id"], one["options"], one["price"], one["available"])
            for one in product["variants"].values()
        )
        for product in kept["products"].values()
    }
    orders = {name: _order(order) for name, order in kept["orders"].items()}
    return Shop(tuple(_customer(user, orders) for user in kept["users"].values()), variants)


def _order(order: dict[str, Any]) -> Order:
    items = tuple(Item(one["name"], one["item_id"], one["options"], one["price"]) for one in order["items"])
    return Order(order["order_id"], order["status"], items, _kind(order["payment_history"][0]["payment_method_id"]))


def _customer(user: dict[str, Any], orders: dict[str, Order]) -> Customer:
    methods = user["payment_methods"].values()
    balances = [one["balance"] for one in methods if one["source"] == "gift_card"]
    return Customer(
        id=user["user_id"],
        name=(user["name"]["first_name"], user["name"]["last_name"]),
        zip=user["address"]["zip"],
        email=user["email"],
        orders=tuple(orders[name] for name in user["orders"]),
        methods=tuple(one["source"] for one in methods),
        gift_card=max(balances, default=None),
    )


def _kind(method: str) -> str:
    return method.rpartition("_")[0]


def said_in(folder: Path) -> list[Said]:
    """What the customer of every task says. The tasks' answers are left where they are."""
    return [_said(task["id"], task["user_scenario"]["instructions"]) for task in _read(folder / "tasks.json.gz")]


def _said(task: str, told: dict[str, str]) -> Said:
    return Said(task, told["known_info"] or "", f"{told['reason_for_call'] or ''}\n{told['task_instructions'] or ''}")


def _read(file: Path) -> Any:
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        return json.load(opened)
