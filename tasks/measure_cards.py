"""What was measured as cards and rows, in words: what a page of it shows, wherever the page is."""

from __future__ import annotations

from control_tower.nouns import Noun
from policies.measures import Measure
from tasks.measure import Measurement, defined
from tasks.measure_plot import plot
from tasks.measure_words import beside_of, change_of, interval_of, told, value_of, worth_of
from tasks.measured import Measured

FAMILIES = {"service": "Service", "margin": "Margin", "people": "People who rule"}


class Card(Noun):
    """One measure, as a page shows it."""

    title: str
    means: str
    source: str
    worth: str
    beside: str
    interval: str
    before: str
    change: str
    way: str
    badge: str
    n: str
    plot: str
    missing: str


def families_of(found: Measurement) -> dict[str, list[Card]]:
    """The cards of each family by its title; those with a plot first, so that plots stand beside plots."""
    known = defined(found)
    return {
        title: sorted(
            (card_of(found, known[one.measure], one) for one in found.together if known[one.measure].family == family),
            key=lambda card: not card.plot,
        )
        for family, title in FAMILIES.items()
    }


def card_of(found: Measurement, measure: Measure, one: Measured) -> Card:
    """One measure of the window, with its weeks drawn."""
    weeks = [each for each in found.weeks if each.measure == one.measure and each.currency == one.currency]
    return Card(
        title=measure.title,
        means=measure.means,
        source=measure.source,
        worth=worth_of(measure, one),
        beside=", ".join(beside_of(measure, one)),
        interval=interval_of(measure, one),
        before=told(measure, one, one.before),
        change=change_of(measure, one),
        way=way_of(measure, one),
        badge=found.badge(measure),
        n=f"{one.n:,}",
        plot=plot(measure, weeks),
        missing=", ".join(one.missing),
    )


def way_of(measure: Measure, one: Measured) -> str:
    """Better or worse than before; a change that may be chance is called neither."""
    better = {"lower": 1, "higher": -1, "neither": 0}[measure.better]
    if not one.change or not better:
        return ""
    if one.before is not None and one.low is not None and one.high is not None and one.low <= one.before <= one.high:
        return ""
    return "better" if one.change * better > 0 else "worse"


def group_rows(found: Measurement) -> list[tuple[str, str, str, str, str]]:
    """Measure, group, n, value and interval of each group that was asked for and could be measured."""
    known = defined(found)
    return [
        (known[one.measure].title, one.group, f"{one.n:,}", value_of(known[one.measure], one),
         interval_of(known[one.measure], one))
        for one in found.groups
        if not one.missing
    ]  # fmt: skip


def load_rows(found: Measurement) -> list[tuple[str, str, str, str]]:
    """Approver, measure, n and value: who carries the load."""
    known = defined(found)
    return [
        (one.group, known[one.measure].title, f"{one.n:,}", value_of(known[one.measure], one))
        for one in sorted(found.approvers, key=lambda one: one.group)
    ]
