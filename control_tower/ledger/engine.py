"""The ledger's engine: SQLite or PostgreSQL, with transactions that lock first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event

from control_tower.sqlite import tune


def _begin_immediate(connection: Any) -> None:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return  # a reader, which takes no lock
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def open_engine(url: str) -> Engine:
    """An engine whose transactions lock first, for a ledger of whatever release."""
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", tune)
        # A deferred transaction could read, wait, and then fail to write; this one waits first.
        event.listen(engine, "begin", _begin_immediate)
    return engine
