"""What a folder of webhooks holds, in groups that are read together: an order with its payments, parcels and refunds.

Whether a file may go is not guessed from its date: the source's own reading of its group is compared, with it and
without it. Files that somebody else put into the folder are read along, and never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from control_tower.errors import SourceError
from control_tower.sources import shopify, stripe, tracking, woocommerce
from control_tower.sources.payloads import Adapt, Rows, contents_of, files_of, written_at
from control_tower.sources.shop_file import shop_of
from control_tower.sources.shopify_bulk import is_bulk
from control_tower.webhooks.about import about
from control_tower.webhooks.senders import SENDERS

ADAPT: dict[str, Adapt] = {
    "shopify": shopify.adapt, "stripe": stripe.adapt, "woocommerce": woocommerce.adapt, "tracking": tracking.adapt,
}  # fmt: skip
OURS = re.compile(rf"(?:{'|'.join(SENDERS)})-[0-9a-f]{{64}}\.json")
UNTOLD = frozenset({"unreadable"})
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """One file: what it holds, when it came, and whether a receiver wrote it."""

    file: Path
    contents: tuple[Any, ...]
    at: datetime

    @property
    def ours(self) -> bool:
        """Whether a receiver wrote it."""
        return OURS.fullmatch(self.file.name) is not None


@dataclass(frozen=True)
class Received:
    """A folder that a receiver writes into and a source reads.

    Args:
        source: the kind of source.
        key: what hashes of identities are keyed with.
    """

    place: Path
    source: str
    key: bytes

    def groups(self) -> list[tuple[Event, ...]]:
        """All that lies there; events that are about the same are in one group, in the order in which they are read.

        Raises:
            SourceError: a file is no JSON; names it.
        """
        files = [] if not any(self.place.glob("*-*.json")) else files_of(self.place)
        events = [
            Event(file, tuple(contents_of(file)), written_at(file))
            for file in files
            if self.source != "shopify" or not is_bulk(file)
        ]
        return _joined(events, [self._about(event) for event in events])

    def _about(self, event: Event) -> frozenset[str]:
        try:
            return frozenset[str]().union(*(about(self.source, content) for content in event.contents))
        except (AttributeError, TypeError, KeyError) as fault:
            raise self._misshapen(event, fault) from fault

    def told(self, events: Sequence[Event]) -> dict[str, dict[str, dict[str, Any]]]:
        """The rows that the source makes of some events, by table and key.

        Raises:
            SourceError: one has a shape that its sender would not send.
        """
        rows = Rows(shop_of(self.place, self.source), self.source, self.key)
        try:
            ADAPT[self.source](rows, [(content, event.at) for event in events for content in event.contents])
        except (AttributeError, TypeError, KeyError) as fault:
            raise self._misshapen(events[0], fault) from fault
        return rows.tables

    def _misshapen(self, event: Event, fault: Exception) -> SourceError:
        what = f"holds an object in a shape that {self.source} would not send: {str(fault)[:200]}"
        return SourceError(what, where=str(event.file), remedy="no look can read it either: take it out of the folder")

    def overtaken(self, group: Sequence[Event], before: datetime) -> list[Event]:
        """The events that came before a moment and without which a group tells the very same."""
        whole, stays, gone = self.told(group), list(group), list[Event]()
        waiting = [[event for event in group if event.ours and event.at < before]]
        while waiting:
            some = waiting.pop()
            rest = [event for event in stays if event not in some]
            if some and rest and self.told(rest) == whole:
                stays, gone = rest, gone + some
            elif len(some) > 1:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
        return gone

    def same_but(self, group: Sequence[Event], changed: Sequence[Event], columns: Set[str]) -> bool:
        """Whether two versions of a group tell the same, some columns apart."""
        untold = UNTOLD | columns
        return _without(self.told(group), untold) == _without(self.told(changed), untold)


def rows_of(tables: Mapping[str, Mapping[str, Row]]) -> Iterator[Row]:
    """The rows of all tables."""
    for rows in tables.values():
        yield from rows.values()


def changed(group: Sequence[Event], change: Callable[[Any], Any]) -> list[Event]:
    """A group whose own contents are changed; what others wrote is as it is."""
    return [Event(event.file, tuple(map(change, event.contents)), event.at) if event.ours else event for event in group]


def _without(tables: Mapping[str, Mapping[str, Row]], columns: Set[str]) -> dict[str, dict[str, Row]]:
    return {
        table: {key: {name: cell for name, cell in row.items() if name not in columns} for key, row in rows.items()}
        for table, rows in tables.items()
    }


def _joined(events: Sequence[Event], subjects: Sequence[frozenset[str]]) -> list[tuple[Event, ...]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {subject: len(events) + at for at, subject in enumerate(sorted(frozenset[str]().union(*subjects)))}
    pairs = [(at, place[subject]) for at, of in enumerate(subjects) for subject in of]
    size = len(events) + len(place)
    ends = ([one for one, _ in pairs], [other for _, other in pairs])
    _, labels = connected_components(coo_array(([1] * len(pairs), ends), shape=(size, size)), directed=False)
    found: dict[int, list[Event]] = {}
    for event, label in zip(events, labels, strict=False):
        found.setdefault(int(label), []).append(event)
    return [tuple(group) for group in found.values()]
