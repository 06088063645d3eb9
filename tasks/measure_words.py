"""What is measured, in words: a value, what stands beside it, its interval and its change."""

from __future__ import annotations

from control_tower.nouns import Money
from policies.measures import Measure
from tasks.measured import Measured


def told(measure: Measure, one: Measured, value: float | None) -> str:
    """A value of a measure: minutes to days, so many in a hundred or a thousand, or money."""
    if value is None:
        return "-"
    if measure.kind == "duration":
        return f"{value * 60:,.0f} min" if value < 1 else f"{value:,.1f} h" if value < 72 else f"{value / 24:,.1f} d"
    if measure.kind in ("money", "difference"):
        return str(Money(amount=round(value), currency=one.currency)) if one.currency else "-"
    return f"{value:.2%}" if measure.per in (1, 100) else f"{value * measure.per:,.1f} in {measure.per:,}"


def worth_of(measure: Measure, one: Measured) -> str:
    """The bare value, or why there is none."""
    if one.missing:
        return "not measured"
    if not one.n:
        return "nothing to measure"
    if one.value is None and one.open:
        return f"none of {one.open} ended" if one.open == one.n else "not half have ended"
    return told(measure, one, one.value)


def beside_of(measure: Measure, one: Measured) -> list[str]:
    """What has to be said beside a value: the slowest tenth, what has not ended, and a programme's limit."""
    return [
        *([f"p90 {told(measure, one, one.p90)}"] if one.p90 is not None else []),
        *([f"{one.open:,} open"] if one.open and one.open < one.n else []),
        *(["excessive"] if one.excessive else []),
    ]


def value_of(measure: Measure, one: Measured) -> str:
    """The value with what stands beside it."""
    return ", ".join([worth_of(measure, one), *beside_of(measure, one)])


def interval_of(measure: Measure, one: Measured) -> str:
    """From where to where it lies with 95 in a hundred."""
    if one.low is None and one.high is None:
        return "-"
    if one.high is None:
        return f"{told(measure, one, one.low)} or more"
    return f"{told(measure, one, one.low)} to {told(measure, one, one.high)}"


def change_of(measure: Measure, one: Measured) -> str:
    """How much better or worse than in the window before."""
    if one.change is None or abs(one.change) < 0.005:
        return "-"
    way = "less" if one.change > 0 else "more"
    return f"{abs(one.change):.0%} {way}"
