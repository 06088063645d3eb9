"""Whose turn it is to act on one order: a lock that the kernel, or the database, drops when its holder dies.

No clock has a say: a lease that runs out would hand the money to a second run while a slow first one
still has its hand in the till, and a clock that jumps would do so at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from control_tower import locks
from control_tower.clock import SYSTEM, Clock
from control_tower.errors import LedgerError, OutcomeUnknown
from control_tower.ledger.database import Ledger

SLOTS = 4096
"""How many files there are at most. Two orders of one slot wait for each other, and nothing worse."""
PATIENCE = 15.0
PAUSE = 0.05


class Turn(Protocol):
    """A turn that was taken."""

    def check(self) -> None:
        """Raises OutcomeUnknown when the turn was lost."""


@contextmanager
def turn(ledger: Ledger, order: str, shop: str, clock: Clock = SYSTEM, patience: float = PATIENCE) -> Iterator[Turn]:
    """Wait for the turn to act on an order of a shop, and have it for as long as the block lasts.

    Args:
        patience: seconds to wait while another run has it.
        shop: the id of a shop of the tower's file; empty for the tower's one shop.

    Raises:
        OutcomeUnknown: another run still has it.
        LedgerError: the lock can't be reached.
    """
    named = f"{shop}/{order}" if shop else order  # no id of a shop has a stroke
    number = int.from_bytes(hashlib.sha256(named.encode("utf-8", "replace")).digest()[:8], signed=True)
    taking = _by_file if ledger.engine.dialect.name == "sqlite" else _by_advisory_lock
    with taking(ledger, number) as (take, mine):
        until = clock.ticks() + patience
        while not take():
            if clock.ticks() >= until:
                raise OutcomeUnknown(f"another run is acting on order {order} now", remedy="this one comes again")
            clock.sleep(PAUSE)
        yield mine


class _Kept:
    """The lock of an open file is never lost before the file is closed."""

    def check(self) -> None:
        """Nothing can have happened to it."""


class _Try(Protocol):
    def __call__(self) -> bool: ...


@contextmanager
def _by_file(ledger: Ledger, number: int) -> Iterator[tuple[_Try, Turn]]:
    """A ledger in a file has one machine, whose kernel knows who lives."""
    folder = Path(f"{ledger.engine.url.database}.turns")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = (folder / f"{number % SLOTS:04d}").open("a")
    except OSError as fault:
        raise LedgerError(
            f"can't keep turns: {fault.strerror}", where=str(folder), remedy="make room, or let it be written to"
        ) from None
    with file:
        yield lambda: locks.take(file), _Kept()


class _Session:
    """A lock of a database session is lost with the session."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection, self.number = connection, number

    def take(self) -> bool:
        """Try once."""
        asked = text("SELECT pg_try_advisory_lock(:number)")
        return bool(self.connection.execute(asked, {"number": self.number}).scalar_one())

    def check(self) -> None:
        """One round trip: the session that has the lock must still be there."""
        try:
            self.connection.execute(text("SELECT 1"))
        except DBAPIError:
            raise OutcomeUnknown("the turn was lost with the connection to the ledger") from None


@contextmanager
def _by_advisory_lock(ledger: Ledger, number: int) -> Iterator[tuple[_Try, Turn]]:
    """Many machines share a PostgreSQL ledger; it drops the lock of a session that is gone."""
    engine = ledger.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        mine = _Session(connection, number)
        try:
            yield mine.take, mine
        finally:
            # Closed for good, never given back to the pool: with the session goes the lock.
            connection.invalidate()
