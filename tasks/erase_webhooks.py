"""Erase from webhooks: an erased person's events stay as what is known of their orders, and tell of nobody.

An event keeps its name: sent again, it is known, and does not come back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import partial
from typing import Any, NamedTuple

from control_tower.ledger.erasures import KnownBy
from control_tower.settings import Settings
from control_tower.webhooks.groups import Event, Received, Row, changed, rows_of
from control_tower.webhooks.nameless import nameless, renamed
from control_tower.webhooks.places import received
from policies.retention import retention
from tasks.expire_webhooks import put


class _Told(NamedTuple):
    """A group of events, and the rows that its source makes of it."""

    folder: Received
    group: tuple[Event, ...]
    rows: tuple[Row, ...]

    def has(self, column: str, values: Set[str]) -> bool:
        """Whether a row has one of some values in a column."""
        return any(row.get(column) in values for row in self.rows)


def known_by_webhooks(tower: Settings, customer: str, orders: Set[str], shop: str) -> KnownBy:
    """What a customer is known by, from webhooks; with the orders that are known to be theirs.

    Raises:
        SourceError: they can't be read.
    """
    paper, found = retention().personal, _theirs(tower, customer, orders, shop)
    every = [row for each in found for row in each.rows]
    theirs = {*orders, *_orders_of(every, customer)}
    rows = [row for row in every if row.get("order_id") in theirs or row.get("customer_id") == customer]
    return KnownBy(
        orders=frozenset(theirs),
        names=frozenset(str(row[name]) for row in rows for name in paper.identifying if row.get(name)),
        words=frozenset(str(row[name]) for row in rows for name in paper.words if row.get(name)),
    )


def strike_webhooks(tower: Settings, customer: str, orders: Set[str], instead: str, shop: str) -> int:
    """Put events without the person in the place of those that are about them; how many. Done again, it is none."""
    count = 0
    for folder, group, _ in _theirs(tower, customer, orders, shop):
        after = changed(group, partial(_struck, folder.source, instead))
        for event, before in zip(after, group, strict=True):
            if event != before:
                put(folder, event)
                count += 1
    return count


def _struck(source: str, instead: str, content: Any) -> Any:
    return renamed(nameless(source, content), instead)


def _theirs(tower: Settings, customer: str, orders: Set[str], shop: str) -> list[_Told]:
    """What is about a customer or their orders, and trackers that know a parcel of theirs by its code alone."""
    every = [
        _Told(folder, group, tuple(rows_of(folder.told(group))))
        for folder in received(tower, shop)
        for group in folder.groups()
    ]
    mine = [each for each in every if each.has("customer_id", {customer}) or each.has("order_id", orders)]
    parcels = {str(row["tracking_code"]) for each in mine for row in each.rows if row.get("tracking_code")}
    named = {order for each in mine for order in _orders_of(each.rows, customer)}
    return [
        each
        for each in every
        if each.has("customer_id", {customer})
        or each.has("order_id", {*orders, *named})
        or each.has("tracking_code", parcels)
    ]


def _orders_of(rows: Iterable[Row], customer: str) -> set[str]:
    """The orders of the rows that name a customer."""
    return {str(row["order_id"]) for row in rows if row.get("customer_id") == customer and row.get("order_id")}
