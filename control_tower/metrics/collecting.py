"""Collecting: each scrape reads the book anew; when it can't be read, the answer is that, at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from control_tower.clock import SYSTEM, Clock
from control_tower.metrics.figures import figures, gauge
from control_tower.metrics.reading import as_of_now, reader
from control_tower.metrics.webhooks import RECEIVED
from control_tower.redaction import redacted

logger = logging.getLogger("control_tower.metrics")
Intervals = Mapping[tuple[str, str], float]
"""Seconds by lane and shop."""


class Book(Collector):
    """The book of one tower, as metrics.

    Args:
        ledger: URL of the ledger.
        intervals: seconds between two looks of a lane at a shop, by its schedule; the shop is empty where there is one.
        shops: those of the tower's file.
    """

    def __init__(self, ledger: str, intervals: Intervals, shops: Collection[str] = (), clock: Clock = SYSTEM) -> None:
        self.engine, self.intervals, self.shops, self.clock = reader(ledger), intervals, shops, clock
        self.trouble = ""

    def collect(self) -> Iterator[Metric]:
        """All of it; or `tower_up 0` alone, with the reason in the log, once for each reason."""
        began = time.perf_counter()
        try:
            with as_of_now(self.engine) as book:
                found = list(figures(book, self.clock.now(), self.shops))
            trouble = ""
        except (SQLAlchemyError, OSError) as fault:
            found, trouble = [], _in_words(fault)
        if trouble and trouble != self.trouble:
            logger.warning("the ledger can't be read: %s", trouble)
        self.trouble = trouble
        yield gauge("tower_up", "1 when the ledger could be read.", (), [(not trouble,)])
        yield gauge("tower_read_seconds", "How long reading the ledger took.", (), [(time.perf_counter() - began,)])
        yield gauge(
            "tower_lane_interval_seconds", "Longest time between two looks of a lane, by its schedule.",
            ("lane", "shop"), ((*kind, seconds) for kind, seconds in self.intervals.items()),
        )  # fmt: skip
        yield from found


def _in_words(fault: Exception) -> str:
    """What the driver said, in one line and without a secret."""
    lines = str(getattr(fault, "orig", None) or fault).strip().splitlines()
    return redacted(lines[0] if lines else type(fault).__name__)[:300]


def registry(ledger: str, intervals: Intervals, shops: Collection[str] = ()) -> CollectorRegistry:
    """A registry that holds the book, and what this process received, and nothing else."""
    found = CollectorRegistry(auto_describe=False)
    found.register(Book(ledger, intervals, shops))
    found.register(RECEIVED)
    return found
