"""The ledger as it is opened: made where there is none, and written to in transactions that the journal follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Engine, Result
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from control_tower.errors import LedgerError
from control_tower.ledger.engine import open_engine
from control_tower.ledger.journal import last_touched, watch_tables, write_journal
from control_tower.ledger.revisions import make_ready, must_be_head, still_head
from control_tower.ledger.sealed import journal_key


class Ledger:
    """The book of cases, proposals, rulings and effects. Every write is one transaction."""

    def __init__(self, url: str) -> None:
        from control_tower.ledger import tables

        self.url = url
        self.engine: Engine = open_engine(url)
        make_ready(self.engine)
        watch_tables(self.engine, tables.ALL)

    @cached_property
    def _journal_key(self) -> bytes:
        return journal_key()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: all of it, or none of it; what it changed is in the journal as it commits.

        Raises:
            LedgerError: the database did not take it: full, read-only, locked or gone. Nothing was written.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                connection = session.connection()
                must_be_head(self.engine, still_head(connection))  # it may have been migrated since it was opened
                before = last_touched(connection)
                yield session
                write_journal(session, before, lambda: self._journal_key)
        except OperationalError as fault:
            raise LedgerError(
                f"the ledger could not be written: {_in_words(fault)}",
                where=self.engine.url.render_as_string(hide_password=True),
                remedy="see to its disk or server; what was begun is taken up again by the next run",
            ) from None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that takes no lock and writes nothing."""
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with Session(engine, expire_on_commit=False) as session:
            yield session


def _in_words(fault: OperationalError) -> str:
    """What the driver said, and never what was to be written."""
    return str(fault.orig).strip().splitlines()[0][:300]


def changed(result: Result[Any]) -> int:
    """How many rows a statement changed."""
    return int(getattr(result, "rowcount", 0))


@lru_cache(maxsize=8)
def open_ledger(url: str) -> Ledger:
    """Open (and at first make) the ledger at a SQLAlchemy URL; one for each URL and process."""
    return Ledger(url)
