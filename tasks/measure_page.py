"""One page of what was measured: cards, weekly plots and tables; no script, nothing fetched, dark and light."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from io import StringIO

from control_tower.nouns import Noun
from policies.measures import Measure, measures
from tasks.measure import Measurement, defined
from tasks.measure_words import change_of, interval_of, told, value_of
from tasks.measured import Measured

INK, LINE = "#010203", "#2f7ed8"
"""The first stands for the reader's own ink, and is replaced by it; the second is read on black and on white."""
FEWEST_WEEKS = 3


class Card(Noun):
    """One measure, as the page shows it."""

    title: str
    means: str
    source: str
    value: str
    interval: str
    before: str
    change: str
    way: str
    badge: str
    n: str
    plot: str
    missing: str


def measure_page(found: Measurement) -> str:
    """The page, whole."""
    from jinja2 import Environment, StrictUndefined

    known = defined(found)
    families = {
        name: [card_of(found, known[one.measure], one) for one in found.together if known[one.measure].family == name]
        for name in ("service", "margin", "people")
    }
    groups = [
        (known[one.measure].title, one.group, f"{one.n:,}", value_of(known[one.measure], one),
         interval_of(known[one.measure], one))
        for one in found.groups
    ]  # fmt: skip
    load = [
        (one.group, f"{one.n:,}", value_of(known[one.measure], one), known[one.measure].title)
        for one in found.approvers
    ]
    template = (resources.files("tasks") / "measure_page.html.jinja").read_text("utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template).render(
        found=found, families=families, groups=groups, load=load, quality=found.quality, holdout=measures().holdout,
        costs=measures().costs,
    )  # fmt: skip


def card_of(found: Measurement, measure: Measure, one: Measured) -> Card:
    """One measure of the window, with its weeks drawn."""
    better = {"lower": 1, "higher": -1, "neither": 0}[measure.better]
    within = (
        one.before is not None and one.low is not None and one.high is not None and one.low <= one.before <= one.high
    )
    # A change that may be chance is told, and called neither better nor worse.
    way = "" if not one.change or not better or within else "better" if one.change * better > 0 else "worse"
    weeks = [each for each in found.weeks if each.measure == one.measure and each.currency == one.currency]
    return Card(
        title=measure.title,
        means=measure.means,
        source=measure.source,
        value="not measured" if one.missing else value_of(measure, one) if one.n else "nothing to measure",
        interval=interval_of(measure, one),
        before=told(measure, one, one.before),
        change=change_of(measure, one),
        way=way,
        badge=found.badge(measure),
        n=f"{one.n:,}",
        plot=plot(measure, weeks),
        missing=", ".join(one.missing),
    )


def plot(measure: Measure, weeks: Sequence[Measured]) -> str:
    """The weeks of one measure as SVG, with their intervals; nothing where there are too few."""
    drawn = [one for one in weeks if one.value is not None]
    if len(drawn) < FEWEST_WEEKS:
        return ""
    import numpy as np
    from matplotlib import rc_context
    from matplotlib.dates import DateFormatter
    from matplotlib.figure import Figure

    scale = {"duration": 1 / 24, "money": 1 / 100, "difference": 1 / 100}.get(measure.kind, float(measure.per))
    unit = {"duration": "days", "money": drawn[0].currency, "difference": drawn[0].currency}.get(
        measure.kind, f"in {measure.per:,}" if measure.per > 1 else "share"
    )
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": measure.id, "font.family": "sans-serif", "font.size": 9,
                     "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
                     "axes.edgecolor": INK}):  # fmt: skip
        figure = Figure(figsize=(4.2, 1.7), layout="constrained")
        axes = figure.subplots()
        days = np.array([one.group for one in drawn], "datetime64[D]")
        values = [(one.value or 0) * scale for one in drawn]
        axes.plot(days, values, color=LINE, marker="o", markersize=3, linewidth=1.5)
        banded = [one for one in drawn if one.low is not None and one.high is not None]
        if len(banded) == len(drawn):
            low, high = (
                [(edge or 0) * scale for edge in edges]
                for edges in zip(*((o.low, o.high) for o in banded), strict=True)
            )
            axes.fill_between(days, low, high, color=LINE, alpha=0.18, linewidth=0)
        axes.set_ylim(bottom=0 if measure.kind != "difference" else None)
        axes.set_ylabel(unit)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks(days[:: max(1, len(days) // 4)])
        axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = written.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    # What a browser asks for and a page without links does not need.
    return re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
