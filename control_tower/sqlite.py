"""SQLite's files: each connection waits for others, keeps what it wrote, and leaves the locking to us."""

from __future__ import annotations

import sqlite3

from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

PATIENCE = 30  # seconds


def tune(connection: sqlite3.Connection, _record: object = None) -> None:
    """Make a new connection fit for several processes, as SQLAlchemy's `connect` event has it.

    Raises:
        sqlite3.OperationalError: the file can't be read, or others kept it locked for all of `PATIENCE`.
    """
    connection.isolation_level = None  # our own BEGIN IMMEDIATE, not the driver's late one
    connection.execute(f"PRAGMA busy_timeout={PATIENCE * 1000}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _is_busy(fault: BaseException) -> bool:
    return isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode == sqlite3.SQLITE_BUSY


# Of several that open a new file together, SQLite lets one change its mode and refuses the others at once,
# whatever their `busy_timeout`.
@retry(retry=retry_if_exception(_is_busy), wait=wait_random(0.005, 0.05), stop=stop_after_delay(PATIENCE), reraise=True)
def _write_ahead(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
