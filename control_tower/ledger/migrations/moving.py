"""Move a ledger to another revision, all of it or nothing of it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, delete, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from control_tower.errors import LedgerError, nearest
from control_tower.ledger.engine import open_engine
from control_tower.ledger.journal import faults_in, last_touched, note_changes, snapshot, touch_all, write_entries
from control_tower.ledger.migrations.shapes import recognised, tables_at, watched_at
from control_tower.ledger.revisions import (
    HEAD,
    KNOWN,
    VERSION_TABLE,
    lock_out_others,
    must_be_known,
    revision_at,
    revision_of,
)  # fmt: skip
from control_tower.ledger.sealed import journal_key

SHOWN = 10
PATIENCE = "20s"  # for what others have begun on PostgreSQL; SQLite waits for thirty

logging.getLogger("alembic").setLevel(logging.WARNING)  # what it does, the command says


@dataclass(frozen=True)
class Plan:
    """What a move would do: from where, to where, and the rows that have no place there, by table."""

    found: str
    to: str
    marked: bool = True
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether it is there already."""
        return self.marked and self.found == self.to


@dataclass(frozen=True)
class Moved:
    """What was done: the plan, how many rows were signed anew, and where the copy of before lies."""

    plan: Plan
    signed: int = 0
    copy: Path | None = None


def planned(url: str, to: str = HEAD) -> Plan:
    """What a move would do; the journal is walked as for the move itself, and nothing is changed.

    Raises:
        LedgerError: it can't be moved; says why.
    """
    with _opened(url) as engine, snapshot(engine) as connection:  # no lock: whoever runs goes on
        plan = _plan(connection, to)
        if not plan.nothing:
            _is_as_written(connection, plan.found)
    return plan


def upgrade(url: str, now: datetime | None = None) -> Moved:
    """Bring a ledger to this release's revision; one that is there already stays as it is.

    Raises:
        LedgerError: a row is not what the tower wrote, or there is no such ledger. Nothing was changed.
    """
    with _alone(url) as connection:
        return _move(connection, _plan(connection, HEAD), now or datetime.now(UTC))


def downgrade(url: str, to: str, *, lose: bool = False, now: datetime | None = None) -> Moved:
    """Take a ledger back to an older revision, so that the release before can go on with it.

    Args:
        lose: whether rows that have no place there may go; a copy of them stays on SQLite only.

    Raises:
        LedgerError: a row is not what the tower wrote, or rows would be lost. Nothing was changed.
    """
    with _alone(url) as connection:
        plan = _plan(connection, to)
        if KNOWN.index(to) > KNOWN.index(plan.found):
            raise LedgerError(f"revision {to} is newer than its {plan.found}", remedy="`tower ledger upgrade`")
        if plan.lost and not lose:
            rows = ", ".join(f"{count} of {name}" for name, count in plan.lost.items())
            raise LedgerError(
                f"revision {to} has no place for rows that are there: {rows}",
                remedy="keep a copy of the database, and say --lose",
            )
        return _move(connection, plan, now or datetime.now(UTC))


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """One transaction on a ledger that nobody else writes to until it ends."""
    with _opened(url) as engine, engine.begin() as connection:
        lock_out_others(connection)
        _wait_for_writers(connection)
        yield connection


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """The engine of a ledger that is there; a fault of its database is told with what to do."""
    engine = open_engine(url)
    if revision_at(url) is None:
        raise LedgerError("there is no ledger yet", where=_where(engine), remedy="the first run makes it")
    try:
        yield engine
    except DBAPIError as fault:
        raise LedgerError(
            f"the ledger could not be migrated: {str(fault.orig).strip().splitlines()[0][:300]}",
            where=_where(engine),
            remedy="stop what runs on it, see to its disk or server, and try again; nothing was changed",
        ) from None
    finally:
        engine.dispose()


