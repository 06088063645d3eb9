"""The embedded shop that `tower up` runs beside the server: filled once, when it is empty."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.errors import StoreError
from control_tower.settings import settings
from desk.show import out


def open_shop(orders: int) -> None:
    """Fill an empty shop with believable orders and planted exceptions; one with orders is left as it is."""
    tower = settings()
    if not orders:
        return
    from control_tower.stores.generator import generate

    try:
        truth = generate(
            tower.shop, orders=orders, seed=1, as_of=datetime.now(UTC).replace(microsecond=0), frozen=False
        )
    except StoreError:
        return  # it has orders already
    out.print(
        f"the shop was empty: it has {orders:,} orders now, {len(truth.pairs)} exceptions among them", highlight=False
    )
