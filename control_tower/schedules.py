"""How far apart the runs of a schedule are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

AHEAD = 400  # runs of a schedule to look at: more than a week of half-hourly ones


def longest(cron: str, zone: str) -> float:
    """The longest time between two runs from now on, in seconds."""
    from cronsim import CronSim

    runs = islice(CronSim(cron, datetime.now(ZoneInfo(zone))), AHEAD)
    gaps = (later.astimezone(UTC) - run.astimezone(UTC) for run, later in pairwise(runs))
    return max(gaps, default=timedelta()).total_seconds()
