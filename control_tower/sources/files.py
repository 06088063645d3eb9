"""The files of a folder: which there are, what columns they have, and SQL that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from control_tower.errors import MappingError, SourceError, nearest
from control_tower.joins import literal, quoted
from control_tower.sources.delimited import header, read_delimited

if TYPE_CHECKING:
    import duckdb


@dataclass
class Files:
    """Named files of a folder.

    Args:
        folder: where they lie.
        paths: a name to a file's path in the folder.
        optional: a name to columns that its file may lack; they are then there, and empty.
    """

    folder: Path
    paths: Mapping[str, str]
    optional: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _kinds: dict[str, dict[str, str]] = field(default_factory=dict)

    def absent(self, file: str) -> frozenset[str]:
        """The optional columns that a file lacks."""
        return frozenset(self.optional.get(file, ())) - self._own(file).keys()

    def kinds(self, file: str) -> dict[str, str]:
        """Column name to DuckDB type; every column of delimited text, and every absent one, is VARCHAR."""
        return self._own(file) | dict.fromkeys(sorted(self.absent(file)), "VARCHAR")

    def relation(self, connection: duckdb.DuckDBPyConnection, file: str) -> str:
        """SQL of a file's rows, with `_row` and `_broken` beside its columns."""
        path, empty = (
            self.paths[file],
            "".join(f", NULL::VARCHAR AS {quoted(name)}" for name in sorted(self.absent(file))),
        )
        if path.endswith(".parquet"):
            source = f"read_parquet({literal(str(self.folder / path))}, file_row_number = true)"
            place = "file_row_number + 1 AS _row, NULL::VARCHAR AS _broken"
            return f"(SELECT * EXCLUDE (file_row_number), {place}{empty} FROM {source})"
        view = f"file_{file}_{uuid4().hex}"  # of another folder, there may be one of this name
        connection.register(view, read_delimited(self.folder / path))
        return f"(SELECT *{empty} FROM {quoted(view)})" if empty else quoted(view)

    def _own(self, file: str) -> dict[str, str]:
        path = self.paths[file]
        if path not in self._kinds:
            self._kinds[path] = columns_of(self.folder / path)
        return self._kinds[path]


def columns_of(file: Path) -> dict[str, str]:
    """The columns that a file really has, to their DuckDB types.

    Raises:
        SourceError: it can't be read.
    """
    if file.suffix != ".parquet":
        return dict.fromkeys(header(file), "VARCHAR")
    import duckdb

    try:
        with duckdb.connect() as connection:
            rows = connection.sql(f"DESCRIBE SELECT * FROM read_parquet({literal(str(file))})").fetchall()
    except duckdb.Error as fault:
        raise SourceError(
            f"is no Parquet file: {str(fault)[:200]}", where=file.name, remedy="write it again"
        ) from fault
    return {row[0]: row[1] for row in rows}


def found(folder: Path, name: str, pattern: str, mapping: str) -> str:
    """The path of the one file that a mapping means.

    Raises:
        MappingError: it is not there, or there are several.
    """
    there = sorted(each.name for each in folder.glob(pattern)) if "*" in pattern else []
    if len(there) > 1:
        raise MappingError(
            f"files {', '.join(there)} could all be {name!r}",
            where=mapping,
            remedy=f"leave one {pattern} in {folder}, the newest",
        )
    path = there[0] if there else pattern
    if not (folder / path).is_file():
        raise MappingError(
            f"file {path!r} (as {name}) is not in {folder}",
            where=mapping,
            remedy=nearest(path, [each.name for each in folder.iterdir()]),
        )
    return path
