"""The fulfilment lane: orders that are not moving as promised, and what a person might do about them."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.look import Looked, look
from flows.missed import makes_up
from tasks.lane import lane

LANE = lane(
    "fulfilment",
    __file__,
    "orders",
    "order_lines",
    "payments",
    "promises",
    "fulfillments",
    "shipment_events",
    "holds",
    "refunds",
    "support_contacts",
    "reviews",
    apart=True,
)


@flow(name="watch-fulfilment", persist_result=False, on_running=[makes_up])
def watch_fulfilment(
    source: str = "shop",
    mapping: str | None = None,
    as_of: datetime | None = None,
    dry_run: bool = False,
    only_changed: bool = False,
    all_daily: bool = False,
) -> Looked:
    """Find the orders that are not moving as promised, and ask a person what to do.

    Args:
        source: `shop`, or `folder:PATH` with a mapping.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
        only_changed: look at what changed since the last look, and at what time may move; at everything when unsure.
        all_daily: with `only_changed`, the first look of each of the shop's days is at everything all the same.
    """
    return look(LANE, source, mapping, as_of, dry_run, only_changed=only_changed, all_daily=all_daily)
