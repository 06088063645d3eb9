"""The fraud lane: evidence for a review of orders that somebody should look at, and the hold that may be asked for.

It judges nobody. It puts side by side what is known, lists what is missing, and draws what is linked; whether
an order is held, released or cancelled stays with the reviewer.
"""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.look import Looked, look
from flows.missed import makes_up
from tasks.lane import lane

LANE = lane(
    "fraud", __file__, "orders", "order_lines", "fulfillments", "holds", "risk_signals", "address_changes",
    "disputes", "support_contacts", whole=True, linked=True,
)  # fmt: skip


@flow(name="watch-fraud", persist_result=False, on_running=[makes_up])
def watch_fraud(
    source: str = "shop", mapping: str | None = None, as_of: datetime | None = None, dry_run: bool = False
) -> Looked:
    """Find the orders that a reviewer should see before they ship, and prepare what the review needs.

    Args:
        source: `shop`, or `folder:PATH` with a mapping.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
    """
    return look(LANE, source, mapping, as_of, dry_run)
