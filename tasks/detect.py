"""Detect: turn accepted evidence into facts, one row for each order, by the lane's own SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.errors import ContractError
from control_tower.joins import PARQUET, joins, literal, quoted
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.settings import Settings, settings
from policies import Policy
from tasks.signals import calendar_words, nothing_of, vocabulary
from tasks.validate import Accepted

if TYPE_CHECKING:
    import duckdb


@step
def detect(accepted: Accepted, signals: str, policy: Policy) -> Kept:
    """Run a lane's signals over the accepted evidence.

    Args:
        signals: SQL that reads the evidence tables by name and gives the facts that the policy declares.

    Returns:
        The kept facts frame, sorted by order.

    Raises:
        ContractError: the signals don't give every fact that the policy reads.
    """
    return signalled(accepted, signals, policy)


def signalled(accepted: Accepted, signals: str, policy: Policy) -> Kept:
    """`detect`, outside of a flow."""
    tower = settings()
    archive = open_archive(tower.artifacts)
    written = archive.scratch("facts")
    with joins(tower) as connection:
        evidence_views(connection, accepted, tower)
        present = tuple(accepted.frames)
        vocabulary(connection, accepted.shop, accepted.as_of, present, accepted.untold)
        calendar_words(connection, accepted.shop, accepted.as_of, policy.calendar)
        connection.execute(f"COPY ({signals.strip()}) TO {literal(str(written))} {PARQUET}")
    facts = archive.keep_file("facts", written)
    lacking = [name for name in policy.facts if name not in facts.columns]
    if lacking:
        raise ContractError(f"gives no {', '.join(lacking)}", where="the lane's signals", remedy=policy.reference)
    return facts


def evidence_views(connection: duckdb.DuckDBPyConnection, accepted: Accepted, tower: Settings) -> None:
    """A view for each accepted table, visible rows only, and an empty one for each that is absent."""
    archive = open_archive(tower.artifacts)
    for table, kept in accepted.frames.items():
        path = literal(archive.location(kept))
        connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT * FROM read_parquet({path}) WHERE visible")
    for table in accepted.absent:
        nothing_of(connection, table)
    marks = literal(archive.location(accepted.marks))
    connection.execute(f"CREATE VIEW marks AS SELECT * FROM read_parquet({marks})")
