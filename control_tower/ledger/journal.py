"""The journal: what each row of the book was when the tower last wrote it, in a chain that its key alone can go on.

A trigger notes every row that a transaction touches. Before it commits, each of them is read back and its digest is
written down under a code of the tower's key and of the entry before. So a row that anybody else changed, added or
took away is not what the journal says, and the journal can't be made to say so without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    RowMapping,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    tuple_,
    update,
)  # fmt: skip
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel

from control_tower.batches import batches
from control_tower.ledger.all_tables import all_tables
from control_tower.ledger.moments import Moment
from control_tower.ledger.sealed import journal_key
from control_tower.nouns import canonical

BATCH = 400
ONLY = 1
PREFIX = "journal_"
SEPARATOR = "|"


class TouchedRow(SQLModel, table=True):
    """A row that a transaction under way has written; none is left once it has ended."""

    __tablename__ = "touched"
    id: int | None = Field(default=None, primary_key=True)
    of: str
    key: str
    by: str = ""  # the transaction that touched it, where there may be several at once


class JournalRow(SQLModel, table=True):
    """One row as the tower wrote it: its digest, empty where it was taken away."""

    __tablename__ = "journal"
    number: int = Field(primary_key=True)
    of: str
    key: str = Field(index=True)
    digest: str
    at: datetime = Field(sa_column=Column(Moment, nullable=False))
    code: str


class JournalHead(SQLModel, table=True):
    """The last entry, so that an end that is cut off is missed; one row, whose lock orders those who write."""

    __tablename__ = "journal_head"
    id: int = Field(primary_key=True)
    number: int
    code: str


TOUCHED, JOURNAL, HEAD = (SQLModel.metadata.tables[name] for name in ("touched", "journal", "journal_head"))
NEWEST = select(func.max(TOUCHED.c.id))
WRITER = text("SELECT pg_current_xact_id()::text")
_MINE = (TOUCHED.c.id > bindparam("after")) & (TOUCHED.c.by == bindparam("by"))
OWN = select(TOUCHED.c.of, TOUCHED.c.key).where(_MINE).distinct()
DONE = delete(TOUCHED).where(_MINE)
LAST = select(HEAD).with_for_update()


@dataclass(frozen=True)
class Fault:
    """What is not as the tower wrote it."""

    of: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.of} {self.key} {self.what}" if self.key else f"{self.of} {self.what}"


def watch_tables(engine: Engine, tables: Sequence[Table]) -> None:
    """Have every change of some tables noted; where that is so already, nothing is done and no lock is taken."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as reading:
        if not _unwatched(reading, tables) and reading.execute(select(HEAD)).first():
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # of two that open it at once, the second finds all done
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('control-tower journal'))"))
        note_changes(connection, tables)


def note_changes(connection: Connection, tables: Sequence[Table]) -> None:
    """Have every change of some tables noted from now on, and make the journal where there is none."""
    SQLModel.metadata.create_all(connection, tables=[TOUCHED, JOURNAL, HEAD])
    if not connection.execute(select(HEAD)).first():
        connection.execute(insert(HEAD).values(id=ONLY, number=0, code=""))
    for table in _unwatched(connection, tables):
        for statement in _trigger(connection, table):
            connection.execute(text(statement))


def _unwatched(connection: Connection, tables: Sequence[Table]) -> list[Table]:
    there = _watched(connection)
    return [table for table in tables if table.name not in there]


def _watched(connection: Connection) -> set[str]:
    """The names of the tables whose changes are noted."""
    if connection.dialect.name == "postgresql":
        found = connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"))
    else:
        found = connection.execute(text("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"))
    return {str(row[0]).removeprefix(PREFIX) for row in found}


