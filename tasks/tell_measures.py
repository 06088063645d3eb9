"""Tell measures: keep the page, show it in Prefect's UI, and once a week put its headline into the channel."""

from __future__ import annotations

import re

from control_tower.keeping import Address
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import open_ledger
from control_tower.nouns import Noun
from control_tower.redaction import redacted
from control_tower.settings import settings
from control_tower.slack.messages import notice_message
from tasks.measure import Measurement, defined
from tasks.measure_artifact import measure_markdown
from tasks.measure_page import measure_page
from tasks.measure_words import change_of, value_of
from tasks.tell import said

HEADLINE = (
    "stuck_orders", "late_shipments", "exception_time", "return_processing", "refund_leakage", "gross_margin_impact",
    "time_to_rule", "overrides",
)  # fmt: skip


class Page(Noun):
    """Where the page is kept, under which key Prefect's UI shows it, and how much was said of it."""

    page: str
    where: str
    key: str
    queued: int

    @property
    def kept_files(self) -> dict[str, Address]:
        """The page."""
        return {"page": ("pages", self.page, "html")}

    @property
    def markdown(self) -> str:
        """Where the page is, for the artifact of the step."""
        return f"shown as the artifact `{self.key}`, kept in `{self.where}`"


@step(touches="the channel")
def tell_measures(found: Measurement, announce: bool) -> Page:
    """Keep the page of a measurement; told again in the same week, its message is changed and not doubled."""
    tower = settings()
    archive = open_archive(tower.artifacts)
    page = archive.keep_bytes("pages", measure_page(found).encode(), "html")
    where = archive.path("pages", page, "html")
    key = _show(found)
    queued = 0
    if announce:
        week = f"{found.as_of:%G-W%V}"
        lines = [*headline(found), f"the page: {where}"]
        message = notice_message(f"measures:{found.shop}:{week}", f"Measures of {found.shop}, {week}", lines)
        queued = said(open_ledger(tower.ledger), tower, [message], found.shop).queued
    return Page(page=page, where=where, key=key, queued=queued)


def _show(found: Measurement) -> str:
    """The page in Prefect's UI, one version for each run; returns the key of its artifact."""
    from prefect.artifacts import create_markdown_artifact

    key = "measures-" + re.sub("[^a-z0-9]+", "-", found.shop.lower()).strip("-")
    create_markdown_artifact(key=key, markdown=redacted(measure_markdown(found)))
    return key


def headline(found: Measurement) -> list[str]:
    """A line for each measure that a whole shop should know of; what could not be measured is left out."""
    known = defined(found)
    lines = []
    for one in found.together:
        if one.measure not in HEADLINE or one.value is None:
            continue
        change = change_of(known[one.measure], one)
        than = f", {change} than before" if change != "-" else ""
        lines.append(f"{known[one.measure].title}: {value_of(known[one.measure], one)} (n = {one.n:,}){than}")
    return lines or ["nothing could be measured yet"]
