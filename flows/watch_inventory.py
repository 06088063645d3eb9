"""The inventory lane: products whose promises outrun their stock, and what teams and a person might do about them."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.look import Looked, look
from flows.missed import makes_up
from tasks.lane import lane

LANE = lane(
    "inventory", __file__, "orders", "order_lines", "fulfillments", "promises", "holds", "inventory_levels",
    "purchase_orders", "campaigns", "product_signals", "product_states", whole=True,
)  # fmt: skip


@flow(name="watch-inventory", persist_result=False, on_running=[makes_up])
def watch_inventory(
    source: str = "shop", mapping: str | None = None, as_of: datetime | None = None, dry_run: bool = False
) -> Looked:
    """Find the products that promise more than there is, advise teams, and ask a person about orders to hold.

    Args:
        source: `shop`, or `folder:PATH` with a mapping.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
    """
    return look(LANE, source, mapping, as_of, dry_run)