def _trigger(connection: Connection, table: Table) -> Iterator[str]:
    """DDL that notes the key of each row that is written. Names are those of our own tables."""
    name = f"{PREFIX}{table.name}"
    if connection.dialect.name == "postgresql":
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" INSERT INTO touched (of, key, by) SELECT '{table.name}', CASE TG_OP WHEN 'DELETE' THEN"
            f" json_build_array({_key(table, 'OLD')}) ELSE json_build_array({_key(table, 'NEW')}) END,"
            " pg_current_xact_id()::text; RETURN NULL; END $$"
        )
        yield (
            f"CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {table.name} FOR EACH ROW"
            f" EXECUTE FUNCTION {name}()"
        )
        return
    for what, row in (("delete", "OLD"), ("update", "NEW"), ("insert", "NEW")):
        yield (
            f"CREATE TRIGGER {name}_{what} AFTER {what} ON {table.name} BEGIN"
            f" INSERT INTO touched (of, key, by) VALUES ('{table.name}', json_array({_key(table, row)}), ''); END"
        )


def _key(table: Table, row: str) -> str:
    return ", ".join(f"{row}.{column.name}" for column in table.primary_key.columns)


def last_touched(connection: Connection) -> int:
    """The newest note of somebody else's, which this transaction must not take for its own.

    SQLite has one writer at a time. PostgreSQL has many, and there a note names its transaction.
    """
    return 0 if connection.dialect.name == "postgresql" else int(connection.execute(NEWEST).scalar() or 0)


def write_journal(session: Session, after: int, secret: Callable[[], bytes]) -> None:
    """Write down every row that this transaction touched; the last thing before it commits.

    Args:
        after: what `last_touched` said when it began.
        secret: gives the key; not asked where nothing was touched.
    """
    session.flush()
    write_entries(session.connection(), after, secret, SQLModel.metadata.tables)


def write_entries(connection: Connection, after: int, secret: Callable[[], bytes], tables: Mapping[str, Table]) -> None:
    """Write down every row that was touched; a table that is in `tables` no more has lost all of its rows."""
    own = {"after": after, "by": _writer(connection)}
    keys: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for of, key in connection.execute(OWN, own):
        keys[of].append(tuple(json.loads(key)))
    if not keys:
        return
    connection.execute(DONE, own)
    # Taken last, and nothing is waited for while it is held: writers can't wait for one another in a ring.
    head = connection.execute(LAST).one()
    number, code, now = head.number, head.code, datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for of in sorted(keys):
        digests = dict(_digests(connection, tables[of], keys[of])) if of in tables else {}
        for key in sorted(_named(key) for key in keys[of]):
            number += 1
            row = {"number": number, "of": of, "key": key, "digest": digests.get(key, ""), "at": now}
            code = code_of(secret(), row, code)
            rows.append(row | {"code": code})
    connection.execute(insert(JOURNAL), rows)
    connection.execute(update(HEAD).values(number=number, code=code))


def _writer(connection: Connection) -> str:
    return str(connection.execute(WRITER).scalar()) if connection.dialect.name == "postgresql" else ""


def touch_all(connection: Connection, table: Table) -> None:
    """Note every row of a table as written by this transaction, as where a migration gave each of them a column."""
    array = "json_build_array" if connection.dialect.name == "postgresql" else "json_array"
    statement = f"INSERT INTO touched (of, key, by) SELECT '{table.name}', {array}({_key(table, table.name)}), :by"
    connection.execute(text(f"{statement} FROM {table.name}"), {"by": _writer(connection)})


def code_of(secret: bytes, row: dict[str, Any], before: str) -> str:
    """The code of an entry, which follows the one with the code `before`."""
    content = [row["number"], row["of"], row["key"], row["digest"], row["at"].isoformat(), before]
    return hmac.digest(secret, canonical(content), "sha256").hex()


def _digests(
    connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]] | None = None
) -> Iterator[tuple[str, str]]:
    """Key and digest of rows as they are; of all of them where no keys are given."""
    named = list(table.primary_key.columns)
    for batch in [None] if keys is None else batches(keys, BATCH):
        query = select(table)
        if batch is not None:
            one = [key[0] for key in batch]
            query = query.where(named[0].in_(one) if len(named) == 1 else tuple_(*named).in_(batch))
        for row in _read(connection, query, named):
            content = [_plain(value) for value in row.values()]
            yield _named(tuple(row[column] for column in named)), hashlib.sha256(canonical(content)).hexdigest()


