"""Which revision of its tables a ledger is of, and what to do where that is not this release's."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select, text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from control_tower.errors import LedgerError
from control_tower.ledger.all_tables import all_tables, journalled_tables
from control_tower.ledger.engine import open_engine
from control_tower.ledger.journal import note_changes

VERSION_TABLE = "ledger_version"
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")  # each a file in migrations/versions, oldest first
HEAD = KNOWN[-1]
UNMARKED = ""  # a ledger of before there were revisions

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
_REVISION = select(_version.c.version_num)


def revision_of(connection: Connection) -> str | None:
    """The revision that a ledger is marked with; empty where it has none, None where there is no ledger."""
    there = inspect(connection)
    # In this order: another may make the ledger between the two looks, and then its mark is seen.
    made = there.has_table("cases")
    if there.has_table(VERSION_TABLE) and (found := connection.execute(_REVISION).scalar()):
        return str(found)
    return UNMARKED if made else None


def make_ready(engine: Engine) -> None:
    """Make the ledger where there is none yet; refuse one that is not of this release.

    Raises:
        LedgerError: its database can't be read, or another release made it; says what to do.
    """
    found = _read(engine)
    must_be_head(engine, _make(engine) if found is None else found)


def revision_at(url: str) -> str | None:
    """What `revision_of` says of the ledger at a URL; nothing is made where there is none.

    Raises:
        LedgerError: its database can't be read.
    """
    engine = open_engine(url)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return None
    try:
        return _read(engine)
    finally:
        engine.dispose()


def _read(engine: Engine) -> str | None:
    try:
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as reading:
            return revision_of(reading)
    except OperationalError as fault:
        raise LedgerError(
            f"the ledger can't be read: {str(fault.orig).strip().splitlines()[0][:300]}",
            where=engine.url.render_as_string(hide_password=True),
            remedy="see to its server or disk, and to TOWER_LEDGER_URL",
        ) from None


def must_be_head(engine: Engine, found: str | None) -> None:
    """Refuse a ledger of another revision than this release's.

    Raises:
        LedgerError: it is older, or newer; says what to do.
    """
    must_be_known(engine, found)
    if found != HEAD:
        raise LedgerError(
            f"an older release made the ledger (revision {found or 'of before there were any'}); this one needs {HEAD}",
            where=engine.url.render_as_string(hide_password=True),
            remedy="stop what runs on it, then `tower ledger upgrade`; `--check` shows first what it would do",
        )


def must_be_known(engine: Engine, found: str | None) -> None:
    """Refuse a ledger of a revision that this release has never heard of.

    Raises:
        LedgerError: a newer release made it; says what to do.
    """
    if found and found not in KNOWN:
        raise LedgerError(
            f"a newer release made the ledger (revision {found}); this one knows up to {HEAD}",
            where=engine.url.render_as_string(hide_password=True),
            remedy=f"install that release again, or let it take the ledger back: `tower ledger downgrade {HEAD}`",
        )


def still_head(connection: Connection) -> str | None:
    """The revision, read inside a transaction: whoever migrates waits for it to end, or it for them."""
    return connection.execute(_REVISION).scalar()


def _make(engine: Engine) -> str | None:
    """Make all tables at once; of two that come at the same time, the second finds them."""
    with engine.begin() as connection:
        lock_out_others(connection)
        if (found := revision_of(connection)) is not None:
            return found
        SQLModel.metadata.create_all(connection, tables=list(all_tables().values()))
        note_changes(connection, journalled_tables())
        _version.create(connection)
        connection.execute(insert(_version).values(version_num=HEAD))
    return HEAD


def lock_out_others(connection: Connection) -> None:
    """One at a time makes or moves a ledger; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('control-tower journal'))"))
