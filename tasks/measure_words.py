"""What is measured, in words: a value, its interval, and the headline for a channel."""

from __future__ import annotations

from control_tower.nouns import Money
from policies.measures import Measure
from tasks.measured import Measured


def told(measure: Measure, one: Measured, value: float | None) -> str:
    """A value of a measure: hours, so many in a hundred or a thousand, or money."""
    if value is None:
        return "-"
    if measure.kind == "duration":
        return f"{value:,.1f} h" if value < 72 else f"{value / 24:,.1f} d"
    if measure.kind in ("money", "difference"):
        return str(Money(amount=round(value), currency=one.currency)) if one.currency else "-"
    return f"{value:.2%}" if measure.per in (1, 100) else f"{value * measure.per:,.1f} in {measure.per:,}"


def value_of(measure: Measure, one: Measured) -> str:
    """The value, with what has not ended and what is past a programme's limit."""
    if one.value is None and one.open:
        return f"none of {one.open} ended"
    said = told(measure, one, one.value)
    said += f" (p90 {told(measure, one, one.p90)})" if one.p90 is not None else ""
    said += f", {one.open} open" if one.open else ""
    return said + (", excessive" if one.excessive else "")


def interval_of(measure: Measure, one: Measured) -> str:
    """From where to where it lies with 95 in a hundred."""
    if one.low is None and one.high is None:
        return "-"
    return f"{told(measure, one, one.low)} to {told(measure, one, one.high)}"


def change_of(measure: Measure, one: Measured) -> str:
    """How much better or worse than in the window before."""
    if one.change is None:
        return "-"
    if abs(one.change) < 0.005:
        return "-"
    way = "less" if one.change > 0 else "more"
    return f"{abs(one.change):.0%} {way}"
