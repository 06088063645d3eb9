"""What breaks in a simulated week, and when: drawn beforehand from the seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from simulated.house import House

SHORTEST = 6.0  # seconds that the work of an hour is taken to last at least
AT_WORK = 30.0  # seconds to wait for work to begin


@dataclass(frozen=True)
class Breakage:
    """Which hour of the week meets what; the worker is killed in each."""

    slack_down: int
    restarts: dict[int, str]
    seed: int

    def delay(self, hour: int, lasts: float) -> float:
        """Seconds of work after which something breaks, where the longest of the hours before lasted so long."""
        return random.Random(f"{self.seed} {hour}").uniform(0.0, 1.0) * max(lasts, SHORTEST)


def drawn(hours: int, begins_at: int, seed: int) -> Breakage:
    """PostgreSQL is restarted twice, and Slack is down in an hour of some working day.

    Args:
        hours: of the week.
        begins_at: the hour of the shop's day at which it begins.
    """
    chance = random.Random(seed)
    working = [hour for hour in range(1, hours - 2) if 10 <= (hour + begins_at) % 24 <= 15] or [hours // 2]
    slack = chance.choice(working)
    first, second = hours // 3, (2 * hours) // 3
    return Breakage(slack, {first: "immediate", second: "fast"}, seed)


def while_at_work(house: House, delay: float, act: Callable[[], None]) -> threading.Thread:
    """Do this once work has been under way for so many seconds, or ends; at the latest when none begins for a while."""

    def strike() -> None:
        until = time.monotonic() + AT_WORK
        while time.monotonic() < until and not is_so(house.busy):
            time.sleep(0.1)
        until = time.monotonic() + delay
        while time.monotonic() < until and is_so(house.under_way):
            time.sleep(0.3)
        act()

    thread = threading.Thread(target=strike)
    thread.start()
    return thread


def is_so(asked: Callable[[], bool]) -> bool:
    """What is asked of the databases; yes while one of them is being restarted."""
    try:
        return asked()
    except psycopg.OperationalError:
        return True
