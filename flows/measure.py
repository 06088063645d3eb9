"""Measure: what came of it all, by margin and service quality. It reads everything and writes nothing back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import State, flow

from control_tower.settings import settings
from control_tower.shops import settings_of
from control_tower.traces import tell
from flows.closed import closed
from flows.missed import makes_up
from flows.watch_returns import LANE as RETURNS
from policies import policy
from tasks.book import read_book
from tasks.detect import detect
from tasks.entitle import entitle
from tasks.gather import gather
from tasks.lane import lane
from tasks.measure import By, Measurement, measure, window
from tasks.tell_measures import tell_measures
from tasks.validate import validate

EVIDENCE = lane(
    "measure", __file__, "orders", "order_lines", "payments", "promises", "fulfillments", "refunds", "returns",
    "inspections", "inventory_levels", "disputes", "support_contacts", "reviews",
)  # fmt: skip


@flow(name="measure", persist_result=False, on_running=[makes_up])
def measure_shop(
    source: str = "shop",
    mapping: str | None = None,
    as_of: datetime | None = None,
    weeks: int | None = None,
    by: By = "lane",
    announce: bool = False,
) -> Measurement | State[Any]:
    """Measure a window of weeks, against the one before it.

    Args:
        source: `shop`, or `folder:PATH` with a mapping.
        mapping: a mapping file, or the name of a shipped one.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        weeks: how long the window is; as the measures' paper has it, when left out.
        by: what it is told by, beside all together and by week.
        announce: put the headline into the channel; once for each week, however often it is run.
    """
    if skipped := closed(source):
        return skipped
    tell(flow="measure", source=source.partition(":")[0])
    moment = (as_of or datetime.now(UTC)).astimezone(UTC)
    accepted = validate(gather(source, mapping, EVIDENCE.tables, moment, live=as_of is None))
    entitled = None
    if "returns" in accepted.frames:
        rules = policy("returns", moment, settings_of(source, settings()).policies)
        entitled = entitle(detect(accepted, RETURNS.signals, rules), rules, moment)
    book = read_book(accepted.shop.id, moment)
    found = measure(accepted, book, entitled, EVIDENCE.signals, window(moment, weeks), by)
    tell_measures(found, announce)
    return found
