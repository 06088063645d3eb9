"""Every table of this release's ledger: the book's own, and those of the rooms that keep theirs in it."""

from __future__ import annotations

from sqlalchemy import Table


def all_tables() -> dict[str, Table]:
    """All of them by name, whichever of them this process has had to do with."""
    from control_tower.ledger import tables
    from control_tower.model import tables as of_models
    from control_tower.slack import tables as of_slack

    every = [*tables.ALL, tables.SLACK_USERS, *of_models.TABLES, of_slack.OUTBOX, of_slack.INBOX]
    return {table.name: table for table in every}


def journalled_tables() -> list[Table]:
    """Those whose every change is in the journal."""
    from control_tower.ledger import tables
    from control_tower.model import tables as of_models

    return [*tables.ALL, of_models.CALLS]
