"""The first difference between what was kept and what came out now, to the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import FRAME, Address

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST = 120


def first_difference(archive: Archive, was: dict[str, Address], now: dict[str, Address]) -> str:
    """What differs first between two sets of kept values, frames before nouns; nothing when all is the same.

    Files of other bytes are compared by content, for another release of a library may write the same otherwise.
    """
    for name in sorted({*was, *now}, key=lambda each: (_is_noun(was.get(each) or now[each]), each)):
        if was.get(name) == now.get(name):
            continue
        if name not in was or name not in now:
            return f"{name} was {'kept' if name in was else 'not kept'}, and {'is' if name in now else 'is not'} now"
        if told := _between(archive, was[name], now[name]):
            return f"{name}: {told}"
    return ""


def _is_noun(address: Address) -> bool:
    return address[2] != FRAME


def _between(archive: Archive, was: Address, now: Address) -> str:
    if was[2] != now[2]:
        return f"was a {was[2]}, is a {now[2]}"
    if was[2] == FRAME:
        import pyarrow.parquet as pq

        return _between_frames(pq.read_table(archive.local(was)), pq.read_table(archive.local(now)))
    return next(_between_values("", archive.nouns(was), archive.nouns(now)), "")


def _between_frames(was: pa.Table, now: pa.Table) -> str:
    """The first row, and in it the first column, that differ; or the columns, or how many rows there are."""
    import numpy as np

    if was.column_names != now.column_names:
        return f"columns were {', '.join(was.column_names)}; are {', '.join(now.column_names)}"
    rows = min(was.num_rows, now.num_rows)
    unlike = [np.flatnonzero(_unlike(was[name][:rows], now[name][:rows])) for name in was.column_names]
    found = [(int(places[0]), column) for column, places in enumerate(unlike) if len(places)]
    if found:
        row, column = min(found)
        name = was.column_names[column]
        of = f"{was.column_names[0]} {_short(was[0][row].as_py())}, " if column else ""
        values = f"was {_short(was[name][row].as_py())}, is {_short(now[name][row].as_py())}"
        return f"row {row + 1:,} ({of}{name}) {values}"
    return "" if was.num_rows == now.num_rows else f"had {was.num_rows:,} rows, has {now.num_rows:,}"


def _unlike(was: pa.ChunkedArray, now: pa.ChunkedArray) -> Any:
    """Where two columns differ; missing is like missing, and so is not-a-number."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if was.type != now.type or pa.types.is_nested(was.type):
        return np.array([a != b for a, b in zip(was.to_pylist(), now.to_pylist(), strict=True)], dtype=bool)
    differ = pc.fill_null(pc.not_equal(was, now), False)
    if pa.types.is_floating(was.type):
        differ = pc.and_not(differ, pc.fill_null(pc.and_(pc.is_nan(was), pc.is_nan(now)), False))
    one_is_missing = pc.xor(pc.is_null(was), pc.is_null(now))
    return pc.or_(differ, one_is_missing).to_numpy(zero_copy_only=False)


def _between_values(path: str, was: Any, now: Any) -> Iterator[str]:
    """Where two JSON contents differ, in reading order."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted({*was, *now}):
            yield from _between_values(f"{path}.{name}".lstrip("."), was.get(name), now.get(name))
    elif isinstance(was, list) and isinstance(now, list):
        for place, (one, other) in enumerate(zip(was, now, strict=False)):
            yield from _between_values(f"{path}[{place}]", one, other)
        if len(was) != len(now):
            yield f"{path or 'it'} had {len(was):,} entries, has {len(now):,}"
    elif was != now or type(was) is not type(now):
        yield f"{path or 'it'} was {_short(was)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
