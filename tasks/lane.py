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
    whole: bool = False
    """A fact of one order may rest on other orders, so that a second look at it takes all of the evidence."""
    linked: bool = False
    """What the orders of a case share with others is found, and drawn."""
    apart: bool = False
    """A subject is an order, and its facts rest on rows that belong to that order alone: those that name it, its
    parcels' scans, and the marks on them. Over some of the orders its signals then give what they give over all."""


def lane(
    name: str, flow_file: str, *tables: str, whole: bool = False, linked: bool = False, apart: bool = False
) -> Lane:
    """The lane of a flow file, with the signals that lie beside it."""
    signals = Path(flow_file).with_suffix(".sql").read_text()
    return Lane(name=name, tables=tables, signals=signals, whole=whole, linked=linked, apart=apart)
