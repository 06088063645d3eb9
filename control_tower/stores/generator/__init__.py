"""A believable shop with known faults, for demos, tests and benchmarks; the same seed, the same bytes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from control_tower.errors import SettingError
from control_tower.nouns import Shop
from control_tower.stores.generator.truth import (
    FRAUD_KINDS,
    KINDS,
    RETURN_KINDS,
    STOCK_KINDS,
    SUBSCRIPTION_KINDS,
    WORD_KINDS,
    DirtyRow,
    MissedPickup,
    Rates,
    Truth,
)
from control_tower.stores.shop import PROFILE, sqlite_file

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_DAYS = 90
STOCK, SUBSCRIPTIONS, RISKS, WORDS = 1, 2, 3, 4
"""With the seed, what each of these is drawn by: it changes nothing else that is drawn."""

__all__ = [
    "FRAUD_KINDS", "KINDS", "RETURN_KINDS", "STOCK_KINDS", "SUBSCRIPTION_KINDS", "WORD_KINDS",
    "DirtyRow", "MissedPickup", "Rates", "Truth", "generate", "parquet",
]  # fmt: skip


def generate(
    where: str | Path,
    *,
    orders: int,
    seed: int,
    as_of: datetime,
    days: int = 90,
    rates: Rates | None = None,
    dirty: bool = False,
    frozen: bool = True,
    shop: Shop = PROFILE,
) -> Truth:
    """Make a shop of some days of orders up to `as_of`, and what came back of them; its truth lies beside it.

    Args:
        where: a SQLAlchemy URL or the path of a SQLite file that is not there yet, or has no orders.
        as_of: timezone-aware; nothing in the shop happened later.
        days: how far back its orders go.
        rates: how much of what is planted.
        dirty: plant a few rows that a contract must set aside.
        frozen: the shop was last observed at `as_of`; else it is read live.

    Raises:
        SettingError: the URL, the number of orders or the moment makes no sense.
        StoreError: there is a shop with orders already.
    """
    from control_tower.stores.generator.writing import write_shop

    path = sqlite_file(str(where)) if "://" in str(where) else Path(where)
    tables, truth = make(orders, seed, as_of, days, rates or Rates(), dirty=dirty, shop=shop)
    write_shop(path, tables, shop, as_of if frozen else None)
    truth.save(path)
    return truth


def parquet(
    folder: Path,
    *,
    orders: int,
    seed: int,
    as_of: datetime,
    days: int = 90,
    rates: Rates | None = None,
    dirty: bool = False,
    shop: Shop = PROFILE,
) -> Truth:
    """Make the same shop as a folder of `<table>.parquet` in canonical columns; its truth lies beside it.

    Raises:
        SettingError: the number of orders or the moment makes no sense.
    """
    from control_tower.stores.generator.writing import write_parquet

    tables, truth = make(orders, seed, as_of, days, rates or Rates(), dirty=dirty, shop=shop)
    write_parquet(folder, tables, shop)
    truth.save(folder)
    return truth


def make(
    orders: int, seed: int, as_of: datetime, days: int, rates: Rates, *, dirty: bool, shop: Shop
) -> tuple[dict[str, pa.Table], Truth]:
    """The canonical tables of a generated shop, and its truth; nothing is written.

    Raises:
        SettingError: the number of orders or the moment makes no sense.
    """
    import numpy as np

    from control_tower.stores.generator.clock import Clock
    from control_tower.stores.generator.dirty import soil
    from control_tower.stores.generator.gatherings import gather_orders
    from control_tower.stores.generator.healthy import settle
    from control_tower.stores.generator.plants import plant
    from control_tower.stores.generator.return_healthy import settle_returns
    from control_tower.stores.generator.return_plants import plant_returns
    from control_tower.stores.generator.return_rows import ReturnRows
    from control_tower.stores.generator.return_scene import ReturnScene
    from control_tower.stores.generator.risk_plants import RiskScene, give_to_nobody_else, plant_risks, settle_risks
    from control_tower.stores.generator.risk_rows import RiskRows
    from control_tower.stores.generator.rows import Rows
    from control_tower.stores.generator.scene import Scene
    from control_tower.stores.generator.stock import Stock
    from control_tower.stores.generator.stock_plants import Plants
    from control_tower.stores.generator.stock_rows import stock_tables
    from control_tower.stores.generator.subscription_rows import add_subscriptions
    from control_tower.stores.generator.timeline import choose_pickups, draw
    from control_tower.stores.generator.words import write_words

    if orders < 1:
        raise SettingError("a shop needs an order", remedy="ask for one at least")
    if days < LEAST_DAYS:
        raise SettingError(
            f"a shop needs {LEAST_DAYS} days of orders", remedy="an older order can be late in more ways"
        )
    if as_of.tzinfo is None:
        raise SettingError("as_of has no time zone", remedy="give it one, as in 2026-03-02T09:00+01:00")
    chance, clock = np.random.default_rng(seed), Clock(shop, as_of)
    pickups = choose_pickups(min(rates.missed_pickups, orders // 60), clock, chance)
    scene = Scene(draw(orders, days, pickups, clock, chance), clock, chance)
    plant(scene, rates, pickups)
    settle(scene)
    risk = np.random.default_rng([seed, RISKS])
    gatherings = gather_orders(scene, rates, risk)
    rows = Rows(scene.timeline, clock, shop.currency, chance)
    tables = rows.tables()
    soiled = soil(tables, scene, rows.ids) if dirty else ()
    give_to_nobody_else(rows, gatherings)
    # Last of all, and of orders that nothing else was done to: what is true of orders stays as it is.
    sent_back = ReturnScene(scene, rows)
    plant_returns(sent_back, rates)
    settle_returns(sent_back)
    returns = ReturnRows(sent_back).write(tables)
    # Each with chances of its own, so that orders and returns are what they are without it.
    stock = Stock(rows, np.random.default_rng([seed, STOCK]))
    plants = Plants(stock, rows.promoted)
    plants.all(rates)
    tables |= stock_tables(stock, tables["campaigns"])
    subscribed = add_subscriptions(tables, scene, rows, rates, np.random.default_rng([seed, SUBSCRIPTIONS]))
    seen = RiskScene(scene, rows, tables["orders"]["ship_to_country"], risk)
    plant_risks(seen, gatherings, rates)
    settle_risks(seen)
    fraud = RiskRows(seen).write(tables)
    said = write_words(tables, scene, rows, rates, np.random.default_rng([seed, WORDS]))
    truth = scene.truth(rows.ids, pickups, soiled, returns, as_of, seed)
    moved = truth.planted["fulfilment"] | said
    planted = truth.planted | {
        "fulfilment": moved,
        "fraud": fraud,
        "inventory": plants.truth(),
        "subscriptions": subscribed,
    }
    return tables, truth.model_copy(update={"planted": planted, "unstocked": tuple(sorted(plants.unstocked))})
