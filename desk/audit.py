"""`tower audit`: is what was kept still what was kept, and the book what the tower wrote?"""

from __future__ import annotations

from itertools import islice

from control_tower.errors import BrokenChain, NotFound
from control_tower.keeping.records import Verified, runs
from control_tower.keeping.records import verify as walk
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.ledger.journal import entries, faults
from control_tower.settings import settings
from desk.show import as_json, out

SHOWN = 100


def verify(run: str | None, *, json: bool) -> None:
    """Walk one chain or all, and then the book, row by row; the first break of each run is named, and every row.

    Raises:
        BrokenChain: at least one chain is broken.
    """
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    whole: list[Verified] = []
    broken: list[str] = []
    for each in [run] if run else runs(ledger):
        try:
            whole.append(walk(archive, ledger, each))
        except BrokenChain as fault:
            broken.append(str(fault))
    if not whole and not broken:
        raise NotFound("nothing was kept yet", remedy="`tower run fulfilment` keeps a run")
    book = [] if run else [f"in the ledger, {fault}" for fault in islice(faults(ledger.engine), SHOWN)]
    if json:
        as_json({"verified": [vars(each) for each in whole], "broken": broken + book})
    else:
        for walked in whole:
            out.print(f"run {walked.run}: {walked.records} records and {walked.files} files are what was kept")
        if not run and not book:
            out.print(f"ledger: {entries(ledger.engine):,} entries of its journal, and every row is what was written")
    broken += book
    if broken:
        raise BrokenChain("; ".join(broken))
