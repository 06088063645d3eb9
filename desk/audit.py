"""`tower audit`: is what was kept still what was kept, and the book what the tower wrote?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from control_tower.errors import BrokenChain, NotFound
from control_tower.keeping import Address, Archive
from control_tower.keeping.beyond import beyond
from control_tower.keeping.records import Verified, runs
from control_tower.keeping.records import verify as walk
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.journal import entries, faults
from control_tower.ledger.letting_go import Gone, erased_files
from control_tower.ledger.restorations import answered_for, restorations
from control_tower.ledger.tables import RestorationRow
from control_tower.settings import settings
from control_tower.slack.kept_messages import messages_said
from desk.show import as_json, out, printable
from policies.retention import retention

SHOWN = 100


def verify(run: str | None, *, json: bool) -> None:
    """Walk one chain or all, and then the book, row by row; the first break of each run is named, and every row.

    Raises:
        BrokenChain: at least one chain is broken.
    """
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    erased = erased_files(ledger)
    checked: set[Address] = set()
    whole: list[Verified] = []
    broken: list[str] = []
    for each in [run] if run else runs(ledger):
        try:
            whole.append(walk(archive, ledger, each, erased, checked))
        except BrokenChain as fault:
            broken.append(str(fault))
    if not whole and not broken:
        raise NotFound("nothing was kept yet", remedy="`tower run fulfilment` keeps a run")
    book = [] if run else [f"in the ledger, {fault}" for fault in islice(faults(ledger.engine), SHOWN)]
    book += [] if run else list(islice(_untrue_messages(archive, ledger, erased), SHOWN))
    book += [] if run else _taken_back(archive, ledger)
    restored = [] if run else [_restored(each) for each in restorations(ledger)]
    if json:
        as_json({"verified": [vars(each) for each in whole], "broken": broken + book, "restored": restored})
    else:
        for walked in whole:
            gone = f", {walked.gone} gone on purpose" if walked.gone else ""
            out.print(f"run {walked.run}: {walked.records} records and {walked.files} files are what was kept{gone}")
        for line in restored:
            out.print(printable(f"ledger: {line}"), markup=False, highlight=False, soft_wrap=True)
        if not run and not book:
            out.print(f"ledger: {entries(ledger.engine):,} entries of its journal, and every row is what was written")
    broken += book
    if broken:
        raise BrokenChain("; ".join(broken))


def _taken_back(archive: Archive, ledger: Ledger) -> list[str]:
    """What an old copy of the whole ledger does not know, and nobody answers for: a restore, or a rollback."""
    lost = list(beyond(archive, ledger, answered_for(ledger)))
    if not lost:
        return []
    first = min(record.started_at for record in lost)
    return [
        f"the ledger was restored from before {first:%Y-%m-%d %H:%M} UTC, or taken back: {len(lost)} kept records of"
        f" {len({record.run for record in lost})} runs name entries of its journal that it does not have, and nobody"
        " answers for it (`tower recover`)"
    ]


def _restored(row: RestorationRow) -> str:
    return (
        f"restored from before {row.since:%Y-%m-%d %H:%M} UTC; {len(row.records)} kept records, to"
        f" {row.until:%Y-%m-%d %H:%M}, were lost with it; {row.by} answers for it since {row.at:%Y-%m-%d}: {row.why}"
    )


def _untrue_messages(archive: Archive, ledger: Ledger, erased: Mapping[tuple[str, str], Gone]) -> Iterator[str]:
    """Kept messages that are not what was said; those that are old enough may be gone."""
    seen: set[Address] = set()
    stays = retention().period("messages")
    for said in messages_said(ledger):
        gone = erased.get(said.address[:2])
        address = (said.address[0], gone.instead, said.address[2]) if gone else said.address
        if address in seen or (said.at + stays <= datetime.now(UTC) and not archive.has(address)):
            continue
        seen.add(address)
        try:
            archive.verify(*address)
        except BrokenChain as fault:
            yield f"a message of {said.at:%Y-%m-%d %H:%M}, {fault}"
