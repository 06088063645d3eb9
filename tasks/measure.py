"""Measure: what the tower and the shop came to in a window, from accepted evidence and the book."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime

from control_tower.joins import joins, literal, quoted
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun, as_json
from control_tower.settings import Settings, settings
from policies.measures import BOOK, Costs, Measure, Measures, measures
from tasks.book import Book
from tasks.detect import evidence_views
from tasks.measured import Measured, summed_up
from tasks.signals import vocabulary
from tasks.validate import Accepted

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

By = Literal["lane", "owner", "carrier", "warehouse", "product", "week", "approver"]
BYS: tuple[By, ...] = ("lane", "owner", "carrier", "warehouse", "product", "week", "approver")
COLUMNS = {
    "unit": "VARCHAR", "at": "TIMESTAMPTZ", "under": "DOUBLE", "over": "DOUBLE", "hours": "DOUBLE", "ended": "BOOLEAN",
    "amount": "DOUBLE", "currency": "VARCHAR", "arm": "VARCHAR", "lane": "VARCHAR", "team": "VARCHAR",
    "carrier": "VARCHAR", "warehouse": "VARCHAR", "product": "VARCHAR", "approver": "VARCHAR",
}  # fmt: skip
MOST_GROUPS = 12


class Quality(Noun):
    """How far the evidence of a table can be relied on."""

    table: str
    rows: int
    aside: int
    marked: int

    @property
    def share(self) -> float:
        """Rows that were accepted without a mark, of all."""
        return 1 - min(self.aside + self.marked, self.rows) / self.rows if self.rows else 1.0


class Measurement(Noun):
    """Every measure of one window, and of the one before it; together, and by what was asked."""

    shop: str
    time_zone: str
    since: AwareDatetime
    as_of: AwareDatetime
    by: str
    reference: str
    together: tuple[Measured, ...]
    groups: tuple[Measured, ...]
    weeks: tuple[Measured, ...]
    approvers: tuple[Measured, ...]
    quality: tuple[Quality, ...]

    @property
    def markdown(self) -> str:
        """All together as a table, for the artifact."""
        from tasks.measure_words import interval_of, told, value_of

        known = defined(self)
        rows = [
            f"| {known[one.measure].title} | {one.n:,} | "
            + (
                f"needs {', '.join(one.missing)} | | |"
                if one.missing
                else f"{value_of(known[one.measure], one)} | {interval_of(known[one.measure], one)} |"
                f" {told(known[one.measure], one, one.before)} |"
            )
            for one in self.together
        ]
        return "\n".join(["| measure | n | value | 95 % | before |", "|---|---:|---|---|---:|", *rows])

    def badge(self, measure: Measure) -> str:
        """Good, fair or poor: the worst of the tables that a measure rests on."""
        worst = min((one.share for one in self.quality if one.table in measure.needs), default=1.0)
        limits = measures().badge
        return "good" if worst >= limits.good else "fair" if worst >= limits.fair else "poor"


@step
def measure(
    accepted: Accepted, book: Book, entitled: Kept | None, sections: str, since: datetime, by: By
) -> Measurement:
    """Every measure from `since` to the evidence's `as_of`.

    Args:
        entitled: what the returns policy promised for each return; leakage above it is not told without.
        sections: the SQL of the rows, one section for each measure.
        by: what it is told by, beside all together and week by week.
    """
    tower, paper = settings(), measures()
    words, queries = sections_of(sections)
    present = {*accepted.frames, *BOOK}
    before = since - (accepted.as_of - since)
    together: list[Measured] = []
    groups: list[Measured] = []
    weeks: list[Measured] = []
    approvers: list[Measured] = []
    with joins(tower) as connection:
        _views(connection, accepted, book, entitled, words, paper.costs, before, tower)
        for one in paper.measures:
            lacking = tuple(table for table in one.needs if table not in present)
            if lacking:
                together.append(Measured(measure=one.id, n=0, value=None, missing=lacking))
                continue
            rows = _rows(connection, queries[one.id], before, accepted.as_of)
            now = rows[rows["at"] >= since]
            together += _with_before(one, now, rows[rows["at"] < since])
            groups += [each for name, some in _grouped(now, by) for each in summed_up(one, some, name)]
            if one.family == "people":
                approvers += [each for name, some in _grouped(now, "approver") for each in summed_up(one, some, name)]
            weeks += [each for name, some in now.groupby("week") for each in summed_up(one, some, str(name))]
    return Measurement(
        shop=accepted.shop.id, time_zone=accepted.shop.time_zone, since=since, as_of=accepted.as_of, by=by,
        reference=paper.reference, together=tuple(together), groups=tuple(groups), weeks=tuple(weeks),
        approvers=tuple(approvers), quality=tuple(_quality(accepted)),
    )  # fmt: skip


def sections_of(text: str) -> tuple[str, dict[str, str]]:
    """What every section may read, and each section by the measure that it is of."""
    words, *parts = re.split(r"^-- measure: (\w+)\n", text, flags=re.MULTILINE)
    return words, dict(zip(parts[::2], parts[1::2], strict=True))


def _with_before(one: Measure, now: pd.DataFrame, earlier: pd.DataFrame) -> list[Measured]:
    known = {each.currency: each.value for each in summed_up(one, earlier)} if len(earlier) else {}
    return [each.model_copy(update={"before": known.get(each.currency)}) for each in summed_up(one, now)] or [
        Measured(measure=one.id, n=0, value=None)
    ]


def _grouped(rows: pd.DataFrame, by: By) -> Iterator[tuple[str, pd.DataFrame]]:
    """The largest groups; a row that can't be told so is in none."""
    column = {"owner": "team"}.get(by, by)
    largest = rows[column].value_counts().head(MOST_GROUPS if by != "week" else 53).index
    for name in sorted(largest):
        yield str(name), rows[rows[column] == name]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, since: datetime, until: datetime) -> pd.DataFrame:
    """One section's rows within a window, each with its week: the Monday, in the shop's time zone."""
    given = [str(each[0]) for each in connection.execute(f"DESCRIBE {query}").fetchall()]
    columns = ", ".join(
        f"CAST({quoted(name) if name in given else 'NULL'} AS {kind}) AS {quoted(name)}"
        for name, kind in COLUMNS.items()
    )
    moments = f"TIMESTAMPTZ {literal(as_json(since))} AND TIMESTAMPTZ {literal(as_json(until))}"
    found: pd.DataFrame = connection.sql(
        f"SELECT {columns}, CAST(date_trunc('week', day_of(\"at\")) AS DATE)::VARCHAR AS week FROM ({query})"
        f' WHERE "at" BETWEEN {moments} ORDER BY "at", unit'
    ).df()
    return found


