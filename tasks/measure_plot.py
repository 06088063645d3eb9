"""The weeks of a measure as SVG: in the reader's own ink and on no paper, or as an image with paper of its own."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import StringIO
from statistics import median
from typing import TYPE_CHECKING

from policies.measures import Measure
from tasks.measured import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, LINE = "#010203", "#2f7ed8"
"""The first stands for the reader's own ink, and is replaced by it; the second is read on black and on white."""
FEWEST_WEEKS = 3
UNBOUNDED = 1e12
PAPER = (
    "<style>svg{color:#1b1b1b;background:#fff}"
    "@media(prefers-color-scheme:dark){svg{color:#ececec;background:#1f2024}}</style>"
)
SCALES = {"duration": 1 / 24, "money": 1 / 100, "difference": 1 / 100}


def plot(measure: Measure, weeks: Sequence[Measured]) -> str:
    """The weeks of one measure with their intervals; nothing where there are too few, or where all are nought."""
    drawn = [one for one in weeks if one.value is not None]
    if len(drawn) < FEWEST_WEEKS or not any(one.value for one in drawn):
        return ""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{measure.id} {drawn[0].currency}",
                     "font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.labelcolor": INK,
                     "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": INK}):  # fmt: skip
        figure = Figure(figsize=(4.2, 1.9), layout="constrained")
        _draw(figure.subplots(), measure, drawn)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _in_the_readers_ink(written.getvalue(), f"{measure.title} by week")


def as_image(drawing: str) -> str:
    """The drawing as the address of an image; an image can't take its reader's ink, so it brings paper of its own."""
    return (
        "data:image/svg+xml;base64,"
        + b64encode(re.sub("(<svg[^>]*>)", rf"\1{PAPER}", drawing, count=1).encode()).decode()
    )


def unit_of(measure: Measure, currency: str) -> str:
    """What the upright axis counts."""
    if measure.kind in ("money", "difference"):
        return currency
    if measure.kind == "duration":
        return "days"
    return "%" if measure.per == 100 else f"in {measure.per:,}" if measure.per > 1 else "share"


def _draw(axes: Axes, measure: Measure, drawn: Sequence[Measured]) -> None:
    import numpy as np
    from matplotlib.dates import DateFormatter

    scale = SCALES.get(measure.kind, float(measure.per))
    days = np.array([one.group for one in drawn], "datetime64[D]")
    values = [(one.value or 0) * scale for one in drawn]
    axes.plot(days, values, color=LINE, marker="o", markersize=3, linewidth=1.5, clip_on=False)
    low = [np.nan if one.low is None else one.low * scale for one in drawn]
    high = [UNBOUNDED if one.high is None else one.high * scale for one in drawn]
    axes.fill_between(days, low, high, color=LINE, alpha=0.18, linewidth=0)
    if measure.kind != "difference":
        # A week that is cut short, or mostly open, is least sure: its band may leave the frame.
        axes.set_ylim(
            0, 1.1 * max(*values, *([median(known)] if (known := [e for e in high if e < UNBOUNDED]) else []))
        )
    axes.set_ylabel(unit_of(measure, drawn[0].currency))
    axes.set_xlabel("week from Monday")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xticks(days[:: max(1, len(days) // 4)])
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]


def _in_the_readers_ink(written: str, name: str) -> str:
    drawing = written[written.index("<svg") :].replace(INK, "currentColor")
    # What a browser asks for and a page without links does not need.
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return drawing.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1)
