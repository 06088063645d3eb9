"""What is old enough to be let go: files that no run needs any more, and files that no run ever named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import Address
from control_tower.keeping.records import chain
from control_tower.ledger.letting_go import Gone, RunAge

FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Due:
    """What is to be let go, and of which runs and shelves that has to be written down first."""

    files: dict[Address, int] = field(default_factory=dict)
    """Address and size."""
    loose: dict[Address, int] = field(default_factory=dict)
    runs: list[tuple[RunAge, set[str]]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes, all together."""
        return sum(self.files.values()) + sum(self.loose.values())


def due(
    archive: Archive,
    ages: list[RunAge],
    held: Set[str],
    erased: Mapping[tuple[str, str], Gone],
    told: Mapping[Address, datetime],
    period: Callable[[str], timedelta],
    loose: datetime,
    now: datetime,
) -> Due:
    """Find what may go at a moment. A file stays as long as the run that needs it longest.

    Args:
        ages: every run.
        held: the runs that a legal hold covers.
        erased: files that were erased, and what stands in their place.
        told: files that no run names, as messages, and since when they are kept; `FOREVER` where they are held.
        period: how long files of a shelf stay.
        loose: what was kept again since then may be needed by a run under way, and stays; what was not, and nothing
            names, was left behind.
    """
    found, needed = Due(), dict[Address, datetime]()
    for address, since in told.items():
        _need(needed, address, since if since == FOREVER else since + period(address[0]))
    for age in ages:
        over = set[str]()
        for address in _named(archive, age.run):
            until = FOREVER if age.run in held else age.began_at + period(address[0])
            _need(needed, _standing(address, erased), until)
            if until <= now and address[0] not in age.let_go:
                over.add(address[0])
        if over:
            found.runs.append((age, over))
    for lying in archive.lying():
        stays = needed.get(lying.address)
        if stays is None and lying.since <= loose:
            found.loose[lying.address] = lying.size
        elif stays is not None and stays <= now and lying.since <= loose:
            found.files[lying.address] = lying.size
    return found


def _named(archive: Archive, run: str) -> Iterator[Address]:
    seen: set[Address] = set()
    for record in chain(archive, run):
        fresh = {*record.inputs.values(), *record.outputs.values()} - seen
        seen |= fresh
        yield from fresh


def _standing(address: Address, erased: Mapping[tuple[str, str], Gone]) -> Address:
    gone = erased.get(address[:2])
    return (address[0], gone.instead, address[2]) if gone else address


def _need(needed: dict[Address, datetime], address: Address, until: datetime) -> None:
    needed[address] = max(needed.get(address, until), until)
