"""Every hour: whether each lane still earns the rung on which it stands."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from control_tower.traces import tell
from flows.lanes import lanes
from flows.missed import makes_up
from tasks.weigh import Weighed, weigh


@flow(name="weigh-lanes", persist_result=False, on_running=[makes_up])
def weigh_lanes(now: datetime | None = None) -> Weighed:
    """Weigh every lane once. A lane can fall here, and none can rise.

    Args:
        now: the moment to look back from; this one when left out.
    """
    tell(flow="weigh-lanes")
    return weigh(lanes(), now or datetime.now(UTC))
