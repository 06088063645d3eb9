"""Reading the book without ever keeping anybody waiting: no lock, no write, no table made, and little patience."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

PATIENCE = 2  # seconds for a connection, for a lock, and for each question


def reader(url: str) -> Engine:
    """An engine that reads the ledger at a URL. Nothing is opened yet, and nothing stays open between two scrapes."""
    parsed = make_url(url)
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _server(parsed)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def as_of_now(engine: Engine) -> Iterator[Connection]:
    """A connection whose every answer is of the same moment.

    Raises:
        SQLAlchemyError: the ledger is busy, locked or gone.
    """
    with engine.connect() as connection, connection.begin():
        yield connection


def _sqlite(url: URL) -> Engine:
    # "rw" makes no file where there is none, and unlike "ro" reads one whose last writer died.
    address = f"file:{quote(url.database or '')}?mode=rw"

    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        opened.execute("PRAGMA query_only=ON")
        return opened

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


def _server(url: URL) -> Engine:
    milliseconds = PATIENCE * 1000
    limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c default_transaction_read_only=on"
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": PATIENCE, "options": limits, "tcp_user_timeout": 2 * milliseconds},
    )
