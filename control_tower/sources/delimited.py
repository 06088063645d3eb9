"""Read delimited text without guessing: every cell as the text it is, every row kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from control_tower.errors import SourceError

BLOCK = 64 << 20
LARGEST_BLOCK = 1 << 30
SHOWN = 200


def read_delimited(path: Path) -> Any:
    """A CSV file, plain or gzipped, as an Arrow table of text, with `_row` and `_broken`.

    `_broken` says why a row can't be read as rows of this file are: too few or too many cells, or
    bytes that are not UTF-8 (shown escaped). Empty cells are NULL.

    Raises:
        SourceError: the file is empty, truncated, or has no usable header.
    """
    import pyarrow as pa

    try:
        table, ragged = _parse(path, BLOCK)
    except pa.ArrowInvalid as fault:
        if "straddling" not in str(fault):
            raise _unreadable(path, fault) from fault
        table, ragged = _parse(path, LARGEST_BLOCK)  # one row is larger than a block
    except (OSError, EOFError) as fault:
        raise _unreadable(path, fault) from fault
    return _as_text(table, ragged)


def header(path: Path) -> list[str]:
    """The column names of a delimited file."""
    import csv
    import gzip
    import io

    opener: Any = gzip.open if path.suffix == ".gz" else Path.open
    try:
        with opener(path, "rb") as raw:
            line = io.BytesIO(raw.readline(BLOCK)).getvalue().decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise _unreadable(path, fault) from fault
    names = next(csv.reader([line]), [])
    if not any(name.strip() for name in names):
        raise SourceError("has no header line", where=path.name, remedy="its first line must name the columns")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError(f"names column {twice[0]!r} twice", where=path.name, remedy="rename one of them")
    return names


def _parse(path: Path, block: int) -> tuple[Any, list[tuple[int | None, str]]]:
    import pyarrow as pa
    from pyarrow import csv

    names = header(path)
    ragged: list[tuple[int | None, str]] = []

    def keep(row: Any) -> str:
        found = f"{row.actual_columns} cells where the header has {row.expected_columns}: {row.text}"
        ragged.append((row.number, found[:SHOWN]))
        return "skip"

    with pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream:
        table = csv.read_csv(
            stream,
            read_options=csv.ReadOptions(block_size=block, use_threads=False, column_names=names, skip_rows=1),
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.binary() for name in names}, strings_can_be_null=True, null_values=[""]
            ),
        )
    return table, ragged


def _as_text(table: Any, ragged: list[tuple[int | None, str]]) -> Any:
    import pyarrow as pa

    broken: dict[int, list[str]] = {}
    columns: dict[str, Any] = {}
    for name in table.column_names:
        try:
            columns[name] = table[name].cast(pa.string())
        except pa.ArrowInvalid:
            columns[name] = _escaped(name, table[name].to_pylist(), broken)
    count = table.num_rows
    notes: list[str | None] = (
        ["; ".join(broken[row]) if row in broken else None for row in range(count)] if broken else [None] * count
    )
    columns["_row"] = list(range(1, count + len(ragged) + 1))
    columns["_broken"] = pa.array([*notes, *(text for _, text in ragged)], pa.string())
    for name in table.column_names if ragged else ():
        columns[name] = pa.chunked_array([*columns[name].chunks, pa.nulls(len(ragged), pa.string())])
    return pa.table(columns)


def _escaped(name: str, values: list[bytes | None], broken: dict[int, list[str]]) -> Any:
    """Text of bytes; what is not UTF-8 is escaped, and its row marked."""
    import pyarrow as pa

    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            texts.append(None if value is None else value.decode("utf-8"))
        except UnicodeDecodeError:
            shown = (value or b"").decode("utf-8", "backslashreplace")
            texts.append(shown)
            broken.setdefault(row, []).append(f"{name} is not UTF-8: {shown[:SHOWN]}")
    return pa.chunked_array([pa.array(texts, pa.string())])


def _unreadable(path: Path, fault: Exception) -> SourceError:
    said = str(fault).splitlines()[0][:SHOWN] if str(fault) else type(fault).__name__
    return SourceError(
        f"can't be read: {said}", where=path.name, remedy="ask for the file again; nothing of it was taken"
    )
