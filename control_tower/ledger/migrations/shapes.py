"""Which tables a ledger has at each revision, column by column in the order that a row's digest takes them."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, inspect

from control_tower.ledger.revisions import KNOWN

VERSIONS = Path(__file__).parent / "versions"
# These change as messages go, and say nothing that is not said elsewhere: the journal does not note them.
UNWATCHED = frozenset({"touched", "journal", "journal_head", "outbox", "slack_inbox", "briefs", "slack_users"})
# Before there were revisions, these came when they were first needed.
MADE_LATE = frozenset({"outbox", "slack_inbox", "briefs", "slack_users", "model_calls"})


@lru_cache(maxsize=1)
def _changes() -> dict[str, dict[str, Table]]:
    """The tables that each revision made or changed."""
    modules: list[Any] = [import_module(f"{__package__}.versions.{file.stem}") for file in VERSIONS.glob("r*.py")]
    return {module.revision: module.TABLES for module in modules}


def tables_at(revision: str) -> dict[str, Table]:
    """Every table of a ledger at a revision, by name."""
    found: dict[str, Table] = {}
    for each in KNOWN[: KNOWN.index(revision) + 1]:
        found |= _changes()[each]
    return found


def watched_at(revision: str) -> list[Table]:
    """Those whose rows the journal vouches for."""
    return [table for name, table in tables_at(revision).items() if name not in UNWATCHED]


def recognised(connection: Connection) -> str | None:
    """The newest revision that an unmarked ledger's tables are of; None where they are of none."""
    there = inspect(connection)
    columns = {name: {each["name"] for each in there.get_columns(name)} for name in there.get_table_names()}
    return next((each for each in reversed(KNOWN) if _is_of(each, columns)), None)


def _is_of(revision: str, columns: dict[str, set[str]]) -> bool:
    return all(
        columns.get(name, set() if name not in MADE_LATE else set(table.columns.keys())) == set(table.columns.keys())
        for name, table in tables_at(revision).items()
    )
