"""`tower audit`: is what was kept still what was kept?"""

from __future__ import annotations

from control_tower.errors import BrokenChain, NotFound
from control_tower.keeping.records import Verified, runs
from control_tower.keeping.records import verify as walk
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.settings import settings
from desk.show import as_json, out


def verify(run: str | None, *, json: bool) -> None:
    """Walk one chain or all; the first break of each run is named.

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
    if json:
        as_json({"verified": [vars(each) for each in whole], "broken": broken})
    else:
        for walked in whole:
            out.print(f"run {walked.run}: {walked.records} records and {walked.files} files are what was kept")
    if broken:
        raise BrokenChain("; ".join(broken))
