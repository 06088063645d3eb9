"""`tower measure`: what came of it all, as a table or as a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from control_tower.errors import SettingError, nearest
from control_tower.server import running_server, use
from control_tower.settings import settings
from control_tower.source_words import placed
from desk.run import mapping_file, watching, when
from desk.show import as_json, out, table

if TYPE_CHECKING:
    from policies.measures import Measure
    from tasks.measure import Measurement
    from tasks.measured import Measured


def measure(
    source: str, mapping: str | None, as_of: str | None, weeks: int | None, by: str, page: Path | None, *, json: bool
) -> None:
    """Measure a window on the tower's own Prefect server, and print it, or write it as a page too.

    Raises:
        SettingError: it can't be told by that.
    """
    tower = settings()
    moment = when(as_of, source, mapping, tower)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    use(tower)  # before anything imports Prefect
    from flows.measure import measure_shop
    from tasks.measure import BYS

    told_by = next((one for one in BYS if one == by), None)
    if told_by is None:
        raise SettingError(f"can't be told by {by!r}", where="--by", remedy=nearest(by, BYS))
    with running_server(tower), watching(f"measuring {source}"):
        found = cast("Measurement", measure_shop(placed(source), mapping_file(mapping), moment, weeks, told_by))
    if page:
        from tasks.measure_page import measure_page

        page.write_text(measure_page(found), "utf-8")
    if json:
        as_json(found.model_dump(mode="json"))
        return
    _show(found)
    if page:
        out.print(f"the page is in {page}", highlight=False)


def _show(found: Measurement) -> None:
    from tasks.measure import defined

    known = defined(found)
    span = f"{found.since:%Y-%m-%d} to {found.as_of:%Y-%m-%d}"
    out.print(f"{found.shop}, {span}, against as long before; {found.reference}", highlight=False)
    rows = [
        (known[one.measure].title, *_cells(known[one.measure], one), found.badge(known[one.measure]))
        for one in found.together
    ]
    table("Measures", ("measure", "n", "value", "95 %", "before", "evidence"), rows, right=("n", "value", "before"))
    if found.groups:
        groups = [(known[one.measure].title, one.group, *_cells(known[one.measure], one)[:3]) for one in found.groups]
        table(f"By {found.by}", ("measure", found.by, "n", "value", "95 %"), groups, right=("n", "value"))


def _cells(measure: Measure, one: Measured) -> tuple[str, str, str, str]:
    from tasks.measure_words import interval_of, told, value_of

    beside = f"needs {', '.join(one.missing)}" if one.missing else interval_of(measure, one)
    return f"{one.n:,}", value_of(measure, one), beside, told(measure, one, one.before)
