"""The stock of a generated shop is believable, and what is planted in it is the truth and all of it.

The rules here are written from the words of the business, over the rows that the shop's own source gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import holidays
import numpy as np
import pandas as pd
import pytest

from control_tower.stores.generator import STOCK_KINDS, Rates, Truth, generate
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import kinds_of

MOMENTS = {
    "a Wednesday morning": datetime(2026, 3, 4, 8, 30, tzinfo=UTC),
    "a Sunday night on which the clocks go forward": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    "the day after New Year": datetime(2026, 1, 2, 6, 0, tzinfo=UTC),
}
CLOSED = np.array(sorted(holidays.country_holidays("DE", years=range(2024, 2028))), "datetime64[D]")
MANY = Rates(**dict.fromkeys((*STOCK_KINDS, "unstocked"), 10))


class Made(NamedTuple):
    frames: dict[str, pd.DataFrame]
    truth: Truth
    as_of: datetime


def made(folder: Path, as_of: datetime, orders: int = 5000, rates: Rates | None = None, seed: int = 3) -> Made:
    truth = generate(folder / "shop.db", orders=orders, seed=seed, as_of=as_of, rates=rates)
    shop = EmbeddedShop(f"sqlite:///{folder / 'shop.db'}")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relations = {table: shop.relation(connection, table, kinds_of(table)) for table in shop.tables()}
        return Made({table: connection.sql(sql).df() for table, sql in relations.items()}, truth, as_of)


@pytest.fixture(scope="module", params=MOMENTS)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    yield made(tmp_path_factory.mktemp("stock"), MOMENTS[request.param], rates=MANY)


def stock_of(shop: Made) -> pd.DataFrame:
    """The newest look at each product in each warehouse, added up."""
    levels = shop.frames["inventory_levels"].sort_values("counted_at").groupby(["sku", "warehouse_id"]).last()
    levels["off"] = (levels.storefront_available + levels.committed - levels.warehouse_count).abs()
    return levels.drop(columns=["level_id", "counted_at", "observed_at", "unreadable"]).groupby("sku").sum()


def speed_of(shop: Made) -> pd.Series:
    """Units a day that were ordered and not cancelled in the last eight weeks."""
    orders = shop.frames["orders"]
    kept = orders[orders.cancelled_at.isna() & (orders.placed_at > shop.as_of - timedelta(days=57))]
    lines = shop.frames["order_lines"].merge(kept, on="order_id")
    return lines.groupby("sku").quantity.sum() / 57


def waiting(shop: Made) -> pd.DataFrame:
    """What open orders wait for, who came first first."""
    orders, parcels = shop.frames["orders"], shop.frames["fulfillments"]
    gone = parcels[parcels.handed_over_at.notna() | parcels.delivered_at.notna() | (parcels.status == "delivered")]
    still = orders[orders.approved_at.notna() & orders.cancelled_at.isna() & ~orders.order_id.isin(gone.order_id)]
    lines = shop.frames["order_lines"].merge(still[["order_id", "placed_at"]], on="order_id")
    return lines.groupby(["sku", "placed_at", "order_id"], as_index=False).quantity.sum()


def planted(shop: Made, kind: str) -> set[str]:
    return set(shop.truth.planted["inventory"][kind])


def test_what_runs_out_before_more_arrives_is_what_was_planted_and_far_from_what_was_not(shop: Made) -> None:
    stock, speed = stock_of(shop), speed_of(shop)
    cover = ((stock.available - stock.safety_stock).clip(lower=0) / speed.reindex(stock.index).fillna(0)).fillna(1000)
    orders = shop.frames["purchase_orders"]
    coming = orders[orders.received_at.isna() & (orders.expected_at > shop.as_of)]
    days = (coming.groupby("sku").expected_at.min() - shop.as_of) / timedelta(days=1)
    lead = shop.frames["inventory_levels"].groupby("sku").lead_days.max()
    days = days.reindex(stock.index).fillna(lead)
    assert (
        set(cover.index[cover < days / 4]) == set(cover.index[cover < 3 * days]) == planted(shop, "cover_below_inbound")
    )


def test_orders_beyond_what_is_there_are_what_was_planted(shop: Made) -> None:
    states = shop.frames["product_states"].sort_values("set_at").groupby("sku").last()
    stock, open_orders = stock_of(shop), waiting(shop)
    there = open_orders.sku.map(stock.available + stock.committed)
    beyond = open_orders[open_orders.groupby("sku").quantity.cumsum() > there]
    denied = beyond[beyond.sku.map(states.backorder) == "deny"]
    assert len(denied) < len(beyond), "some of what is short may be sold on backorder"
    found = set(denied.sku) | set(denied.sku + " of order " + denied.order_id)
    assert found == planted(shop, "oversell")


def test_what_is_promoted_and_gone_late_or_miscounted_is_what_was_planted(shop: Made) -> None:
    stock, campaigns, orders = stock_of(shop), shop.frames["campaigns"], shop.frames["purchase_orders"]
    running = campaigns[(campaigns.starts_at <= shop.as_of) & (campaigns.ends_at > shop.as_of)]
    gone = set(stock.index[stock.available <= 0])
    assert gone & set(running.sku) == planted(shop, "stockout_while_promoted")
    assert set(running.sku) - gone, "some of what is promoted is there"
    late = orders[orders.received_at.isna() & (orders.expected_at < shop.as_of)]
    local = late.expected_at.dt.tz_convert("Europe/Berlin").dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    today = np.datetime64(pd.Timestamp(shop.as_of).tz_convert("Europe/Berlin").date())
    since = np.busday_count(local + 1, today + 1, holidays=CLOSED)
    assert set(late.sku[since > 4]) == set(late.sku[since > 1]) == planted(shop, "late_replenishment")
    assert set(stock.index[stock.off > 0]) == planted(shop, "stock_mismatch")
    assert (stock.off[stock.off > 0] > np.maximum(3, 0.2 * stock.warehouse_count[stock.off > 0])).all()


def test_what_is_asked_about_is_what_was_planted(shop: Made) -> None:
    asked = shop.frames["product_signals"].query("kind == 'availability_question'")
    recent = asked[asked.counted_at > shop.as_of - timedelta(days=14)].groupby("sku")["count"].sum()
    assert (
        set(recent.index[recent >= 20])
        == set(recent.index[recent >= 9])
        == planted(shop, "rising_availability_questions")
    )


def test_products_that_nobody_counted_sell(shop: Made) -> None:
    every = set(shop.frames["product_states"].sku)
    assert every - set(shop.frames["inventory_levels"].sku) == set(shop.truth.unstocked)
    assert len(shop.truth.unstocked) == 10
    assert (speed_of(shop)[list(shop.truth.unstocked)] > 0.3).all()


def test_without_plants_nothing_is_wrong_with_stock(tmp_path: Path) -> None:
    none = made(tmp_path, MOMENTS["a Wednesday morning"], rates=Rates(**dict.fromkeys(Rates.model_fields, 0)))
    assert not any(none.truth.planted["inventory"].values()) and not none.truth.unstocked
    assert (stock_of(none).available > 0).all() and (stock_of(none).off == 0).all()


def test_orders_and_returns_are_the_same_whatever_is_planted_in_stock(tmp_path: Path) -> None:
    as_of = MOMENTS["a Wednesday morning"]
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few = made(tmp_path / "few", as_of, 500)
    many = made(tmp_path / "many", as_of, 500, MANY)
    for table in ("orders", "order_lines", "fulfillments", "returns", "refunds"):
        pd.testing.assert_frame_equal(few.frames[table], many.frames[table])
