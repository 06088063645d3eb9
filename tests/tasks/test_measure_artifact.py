"""The page of measures as Markdown: what is drawn, what is left out, and names that a customer may have thought of."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

from policies.measures import Measure, measures
from tasks.measure import Measurement
from tasks.measure_artifact import measure_markdown
from tasks.measure_plot import as_image, plot
from tasks.measured import Measured

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HOSTILE = "<img src=http://evil.example> | ![x](http://evil.example) `x`"


def defined(name: str) -> Measure:
    (found,) = (one for one in measures().measures if one.id == name)
    return found


def weeks(*values: float, high: float | None = 0.9) -> tuple[Measured, ...]:
    return tuple(
        Measured(
            measure="stuck_orders", group=f"{MONDAY + timedelta(weeks=n):%Y-%m-%d}", n=9, value=value, low=0, high=high
        )
        for n, value in enumerate(values)
    )


def measured(**more: object) -> Measurement:
    together = (
        Measured(measure="stuck_orders", n=27, value=0.2, low=0.1, high=0.4, before=0.5),
        Measured(measure="stockout_days", n=0, value=None, missing=("inventory_levels",)),
    )
    given = {"shop": "shop", "time_zone": "UTC", "since": MONDAY - timedelta(weeks=3), "as_of": MONDAY, "by": "product",
             "reference": "measures@1", "together": together, "groups": (), "weeks": weeks(0.1, 0.2, 0.3),
             "approvers": (), "quality": ()}  # fmt: skip
    return Measurement.model_validate(given | more)


def test_each_measure_is_told_with_its_interval_what_was_before_and_its_plot() -> None:
    told = measure_markdown(measured())
    assert (
        "**200.0 in 1,000** · n = 27 · 100.0 in 1,000 to 400.0 in 1,000 · 60% less than before (500.0 in 1,000)" in told
    )
    assert "![Stuck orders by week](data:image/svg+xml;base64," in told
    assert "**not measured** · needs inventory_levels" in told


def test_a_groups_name_formats_nothing_and_fetches_nothing() -> None:
    nasty = Measured(measure="stuck_orders", group=HOSTILE, n=9, value=0.2)
    told = measure_markdown(measured(groups=(nasty,), weeks=()))
    (row,) = (line for line in told.splitlines() if "evil" in line)
    assert not re.search(r"(?<!\\)(?:[<>`!\[\]]|://)", row)
    assert len(re.findall(r"(?<!\\)\|", row)) == 6, "it stays in its cell"


def test_an_image_brings_paper_of_its_own_and_a_page_gives_its_ink() -> None:
    drawing = plot(defined("stuck_orders"), weeks(0.1, 0.2, 0.3))
    assert "currentColor" in drawing and "background" not in drawing
    image = b64decode(as_image(drawing).partition(",")[2]).decode()
    assert "background:#fff" in image and "prefers-color-scheme:dark" in image


def test_too_few_weeks_and_weeks_of_nought_are_not_drawn() -> None:
    assert plot(defined("stuck_orders"), weeks(0.1, 0.2)) == ""
    assert plot(defined("stuck_orders"), weeks(0, 0, 0, 0)) == ""


def test_a_week_without_an_upper_bound_is_drawn_and_does_not_flatten_the_others() -> None:
    assert "in 1,000" in plot(defined("stuck_orders"), weeks(0.1, 0.2, 0.3, high=None))