def _read(connection: Connection, query: Select[Any], named: Sequence[Column[Any]]) -> Iterator[RowMapping]:
    """The rows of a query; of one that nobody can read any more, only its key, so that it is named like any other."""
    try:
        yield from connection.execute(query).mappings().all()
    except ValueError:  # no JSON, or no moment: somebody wrote it who is not the tower
        for key in connection.execute(query.with_only_columns(*named)).all():
            one = query.where(*(column == value for column, value in zip(named, key, strict=True)))
            try:
                yield connection.execute(one).mappings().one()
            except ValueError:
                yield connection.execute(one.with_only_columns(*named)).mappings().one()


def _named(key: tuple[Any, ...]) -> str:
    return SEPARATOR.join(map(str, key))


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def faults(engine: Engine) -> Iterator[Fault]:
    """Everything in the book that is not as the tower wrote it, to the row; nothing where all of it is.

    A journal that was cut off at its end together with its head, as in an old copy of the whole book, is seen only by
    the kept records, which name the entry that they were written after.
    """
    with snapshot(engine) as connection:
        yield from faults_in(connection, all_tables())


def faults_in(connection: Connection, tables: Mapping[str, Table]) -> Iterator[Fault]:
    """The same, in a transaction under way, of a book whose tables are these."""
    newest: dict[str, dict[str, str]] = defaultdict(dict)
    yield from _broken_entries(connection, newest)
    for name in sorted({*newest, *_watched(connection)}):
        if inspect(connection).has_table(name):
            yield from _changed_rows(connection, tables[name], newest[name])
        elif any(newest[name].values()):  # a migration takes a table's rows away before it takes the table
            yield Fault(name, "", "is gone")


def _broken_entries(connection: Connection, newest: dict[str, dict[str, str]]) -> Iterator[Fault]:
    """Walk the journal to its head; `newest` gets the digest of each row as it was last written."""
    secret, code, last = journal_key(), "", 0
    for row in connection.execute(select(JOURNAL).order_by(JOURNAL.c.number)).mappings():
        if row["number"] != last + 1:
            yield Fault("journal", str(last + 1), "is gone")
        if not hmac.compare_digest(row["code"], code_of(secret, dict(row), code)):
            yield Fault("journal", str(row["number"]), "is not what was written")
        code, last = row["code"], row["number"]
        newest[row["of"]][row["key"]] = row["digest"]
    head = connection.execute(select(HEAD)).mappings().first()
    if head is None or (head["number"], head["code"]) != (last, code):
        ends = f"ends at {last}, which is not where it was written to end"
        cut_off = head is not None and head["number"] > last
        yield Fault("journal", str(last + 1), f"is gone: it {ends}") if cut_off else Fault("journal", "", ends)


def _changed_rows(connection: Connection, table: Table, written: dict[str, str]) -> Iterator[Fault]:
    there = dict(_digests(connection, table))
    for key, digest in there.items():
        if not written.get(key):
            yield Fault(table.name, key, "was not written by the tower")
        elif written[key] != digest:
            yield Fault(table.name, key, "is not what was written")
    for key, digest in written.items():
        if digest and key not in there:
            yield Fault(table.name, key, "is gone")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """The whole book as it is at one moment, while others go on writing."""
    if engine.dialect.name == "postgresql":
        with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
            yield connection
        return
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")


def head_of(session: Session) -> tuple[int, str]:
    """Number and code of the last entry."""
    row = session.connection().execute(select(HEAD.c.number, HEAD.c.code)).first()
    return (int(row[0]), str(row[1])) if row else (0, "")


def entry_has(engine: Engine, number: int, code: str) -> bool:
    """Whether the journal has this entry."""
    if number == 0:
        return True
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        found = connection.execute(select(JOURNAL.c.code).where(JOURNAL.c.number == number)).scalar()
    return found == code


def entries(engine: Engine) -> int:
    """How many entries the journal has."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return int(connection.execute(select(func.count()).select_from(JOURNAL)).scalar_one())
