"""Joins and windows over evidence: one DuckDB connection a step, bounded in memory, in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from control_tower.settings import Settings

if TYPE_CHECKING:
    import duckdb

# How what is kept is written. A dictionary of many values takes longer to make than they do, and more bytes.
PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 100)"


@contextmanager
def joins(tower: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private in-memory DuckDB that spills under the tower's folder and installs nothing."""
    import duckdb

    spill = tower.folder / "spill"
    spill.mkdir(exist_ok=True)
    connection = duckdb.connect(
        config={
            "memory_limit": tower.memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def quoted(identifier: str) -> str:
    """A SQL identifier that can't be anything else."""
    return '"' + identifier.replace('"', '""') + '"'


def in_order(rows: str, *columns: str) -> str:
    """SQL of rows in the order of some columns; rows that are alike there have an order of their own, always the same.

    A sort leaves those in whatever order several threads brought them.
    """
    by = ", ".join(map(quoted, columns))
    return f"SELECT * FROM ({rows}) AS rows_in_order ORDER BY {by}, hash(rows_in_order)"


def literal(text: str) -> str:
    """A SQL string literal that can't be anything else."""
    return "'" + text.replace("'", "''") + "'"
