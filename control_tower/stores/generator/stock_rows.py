"""From stock to the canonical tables: looks at warehouses, purchase orders, campaigns, signals, storefront."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import DAY, NEVER, Moments, Numbers, span, within
from control_tower.stores.generator.columns import canonical_table, sku_ids
from control_tower.stores.generator.stock import DAYS_OF_QUESTIONS, Stock

WEEKS_OF_VIEWS = 11
EVERY = np.arange(shelf.SKUS)


def stock_tables(stock: Stock, campaigns: pa.Table) -> dict[str, pa.Table]:
    """Every table of stock, in order of its primary key.

    Args:
        campaigns: the campaign calendar, to which what is planted is added.
    """
    return {
        "campaigns": pa.concat_tables([campaigns, _campaigns(stock)]).sort_by("campaign_id"),
        "inventory_levels": _levels(stock),
        "purchase_orders": _purchase_orders(stock),
        "product_signals": _signals(stock),
        "product_states": _states(stock),
    }


def _table(stock: Stock, name: str, sku: Numbers, columns: dict[str, Any]) -> pa.Table:
    return canonical_table(name, {"sku": sku_ids(sku), **columns}, stock.clock.now)


def _campaigns(stock: Stock) -> pa.Table:
    sku = np.flatnonzero(stock.promoted)
    starts = stock.days_ago(np.full(len(sku), 5), 0.0)
    return _table(
        stock,
        "campaigns",
        sku,
        {
            "campaign_id": np.array([f"campaign-now-{code + 1:03}" for code in sku], "U20"),
            "name": np.array(["Last chance"] * len(sku), "U20"),
            "starts_at": starts,
            "ends_at": starts + 14 * DAY,
        },
    )


def _levels(stock: Stock) -> pa.Table:
    """Two looks at each product in each warehouse; the older one, a week ago, found other numbers."""
    sku = np.repeat(np.flatnonzero(stock.counted), 2 * len(shelf.WAREHOUSES))
    place = np.arange(len(sku)) % len(shelf.WAREHOUSES)
    old = np.arange(len(sku)) // len(shelf.WAREHOUSES) % 2 == 1
    now = stock.clock.now
    available = _part(stock.available[sku], place) + 7 * old
    committed = _part(stock.committed[sku], place)
    offered = np.where(place == 0, stock.offered[sku], 0)
    return _table(
        stock,
        "inventory_levels",
        sku,
        {
            "level_id": np.array([f"level-{number:05}" for number in range(len(sku))]),
            "warehouse_id": shelf.WAREHOUSES[place],
            "counted_at": np.where(old, now - 7 * DAY, now - span(2.0)),
            "available": available,
            "committed": committed,
            "safety_stock": _part(stock.safety[sku], place),
            "storefront_available": available + offered + 9 * old,
            "warehouse_count": np.maximum(available + committed, 0),
            "lead_days": stock.lead[sku],
        },
    )


def _part(whole: Numbers, place: Numbers) -> Numbers:
    """What of a number of units lies in one warehouse."""
    each, rest = np.divmod(whole, len(shelf.WAREHOUSES))
    return np.where(place == 0, each + rest, each)


def _purchase_orders(stock: Stock) -> pa.Table:
    """One that arrived for each product, and those that are yet to arrive, or should have."""
    chance, clock = stock.chance, stock.clock
    late, coming = np.flatnonzero(stock.overdue >= 0), np.flatnonzero(~np.isnan(stock.inbound))
    ordered = [stock.days_ago(chance.integers(38, 60, shelf.SKUS), 9.0)]
    expected = [stock.days_ago(chance.integers(24, 30, shelf.SKUS), 10.0)]
    received = [expected[0] + within(chance, shelf.SKUS, -30.0, 50.0)]
    expected.append(clock.at(clock.working_days_ago(stock.overdue[late]), 10.0) if len(late) else _none(late))
    expected.append(stock.in_days(stock.inbound[coming]))
    ordered += [stock.days_ago(np.full(len(each), 32), 9.0) for each in (late, coming)]
    received += [_none(late), _none(coming)]
    sku, here = np.r_[EVERY, late, coming], np.concatenate(received)
    return _table(
        stock,
        "purchase_orders",
        sku,
        {
            "po_id": np.array([f"po-{number:04}" for number in range(len(sku))]),
            "warehouse_id": shelf.WAREHOUSES[sku % len(shelf.WAREHOUSES)],
            "quantity": np.ceil(stock.speed[sku] * 30).astype(int) + stock.awaiting[sku] + 10,
            "ordered_at": np.concatenate(ordered),
            "expected_at": np.concatenate(expected),
            "received_at": here,
            "status": np.where(np.isnat(here), "shipped", "received"),
        },
    )


def _none(like: Numbers) -> Moments:
    return np.full(len(like), NEVER)


def _signals(stock: Stock) -> pa.Table:
    """Views and carts by the week, questions on the days on which any was asked, and orders called off."""
    week = np.tile(np.arange(WEEKS_OF_VIEWS), shelf.SKUS)
    viewed = np.repeat(EVERY, WEEKS_OF_VIEWS)
    views = stock.chance.poisson(50 + 200 * stock.speed[viewed])
    carts = stock.chance.binomial(views, 0.08)
    asked, day = np.nonzero(stock.questions)
    off = np.flatnonzero(stock.cancellations)
    kinds = np.repeat(
        np.array(["view", "add_to_cart", "availability_question", "preorder_cancellation"]),
        [len(viewed), len(viewed), len(asked), len(off)],
    )
    sku = np.r_[viewed, viewed, asked, off]
    ago = np.r_[week * 7 + 1, week * 7 + 1, day + 1, np.full(len(off), 3)]
    assert ago.max() > DAYS_OF_QUESTIONS  # noqa: S101 - the past of every product is longer than what is compared
    return _table(
        stock,
        "product_signals",
        sku,
        {
            "signal_id": np.array([f"signal-{number:06}" for number in range(len(sku))]),
            "kind": kinds,
            "count": np.r_[views, carts, stock.questions[asked, day], stock.cancellations[off]],
            "counted_at": stock.days_ago(ago, 23.0),
        },
    )


def _states(stock: Stock) -> pa.Table:
    """What each product was launched with, and what was set since."""
    sku = np.repeat(EVERY, 2)
    now = np.arange(len(sku)) % 2 == 1
    return _table(
        stock,
        "product_states",
        sku,
        {
            "state_id": np.array([f"state-{number:04}" for number in range(len(sku))]),
            "recommended": np.where(now, stock.recommended[sku], True),
            "ranking": np.where(now, stock.ranking[sku], shelf.SKUS),
            "message": np.where(now, "In stock", "New"),
            "ads": np.where(now, stock.ads[sku], True),
            "backorder": np.where(now & stock.deny[sku], "deny", "allow"),
            "set_at": stock.days_ago(np.where(now, 10, 80), 9.0),
        },
    )
