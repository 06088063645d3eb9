"""The clock of approvals: reminders, escalation, expiry, and rulings brought together with paused runs."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from control_tower.traces import tell
from flows.missed import makes_up
from tasks.sweep import Swept
from tasks.sweep import sweep as sweep_once


@flow(name="sweep-approvals", persist_result=False, on_running=[makes_up])
def sweep_approvals(now: datetime | None = None) -> Swept:
    """Sweep once. Nothing here decides, and nothing here acts.

    Args:
        now: the moment to look from; this one when left out.
    """
    tell(flow="sweep-approvals")
    return sweep_once(now or datetime.now(UTC))
