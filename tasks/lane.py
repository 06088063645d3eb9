"""What makes a lane: its name, the tables it reads, and the SQL of its signals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lane:
    """One lane. Its policy has its name; its flow is `flows/watch_<name>.py`, its signals the `.sql` beside it."""

    name: str
    tables: tuple[str, ...]
    signals: str


def lane(name: str, flow_file: str, *tables: str) -> Lane:
    """The lane of a flow file, with the signals that lie beside it."""
    return Lane(name=name, tables=tables, signals=Path(flow_file).with_suffix(".sql").read_text())
