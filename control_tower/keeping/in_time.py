"""How long a run may take: a tag of its deployment, as in `within:60m`. It ends between two steps, never inside one.

Prefect's own time-out breaks into the thread at any instruction. In a warm worker that may be one that holds a lock of
Python's or of a library's, which then nobody lets go of: the run ends, and every other run waits for ever.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from control_tower.errors import OutOfTime, SettingError

TAG = "within:"


def in_time(step: str, now: datetime | None = None) -> None:
    """Return if the flow run that this is part of may begin one more step.

    Raises:
        OutOfTime: it has gone on for longer than it may.
        SettingError: the tag says no time.
    """
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    passed = (now or datetime.now(UTC)) - context.start_time
    for tag in context.flow_run.tags:
        if tag.startswith(TAG) and passed > (most := _minutes(tag)):
            raise OutOfTime(
                f"it has run for {passed.total_seconds() / 60:.0f} minutes, and has {most.total_seconds() / 60:.0f}",
                where=f"before {step}",
                remedy=f"see why it took so long, or give its deployment more than {tag!r}",
            )


def _minutes(tag: str) -> timedelta:
    found = re.fullmatch(r"within:(\d{1,5})m", tag)
    if found is None:
        raise SettingError(f"{tag!r} says no time", where="a deployment's tags", remedy="as in within:60m")
    return timedelta(minutes=int(found[1]))
