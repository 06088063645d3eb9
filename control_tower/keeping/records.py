"""The chain of a run: each record names what a step was given and gave, and the record before it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from pydantic import AwareDatetime, Field
from sqlalchemy import select
from sqlmodel import col

from control_tower.errors import BrokenChain, NotFound
from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import Address
from control_tower.ledger.database import Ledger
from control_tower.ledger.journal import entry_has, head_of
from control_tower.ledger.letting_go import Gone, erased_files, gone_since
from control_tower.ledger.tables import ChainRow
from control_tower.nouns import Noun, canonical, digest_of


class Record(Noun):
    """One step of one run, kept: addresses of inputs and outputs, versions, and the record before."""

    run: str
    number: int
    step: str
    task_run: str
    code: str
    versions: dict[str, str]
    inputs: dict[str, Address]
    outputs: dict[str, Address]
    error: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    journal: tuple[int, str] = Field(default=(0, ""), description="the last entry of the ledger's journal by then")
    previous: str


@dataclass(frozen=True)
class Verified:
    """How much of a chain was walked."""

    run: str
    records: int
    files: int
    gone: int = 0
    """Files that were let go by age, or erased."""


def _path(archive: Archive, run: str, number: int) -> str:
    return f"{archive.root}/runs/{run}/{number:04d}.json"


def append(archive: Archive, ledger: Ledger, run: str, content: dict[str, object], flow: str = "") -> Record:
    """Add a record to a run's chain, then move the chain's head in the ledger."""
    with ledger.write() as session:  # the write lock orders two processes that run one flow run
        head = session.get(ChainRow, run) or ChainRow(run=run, flow=flow, length=0, head="", began_at=datetime.now(UTC))
        placed = {"run": run, "number": head.length + 1, "previous": head.head, "journal": head_of(session)}
        record = Record.model_validate(content | placed)
        path = _path(archive, run, record.number)
        archive.write(path, canonical(record.model_dump(mode="json")))
        head.length, head.head = record.number, record.digest
        session.add(head)
    return record


def chain(archive: Archive, run: str) -> Iterator[Record]:
    """The records of a run, in order, each checked against the one before.

    Raises:
        BrokenChain: names the record that does not fit.
    """
    previous, number = "", 1
    while True:
        path = _path(archive, run, number)
        try:
            content = json.loads(archive.files.cat_file(path))
            record = Record.model_validate(content)
        except FileNotFoundError:
            return
        except ValueError as fault:
            raise BrokenChain("is not a record", where=path) from fault
        if record.previous != previous or record.number != number or record.run != run:
            raise BrokenChain("does not follow the record before it", where=path)
        if digest_of(content) != record.digest:
            raise BrokenChain("is not in canonical form", where=path)
        yield record
        previous, number = record.digest, number + 1


def chain_of(archive: Archive, ledger: Ledger, run: str) -> list[Record]:
    """The records of a run up to the head that the ledger knows.

    Raises:
        NotFound: no such run.
        BrokenChain: a record is missing, or does not fit.
    """
    head = _head(ledger, run)
    # A record past the head was written by a process killed before its commit: not part of the run.
    records = list(islice(chain(archive, run), head.length))
    if (len(records), records[-1].digest if records else "") != (head.length, head.head):
        raise BrokenChain(f"has {len(records)} records that fit of the {head.length} in the ledger", where=f"run {run}")
    return records


def _head(ledger: Ledger, run: str) -> ChainRow:
    with ledger.read() as session:
        head = session.get(ChainRow, run)
    if head is None:
        raise NotFound(f"no run {run} was kept", remedy="`tower audit verify` walks all there are")
    return head


def verify(
    archive: Archive,
    ledger: Ledger,
    run: str,
    erased: Mapping[tuple[str, str], Gone] | None = None,
    checked: set[Address] | None = None,
) -> Verified:
    """Walk a run's chain to the head that the ledger knows, and check every file it names.

    A file may be gone where the ledger says that it was let go by age, or erased; the file in its place is checked.

    Args:
        erased: what `erased_files` gives; read when left out.
        checked: files that were found to be what was kept, for another run; they are not read again, and added to.

    Raises:
        NotFound: no such run.
        BrokenChain: what is missing or changed, to the file; or is still there though it was erased.
    """
    erased = erased_files(ledger) if erased is None else erased
    checked = set() if checked is None else checked
    let_go = _head(ledger, run).let_go
    records, seen, gone = chain_of(archive, ledger, run), set[Address](), 0
    for record in records:
        if not entry_has(ledger.engine, *record.journal):
            where = f"entry {record.journal[0]} of the ledger's journal"
            raise BrokenChain(f"is not what it was at record {record.number} of run {run}", where=where)
        for address in {*record.inputs.values(), *record.outputs.values()} - seen:
            seen.add(address)
            if address in checked:
                continue
            try:
                there = _is_there(archive, address, erased.get(address[:2]), gone_since(let_go, address[0]))
            except BrokenChain as fault:
                raise BrokenChain(f"{fault}, in record {record.number} ({record.step}) of run {run}") from None
            gone += not there
            checked |= {address} if there else set()
    return Verified(run=run, records=len(records), files=len(seen) - gone, gone=gone)


def _is_there(archive: Archive, address: Address, erased: Gone | None, let_go: Gone | None) -> bool:
    """Whether a file is what was kept; not, where it is gone on purpose."""
    if erased:
        if archive.has(address):
            raise BrokenChain(f"was {erased.why}, and is there again", where=archive.path(*address))
        if let_go is None:
            archive.verify(address[0], erased.instead, address[2])
        return False
    if let_go and not archive.has(address):
        return False
    archive.verify(*address)
    return True


def runs(ledger: Ledger) -> list[str]:
    """Every run that has a chain, oldest first."""
    with ledger.read() as session:
        return list(session.scalars(select(col(ChainRow.run)).order_by(col(ChainRow.began_at), col(ChainRow.run))))


def find_run(ledger: Ledger, handle: str) -> str:
    """The run whose id begins with a handle.

    Raises:
        NotFound: none, or more than one.
    """
    found = [run for run in runs(ledger) if run.startswith(handle.strip().lower())]
    if len(found) != 1:
        what = f"{len(found)} runs begin with {handle!r}" if found else f"no run {handle!r} was kept"
        raise NotFound(what, remedy="`tower audit verify` names all there are")
    return found[0]
