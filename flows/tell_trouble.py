"""Every few minutes, and when Prefect says that something failed: what is wrong with the tower is told, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.context import FlowRunContext

from control_tower.traces import tell
from flows.missed import makes_up
from tasks.trouble import Troubled
from tasks.trouble import tell_trouble as tell_once

AWAY = timedelta(minutes=7)
"""A teller that is later than that was away itself, and lets the lanes that were away with it look first."""


@flow(name="tell-trouble", persist_result=False, on_running=[makes_up])
def tell_trouble() -> Troubled:
    """Tell what failed, is late, or stopped, and what is well again. It reads all of that itself."""
    tell(flow="tell-trouble")
    context = FlowRunContext.get()
    due = context.flow_run.expected_start_time if context and context.flow_run else None
    return tell_once(away=due is not None and datetime.now(UTC) - due > AWAY)