def _views(
    connection: duckdb.DuckDBPyConnection, accepted: Accepted, book: Book, entitled: Kept | None, words: str,
    costs: Costs, since: datetime, tower: Settings,
) -> None:  # fmt: skip
    """The words and tables that sections may read."""
    archive = open_archive(tower.artifacts)
    evidence_views(connection, accepted, tower)
    vocabulary(connection, accepted.shop, accepted.as_of, tuple(accepted.frames), accepted.untold)
    zone = literal(accepted.shop.time_zone)
    for macro in (
        f"since() AS TIMESTAMPTZ {literal(as_json(since))}",
        f"start_of(day) AS timezone({zone}, CAST(day AS TIMESTAMP))",
        f"label(currency) AS {_by_currency(costs.label)}",
        f"hour(currency) AS {_by_currency(costs.labour_hour)}",
        f"reship_minutes() AS {costs.reship_minutes}",
        f"goods_share() AS {costs.goods_share}",
    ):
        connection.execute(f"CREATE MACRO {macro}")
    for name, kept in book.frames.items():
        path = literal(archive.location(kept))
        connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet({path})")
    if entitled is None:
        connection.execute(
            "CREATE VIEW entitled AS SELECT NULL::VARCHAR AS return_id, NULL::BIGINT AS entitled_amount LIMIT 0"
        )
    else:
        connection.execute(
            "CREATE VIEW entitled AS SELECT return_id, CASE WHEN return_outcome IN ('refund', 'store_credit')"
            " THEN paid_amount * refund_percent / 100 WHEN return_outcome IS NOT NULL THEN 0 END AS entitled_amount"
            f" FROM read_parquet({literal(archive.location(entitled))})"
        )
    connection.execute(words)


def _by_currency(amounts: Mapping[str, int]) -> str:
    cases = " ".join(f"WHEN {literal(currency)} THEN {amount}" for currency, amount in amounts.items())
    return f"CASE currency {cases} END"


def _quality(accepted: Accepted) -> Iterator[Quality]:
    marks = open_archive(settings().artifacts).frame(accepted.marks)
    marked = marks.drop_duplicates(["table", "source_id"])["table"].value_counts().to_dict() if len(marks) else {}
    for table, kept in sorted(accepted.frames.items()):
        aside = accepted.quarantine[table].rows if table in accepted.quarantine else 0
        yield Quality(table=table, rows=kept.rows + aside, aside=aside, marked=int(marked.get(table, 0)))


def window(as_of: datetime, weeks: int | None = None) -> datetime:
    """When a window of so many weeks begins."""
    return as_of - timedelta(weeks=weeks or measures().weeks)


def defined(found: Measurement) -> dict[str, Measure]:
    """The definitions of what was measured, by id."""
    paper: Measures = measures()
    return {one.id: one for one in paper.measures}
