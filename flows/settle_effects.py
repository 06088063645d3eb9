"""Every few minutes: what was sent and is not settled is read again."""

from __future__ import annotations

from prefect import flow

from control_tower.traces import tell
from flows.missed import makes_up
from tasks.settle_effects import settle_open


@flow(name="settle-effects", persist_result=False, on_running=[makes_up])
def settle_effects() -> str:
    """Settle by reading, call nothing, and tell the channel what stays unknown."""
    tell(flow="settle-effects")
    swept = settle_open()
    return f"settled {len(swept.settled)}, unknown {len(swept.unknown)}, alarms {len(swept.alarms)}"