def _where(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _wait_for_writers(connection: Connection) -> None:
    """Lock every table: the version first, which each writer of a release that knows it holds until it ends."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    there = set(inspect(connection).get_table_names())
    for name in (VERSION_TABLE, *tables_at(HEAD)):
        if name in there:
            connection.execute(text(f'LOCK TABLE "{name}" IN ACCESS EXCLUSIVE MODE'))


def _plan(connection: Connection, to: str) -> Plan:
    if to not in KNOWN:
        raise LedgerError(f"there is no revision {to!r}", remedy=nearest(to, KNOWN))
    marked = revision_of(connection)
    must_be_known(connection.engine, marked)
    found = marked or recognised(connection)
    if found is None:
        raise LedgerError(
            "its tables are of no release that there was",
            where=_where(connection.engine),
            remedy="it was made between two of them, or by somebody else: name another in TOWER_LEDGER_URL",
        )
    gone = [table for name, table in tables_at(found).items() if name not in tables_at(to)]
    return Plan(found, to, bool(marked), {t.name: rows for t in gone if (rows := _rows(connection, t))})


def _rows(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _move(connection: Connection, plan: Plan, now: datetime) -> Moved:
    if plan.nothing:
        return Moved(plan)
    _is_as_written(connection, plan.found)
    copy = _copied(connection, plan.found, now)
    after = last_touched(connection)
    before, then = tables_at(plan.found), tables_at(plan.to)
    _complete(connection, plan)
    for name in plan.lost:
        connection.execute(delete(before[name]))  # noted, so that the journal knows who took them away
    _run(connection, plan)
    note_changes(connection, watched_at(plan.to))  # SQLite drops a table's triggers as it is made anew
    changed = [table for name, table in then.items() if name in before and before[name] is not table]
    for table in changed:
        touch_all(connection, table)
    what = f"from {plan.found} to {plan.to}" + ("" if plan.marked else ", which it was not marked with")
    connection.execute(insert(then["events"]).values(subject="ledger", what="migrated", detail=what, at=now))
    key = journal_key()  # read once: it is asked for with each entry
    write_entries(connection, after, lambda: key, then)
    return Moved(plan, sum(_rows(connection, table) for table in changed), copy)


def _is_as_written(connection: Connection, revision: str) -> None:
    """Refuse a book that somebody else wrote in: to sign its rows anew would vouch for them."""
    found = list(islice(faults_in(connection, tables_at(revision)), SHOWN))
    if found:
        raise LedgerError(
            f"it is not what the tower wrote, and is not migrated: {'; '.join(map(str, found))}",
            where=_where(connection.engine),
            remedy="put these right from a copy, with this tower's key (TOWER_APPROVER_KEY) in place, and try again",
        )


def _complete(connection: Connection, plan: Plan) -> None:
    """An unmarked ledger may lack tables that came when they were first needed, and the mark."""
    if plan.marked:
        return
    for table in tables_at(plan.found).values():
        table.create(connection, checkfirst=True)
    note_changes(connection, watched_at(plan.found))
    command.stamp(_alembic(connection), plan.found)


def _run(connection: Connection, plan: Plan) -> None:
    if KNOWN.index(plan.to) > KNOWN.index(plan.found):
        command.upgrade(_alembic(connection), plan.to)
    elif plan.to != plan.found:
        command.downgrade(_alembic(connection), plan.to)
        _forget(connection, plan)


def _forget(connection: Connection, plan: Plan) -> None:
    """PostgreSQL keeps the functions of triggers whose tables are gone."""
    if connection.dialect.name == "postgresql":
        for name in tables_at(plan.found).keys() - tables_at(plan.to).keys():
            connection.execute(text(f"DROP FUNCTION IF EXISTS journal_{name}()"))


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _copied(connection: Connection, revision: str, now: datetime) -> Path | None:
    """A copy of a SQLite ledger beside it, as it was before: others may read it while we hold its lock."""
    file = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not file:
        return None
    ledger = Path(file)
    copy = ledger.with_name(f"{ledger.name}.{revision}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    half = copy.with_name(f"{copy.name}.part")
    half.touch(mode=ledger.stat().st_mode & 0o777)
    reading, writing = sqlite3.connect(ledger), sqlite3.connect(half)
    try:
        reading.backup(writing)
    finally:
        reading.close()
        writing.close()
    half.rename(copy)
    return copy
