"""The clock that hands go by: what time it is, and how long something took. Only the first can jump."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """Three readings of time, each of which a test can hand in.

    Args:
        now: the date, for the book. It may jump either way, so nothing is ever decided by it.
        ticks: seconds that only grow, for waiting.
        sleep: waits so many seconds.
    """

    now: Callable[[], datetime] = _utc_now
    ticks: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM = Clock()
