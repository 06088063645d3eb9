"""Each night: what was kept for longer than the policy of retention says is let go."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow

from control_tower.traces import tell
from flows.missed import makes_up
from tasks.expire_kept import Expired, expire


@flow(name="expire-kept", persist_result=False, on_running=[makes_up])
def expire_kept(now: datetime | None = None) -> Expired:
    """Let go once. What a legal hold covers stays.

    Args:
        now: the moment to count from; this one when left out.
    """
    tell(flow="expire-kept")
    return expire(now or datetime.now(UTC))
