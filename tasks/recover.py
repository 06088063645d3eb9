"""Recover: what a ledger from a backup lost, by what the archive and the stores know, and what is done about it.

Nothing here rules and nothing here acts. A ruling that was lost is void: people are asked again. What a store did is
found there, and written down, so that it is not asked for twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from pydantic import AwareDatetime

from control_tower.errors import BrokenChain, StoreError
from control_tower.keeping import Archive
from control_tower.keeping.beyond import beyond
from control_tower.keeping.records import Record
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.effects import found_done
from control_tower.ledger.proofs import Proof
from control_tower.ledger.proposals import waiting_proposals
from control_tower.ledger.restorations import accept as answer_for
from control_tower.ledger.restorations import answered_for
from control_tower.nouns import NO_SHOP, Noun, Proposal
from control_tower.settings import Settings
from control_tower.stores import open_store
from control_tower.stores.protocol import Standing, Store, StoreEffect
from tasks.authority import written_authority


class LostRuling(Noun):
    """A ruling that kept records tell of, and the ledger does not know: it is void."""

    proposal: str
    said: str


class Found(Noun):
    """Something that a store did, and that the ledger still asks people about."""

    proposal: Proposal
    recorded: StoreEffect


class Apart(Noun):
    """How far the ledger is behind the archive and the stores."""

    records: tuple[str, ...] = ()
    """The digest of each kept record that names an entry of the journal which is not there."""
    runs: int = 0
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    rulings: tuple[LostRuling, ...] = ()
    found: tuple[Found, ...] = ()
    unread: tuple[str, ...] = ()
    """Stores that could not be read, and why."""

    @property
    def nothing(self) -> bool:
        """Whether they agree."""
        return not self.records and not self.found


def apart(tower: Settings, progress: Callable[[int], None] = lambda _: None) -> Apart:
    """Look at the archive and the stores; changes nothing.

    Args:
        progress: called with the number of proposals whose store was just asked.
    """
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    lost = list(beyond(archive, ledger, answered_for(ledger)))
    unread: list[str] = []
    return Apart(
        records=tuple(record.digest for record in lost),
        runs=len({record.run for record in lost}),
        since=min((record.started_at for record in lost), default=None),
        until=max((record.ended_at for record in lost), default=None),
        rulings=tuple(ruling for record in lost for ruling in _rulings(archive, record)),
        found=tuple(_found(ledger, tower, unread, progress)),
        unread=tuple(dict.fromkeys(unread)),
    )


def accept(tower: Settings, by: Proof, why: str, now: datetime) -> Apart:
    """Write down what stores did, then answer for what was lost. Killed at any point, it goes on when asked again.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person is no keeper.
        LedgerError: no reason was given.
        StoreError: a store that proposals wait for can't be read; what it did is not known.
    """
    found = apart(tower)
    if found.unread:
        raise StoreError(found.unread[0], remedy="what it did must be known first; nothing was written")
    ledger = open_ledger(tower.ledger)
    between = (found.since or now, found.until or now)
    answer_for(ledger, found.records, between, by, written_authority(NO_SHOP), why, now)
    for one in found.found:
        found_done(ledger, one.proposal, one.recorded, now)
    return found


def _found(ledger: Ledger, tower: Settings, unread: list[str], progress: Callable[[int], None]) -> Iterator[Found]:
    """What stores recorded under the keys of proposals that wait."""
    stores: dict[str, Store | None] = {}
    for row in waiting_proposals(ledger):
        proposal = Proposal.model_validate(row.body)
        if proposal.source not in stores:
            stores[proposal.source] = _store(proposal.source, tower)
        if (store := stores[proposal.source]) is not None:
            try:
                recorded = store.effects(proposal.digest, proposal.order_id)
            except StoreError as fault:
                unread.append(f"{proposal.source}: {fault.what}")
                recorded = ()
            done = next((each for each in recorded if each.standing is Standing.done), None)
            if done:
                yield Found(proposal=proposal, recorded=done)
        progress(1)


def _store(source: str, tower: Settings) -> Store | None:
    """The store of a source; None where it has no hands, and so did nothing."""
    try:
        return open_store(source, tower)
    except StoreError:
        return None


def _rulings(archive: Archive, record: Record) -> Iterator[LostRuling]:
    """The rulings that a record of `act` or `reject` shows; of files that are gone too, nothing is known."""
    try:
        if record.step == "act" and "authorised" in record.inputs:
            given = archive.nouns(record.inputs["authorised"])
            proposal, ruling = Proposal.model_validate(given["proposal"]), given["ruling"]
            came = "done" if not record.error else record.error
            what = f"{proposal.action} {proposal.money or ''} on order {proposal.order_id}"
            yield LostRuling(proposal=proposal.digest, said=f"{what}: {ruling['approver']} approved it; {came}")
        elif record.step == "reject" and "result" in record.outputs:
            yield LostRuling(
                proposal=str(archive.nouns(record.inputs["proposal"])),
                said=str(archive.nouns(record.outputs["result"])),
            )
    except (BrokenChain, KeyError, TypeError, ValueError):
        return
