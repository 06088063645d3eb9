"""Stand down: a lane that only observes asks nobody, so what waits for a person waits no more."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.keeping.step import step
from control_tower.ledger import open_ledger
from control_tower.ledger.proposals import paused_as, withdrawn
from control_tower.ledger.waiting import withdraw_all
from control_tower.pause.calling_off import call_off
from control_tower.settings import settings


@step(touches="the ledger")
def stand_down(lane: str, shop: str) -> int:
    """Withdraw what this lane asked about this shop, and call off its runs; gives how many were called off.

    Its cases stay in the book as they are. What a person asked to undo goes on waiting.
    """
    ledger = open_ledger(settings().ledger)
    withdraw_all(ledger, lane, shop, f"{lane} only observes", datetime.now(UTC))
    gone = withdrawn(ledger, lane, shop)
    call_off(dict(gone.values()))
    paused_as(ledger, dict.fromkeys(gone))
    return len(gone)
