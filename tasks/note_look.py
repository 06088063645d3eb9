"""Note a look: what it read and set aside goes into the book, so that lanes can be watched and held to it."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.keeping.step import flow_run_id
from control_tower.ledger import open_ledger
from control_tower.ledger.looks import record_look
from control_tower.settings import settings
from tasks.validate import Accepted


def note_look(lane: str, source: str, accepted: Accepted) -> None:
    """Write down the rows that a look accepted and quarantined, by table."""
    record_look(
        open_ledger(settings().ledger), flow_run_id(), lane=lane, source=source, shop=accepted.shop.id,
        as_of=accepted.as_of, now=datetime.now(UTC), accepted=accepted.accepted, quarantined=accepted.quarantined,
    )  # fmt: skip
