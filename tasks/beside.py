"""Look at what changed: beside it stands what the last looks found of everything else, as far as that counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from control_tower.joins import joins, literal, quoted
from control_tower.keeping import Archive, Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun
from control_tower.settings import settings
from control_tower.sources.protocol import Tide
from policies import Policy
from policies.terms import Rule
from tasks.part import Found, on_of
from tasks.score import Others
from tasks.sight import Sight, in_doubt

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


class Beside(Noun):
    """What the orders that were not looked at add to what was found, and what the next look has to know.

    Where `doubt` says so, a look at everything might stop, and is to be made.
    """

    doubt: str
    others: Others
    sight: Sight


@step
def beside(found: Found, looked: Kept, before: Sight, policy: Policy, tides: dict[str, Tide]) -> Beside:
    """Put beside what was found what is known of the orders that were not looked at: their facts stay what they were.

    Args:
        looked: the orders that were looked at.
        before: what the last look left.
        tides: table to how far it had been written.
    """
    archive, as_of = open_archive(settings().artifacts), found.accepted.as_of
    sight = Sight(
        as_of=as_of,
        tides=before.tides | tides,
        restless=found.restless or before.restless,
        facts=(found.facts, *before.facts),
        subjects=before.subjects,
        rows=before.rows,
        newest=dict(_newest(found, before)),
        whole_at=before.whole_at,
    )
    merging = [rule for rule in policy.rules if rule.merge]
    counted = {rule.kind: _others(archive, rule, found, looked, before, policy.subject) for rule in merging}
    return Beside(doubt=in_doubt(before, found.tallies, as_of), others=Others(counted=counted), sight=sight)


def _newest(found: Found, before: Sight) -> Iterator[tuple[str, datetime]]:
    for table, tally in found.tallies.items():
        if seen := [each for each in (before.newest.get(table), tally.newest) if each]:
            yield table, max(seen)


def _others(archive: Archive, rule: Rule, found: Found, looked: Kept, before: Sight, subject: str) -> Kept:
    """The orders that were not looked at and may share a cause with some that were, counted by its facts."""
    on = on_of(rule)
    answers = archive.frame(found.findings, ["subject", "kind", "answer"])
    hit = answers.loc[(answers["kind"] == rule.kind) & (answers["answer"] == "yes"), "subject"]
    known = archive.frame(found.facts, [subject, *on])
    groups = known.loc[known[subject].isin(hit), on].dropna().drop_duplicates()
    with joins(settings()) as connection:
        counted = _elsewhere(connection, archive, groups, looked, before, subject, on)
    return archive.keep_table("others", counted)


def _elsewhere(
    connection: duckdb.DuckDBPyConnection,
    archive: Archive,
    groups: pd.DataFrame,
    looked: Kept,
    before: Sight,
    subject: str,
    on: list[str],
) -> pa.Table:
    """How many orders that were not looked at are in each group, by the newest facts of each."""
    import pyarrow as pa

    connection.register("groups", pa.Table.from_pandas(groups, preserve_index=False))
    names, same = ", ".join(map(quoted, on)), " AND ".join(f"f.{quoted(n)} = g.{quoted(n)}" for n in on)
    several = " UNION ALL ".join(
        f"SELECT {quoted(subject)} AS subject, {names}, {age} AS age"
        f" FROM read_parquet({literal(archive.location(kept))})"
        for age, kept in enumerate(before.facts)
    )
    seen = literal(archive.location(looked))
    # An order may have been in the group once, and be known to be in another since.
    candidates = f"SELECT DISTINCT f.subject FROM ({several}) AS f JOIN groups AS g ON {same}"
    return connection.sql(
        f"SELECT {', '.join(f'g.{quoted(n)}' for n in on)}, count(*) AS others FROM ("
        f"SELECT DISTINCT ON (subject) * FROM ({several}) WHERE subject IN ({candidates}) ORDER BY subject, age) AS f"
        f" JOIN groups AS g ON {same} ANTI JOIN read_parquet({seen}) AS l ON l.order_id = f.subject"
        " GROUP BY ALL ORDER BY ALL"
    ).to_arrow_table()
