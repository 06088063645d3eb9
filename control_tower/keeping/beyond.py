"""Beyond: kept records that a ledger knows nothing of, because it was restored from before them, or taken back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from sqlalchemy import select
from sqlmodel import col

from control_tower.errors import BrokenChain
from control_tower.keeping.archive import Archive
from control_tower.keeping.records import Record
from control_tower.ledger.database import Ledger
from control_tower.ledger.journal import entry_has
from control_tower.ledger.tables import ChainRow


def beyond(archive: Archive, ledger: Ledger, known: Collection[str] = ()) -> Iterator[Record]:
    """Records that were kept after an entry of the journal which this ledger does not have.

    A record past the head of its chain that names an entry which is there was left by a process killed before its
    commit, and is none of these.

    Args:
        known: digests of records that somebody answers for already.

    Raises:
        BrokenChain: what lies among the records is none.
    """
    with ledger.read() as session:
        heads = {row[0]: row[1] for row in session.execute(select(col(ChainRow.run), col(ChainRow.length)))}
    for path in sorted(archive.files.find(f"{archive.root}/runs")):
        place = PurePosixPath(path)
        try:
            if place.suffix != ".json" or int(place.stem) <= heads.get(place.parent.name, 0):
                continue
            record = Record.model_validate(json.loads(archive.files.cat_file(path)))
        except ValueError as fault:
            raise BrokenChain("is not a record", where=path) from fault
        if record.digest not in known and not entry_has(ledger.engine, *record.journal):
            yield record
