"""From wishes to requests: each wish held against the customer's orders, and put to the policy in turn.

What was recommended changes the order for what comes after it, and whether a wish that depends on a refusal
is asked for at all is known only once the one before it was decided. So the policy is asked wish by wish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.policies.tau2.options import other_item, own_words, spoken_options
from tests.policies.tau2.shop import Customer, Item, Order, Shop
from tests.policies.tau2.wishes import Condition, Wish, read
from tests.policies.tau2.words import Mention

Facts = dict[str, Any]
Policy = Callable[[Facts], str | None]  # the recommendation for one request; None for unknown

AFTERWARDS = {"return": "return_requested", "exchange": "exchange_requested", "cancel": "cancelled"}
SUITABLE = {
    "return": ("delivered",),
    "cancel": ("pending",),
    "new_address": ("pending",),
    "new_payment": ("pending",),
    "exchange": ("delivered", "pending"),
    "modify": ("pending", "delivered"),
}
STAGE = re.compile(r"\b(?:(?P<delivered>received?|delivered|arrived)|(?P<pending>pending|ordered|placed))\b", re.I)


@dataclass(frozen=True)
class Request:
    """One request as it was put to the policy, and what it recommended; None for unknown."""

    order: str
    facts: Mapping[str, Any]
    recommendation: str | None


@dataclass
class Conversation:
    """What one customer asked for so far, what became of it, and how their orders stand after it."""

    customer: Customer
    shop: Shop
    policy: Policy
    text: str
    decided: list[tuple[Wish, list[Request]]] = field(default_factory=list)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)  # order -> by which verb, status before it
    priced: bool | None = None  # whether the last condition about a price held

    def hear(self, wish: Wish) -> None:
        """Put one wish to the policy."""
        if wish.verb == "again":
            earlier = self._earlier("")
            if earlier is None:
                return
            wish = replace(earlier[0], condition=wish.condition, methods=wish.methods)
        asked_for = self._holds(wish.condition, wish)
        facts = [(order, {**row, "asked_for": asked_for}) for order, row in self._rows(wish)]
        requests = [Request(order, row, self.policy(row)) for order, row in facts]
        if asked_for is not False:
            self.decided.append((wish, requests))
        for request in requests:
            self._change(wish, request)

    def _change(self, wish: Wish, request: Request) -> None:
        granted = request.recommendation
        before = request.facts["order_status"]
        if granted in AFTERWARDS or (granted == "modify" and wish.verb in ("modify", "exchange")):
            self.changed[request.order] = (str(granted), before)

    def status(self, order: Order, verb: str) -> str:
        """How an order stands for a verb: what is asked for in the same way is gathered into one action."""
        if order.id not in self.changed:
            return order.status
        granted, before = self.changed[order.id]
        if granted == verb or (granted in ("exchange", "modify") and verb in ("exchange", "modify")):
            return before
        return AFTERWARDS.get(granted, "items_modified")

    # -- conditions

    def _earlier(self, verb: str) -> tuple[Wish, list[Request]] | None:
        """The last wish that was decided, of a verb if one with it was."""
        named = [one for one in self.decided if one[0].verb == verb]
        held = named or self.decided
        return held[-1] if held else None

    def _holds(self, condition: Condition, wish: Wish) -> bool | None:
        """Whether what a wish depends on is so; None if nobody knows."""
        if condition.kind in ("below", "above"):
            price = self._price(wish)
            self.priced = None if price is None else (price < condition.amount) == (condition.kind == "below")
            return self.priced
        if condition.kind == "else" and self.priced is not None:
            return not self.priced
        if condition.kind != "always":
            self.priced = None
        if condition.kind == "part":
            one_item = self._facts("cancel", wish) | {"order_status": "pending", "whole_order": False}
            return (self.policy({**one_item, "asked_for": True}) == "cancel") is condition.holds
        if condition.kind == "always":
            return True
        earlier = self._earlier(condition.verb)
        if condition.kind == "unknown" or earlier is None:
            return None
        said = {request.recommendation for request in earlier[1]}
        refused = bool(said & {"nothing", "hand_over"})
        return None if None in said and not refused else refused is (condition.kind in ("refused", "else"))

    def _price(self, wish: Wish) -> float | None:
        """The price that a condition speaks of: of the cheapest that is available, or of what was bought."""
        items = [item for _, item in self._items(wish)]
        if not items:
            return None
        if re.search(r"\bcheapest\b", self.text, re.I):
            return min((one.price for one in self.shop.variants[items[0].product] if one.available), default=None)
        return items[0].price

    # -- requests

    def _facts(self, verb: str, wish: Wish) -> Facts:
        """The facts of a wish that name no order yet."""
        wants = "another_option" if verb in ("exchange", "modify") else verb
        mistaken = re.search(r"\bmistake|\baccident", self.text, re.I)
        unneeded = re.search(r"\bno longer need", self.text, re.I)
        return {
            "authenticated": True,
            "own_order": all(name in {order.id for order in self.customer.orders} for name in wish.orders),
            "wants": wants,
            "order_status": None,
            "whole_order": None,
            "cancel_reason": "ordered_by_mistake" if mistaken else "no_longer_needed" if unneeded else "not_said",
            "same_product": True,
            "different_option": True,
            "item_available": True,
            "money_goes": "original",
            "gift_card_covers": True,
        }

    def _rows(self, wish: Wish) -> Iterator[tuple[str, Facts]]:
        """One row of facts for each order or item that a wish is about; one that names none if none is found."""
        common = self._facts(wish.verb, wish)
        if wish.verb not in SUITABLE:
            yield "", common
            return
        items = self._items(wish)
        if not items and wish.scope != "all":
            yield "", common
        for order in dict.fromkeys(order for order, _ in items):
            mine = [item for of, item in items if of is order]
            row = common | {"order_status": self.status(order, wish.verb), "money_goes": self._money(wish, order)}
            named = [item for item in order.items if _among(wish.mentions, item)] or mine
            row["whole_order"] = wish.scope != "items" or len(named) == len(order.items)
            if wish.verb not in ("exchange", "modify"):
                yield order.id, row
                continue
            for item in mine:
                yield order.id, row | other_item(self.shop, self.customer, item, own_words(wish, item.product))

    def _items(self, wish: Wish) -> list[tuple[Order, Item]]:
        """The items that a wish is about, each with its order."""
        if wish.verb == "new_profile":
            return []
        named = [order for order in self.customer.orders if not wish.orders or order.id in wish.orders]
        statuses = self._statuses(wish)
        if wish.scope == "all" or (wish.verb == "new_address" and not wish.mentions):
            chosen = [order for order in named if order.status in statuses] or named
            if wish.verb == "cancel":
                chosen = [order for order in chosen if not any(_among(wish.spared, item) for item in order.items)]
            return [(order, item) for order in chosen for item in order.items if not _among(wish.spared, item)]
        if wish.scope == "order":
            about = {order.id for order in named for item in order.items if _among(wish.mentions, item)}
            likely = sorted(named, key=lambda order: (_place(order.status, statuses), order.id not in about))
            return [(order, item) for order in likely[:1] for item in order.items]
        held = [(order, item) for order in named for item in order.items if not _among(wish.spared, item)]
        held.sort(key=lambda one: (_place(one[0].status, statuses), -len(spoken_options(wish.words, one[1].options))))
        if not wish.mentions:  # a thing without a name is some item of an order that suits
            return held[:1]
        return [one for mention in wish.mentions for one in [one for one in held if one[1].product in mention][:1]]

    def _statuses(self, wish: Wish) -> tuple[str, ...]:
        """The statuses of the orders that a wish may be about, the likeliest first."""
        statuses = SUITABLE.get(wish.verb, ("pending", "delivered"))
        stage = STAGE.search(wish.words)
        if stage and wish.verb in ("exchange", "modify"):
            return ("delivered", "pending") if stage.lastgroup == "delivered" else ("pending", "delivered")
        return statuses

    def _money(self, wish: Wish, order: Order) -> str:
        """Where the money is asked to go: the best of the methods that are named, or the original one."""
        if not wish.methods or order.paid_with in wish.methods or "original" in wish.methods:
            return "original"
        if "gift_card" in wish.methods and self.customer.gift_card is not None:
            return "own_gift_card"
        on_file = {"another", *self.customer.methods} & set(wish.methods)
        return "another_on_file" if on_file else "not_on_file"


def _among(mentions: tuple[Mention, ...], item: Item) -> bool:
    return any(item.product in mention for mention in mentions)


def _place(status: str, statuses: tuple[str, ...]) -> int:
    return statuses.index(status) if status in statuses else len(statuses)


def requests_of(known: str, wants: str, shop: Shop, policy: Policy) -> list[Request]:
    """Every request that a customer's own words make, in order, each with what the policy recommends."""
    customer = shop.who(f"{known}\n{wants}")
    if customer is None:
        return [Request("", {"authenticated": False}, policy({"authenticated": False}))]
    bought = {name: name for name in customer.products}
    bought |= {item.item_id: item.product for order in customer.orders for item in order.items}
    said = read(wants, bought)
    talk = Conversation(customer, shop, policy, wants)
    for wish in said.wishes:
        if not (wish.verb in said.never and wish.scope != "items"):
            talk.hear(wish)
    return [request for _, requests in talk.decided for request in requests]
