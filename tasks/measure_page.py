"""One page of what was measured: cards, weekly plots and tables; no script, nothing fetched, dark and light."""

from __future__ import annotations

from importlib import resources

from policies.measures import measures
from tasks.measure import Measurement, defined
from tasks.measure_cards import families_of, group_rows, load_rows


def measure_page(found: Measurement) -> str:
    """The page, whole."""
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("tasks") / "measure_page.html.jinja").read_text("utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template).render(
        found=found, families=families_of(found), groups=group_rows(found), load=load_rows(found),
        definitions=defined(found).values(), holdout=measures().holdout, costs=measures().costs,
    )  # fmt: skip
