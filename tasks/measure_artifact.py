"""The same page as Markdown with its plots, as Prefect's UI shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from control_tower.markdown import inert
from policies.measures import measures
from tasks.measure import Measurement
from tasks.measure_cards import Card, families_of, group_rows, load_rows
from tasks.measure_plot import as_image


def measure_markdown(found: Measurement) -> str:
    """The page, whole."""
    parts = [f"# Measures of {inert(found.shop)}", _span(found)]
    for title, cards in families_of(found).items():
        parts += [f"## {title}", *(part for card in cards for part in _card(card))]
    if load := load_rows(found):
        parts += ["## By approver", _table(("approver", "measure", "n", "value"), load)]
    if groups := group_rows(found):
        parts += [f"## By {found.by}", _table(("measure", found.by, "n", "value", "95 %"), groups)]
    quality = [(one.table, f"{one.rows:,}", f"{one.aside:,}", f"{one.marked:,}") for one in found.quality]
    parts += ["## Evidence", _table(("table", "rows", "set aside", "marked"), quality)]
    return "\n\n".join([*parts, _footing()])


def _span(found: Measurement) -> str:
    return (
        f"{found.since:%Y-%m-%d} to {found.as_of:%Y-%m-%d %H:%M} UTC, against as long before. Intervals hold 95 in a"
        f" hundred and are the shade of the plots; what is still open is censored, not left out. Weeks begin on Monday,"
        f" {inert(found.time_zone)}. Definitions: `{found.reference}`."
    )


def _card(card: Card) -> Iterable[str]:
    yield f"### {card.title}"
    worth = f"**{card.worth}**" + (f" · {card.beside}" if card.beside else "")
    if card.missing:
        yield f"{worth} · needs {card.missing}"
    else:
        interval = f" · {card.interval}" if card.interval != "-" else ""
        change = f" · {card.change} than before ({card.before})" if card.change != "-" else ""
        yield f"{worth} · n = {card.n}{interval}{change} · {card.badge} evidence"
    if card.plot:
        yield f"![{card.title} by week]({as_image(card.plot)})"
    yield card.means


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    counts = {"n", "rows", "set aside", "marked"}
    lines = [names, ["---:" if name in counts else "---" for name in names]]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *(map(inert, row) for row in rows)])


def _footing() -> str:
    paper = measures()
    return f"Holdout: {paper.holdout.share:.0%} of cases. Costs that no shop tells of are {paper.costs.source}."
