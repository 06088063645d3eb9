"""The one place where a ruling is written, and the one place where an `Authorised` is made from it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.errors import AlreadyRuled, LedgerError, NoAuthority, NotFound
from control_tower.ledger.approvers import prove
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.tables import ApproverRow, EventRow, ProposalRow, RulingRow
from control_tower.nouns import Proposal, Ruling, Verdict

_SEAL = object()


class Authorised:
    """Leave to act: a proposal and the ruling in the ledger that covers it. Only `authorise` makes one."""

    __slots__ = ("proposal", "ruling")

    def __init__(self, proposal: Proposal, ruling: Ruling, seal: object = None) -> None:
        if seal is not _SEAL:
            raise NoAuthority("an Authorised is made from a ruling in the ledger, and in no other way")
        object.__setattr__(self, "proposal", proposal)
        object.__setattr__(self, "ruling", ruling)

    def as_kept(self) -> dict[str, object]:
        """What a record says of it: the proposal and the ruling, as JSON."""
        return {
            "proposal": self.proposal.model_dump(mode="json"),
            "ruling": self.ruling.model_dump(mode="json"),
        }

    def __setattr__(self, name: str, value: object) -> None:
        raise NoAuthority("an Authorised does not change")

    proposal: Proposal
    ruling: Ruling


def proposal_row(session: Session, handle: str) -> ProposalRow:
    """The proposal that a digest, or the first eight or more characters of one, names.

    Raises:
        NotFound: none, or more than one.
    """
    handle = handle.strip().lower()
    if len(handle) < 8 or not handle.isalnum():
        raise NotFound(f"{handle!r} names no proposal", remedy="`tower queue` lists them")
    rows = session.scalars(select(ProposalRow).where(col(ProposalRow.digest).startswith(handle)).limit(2)).all()
    if len(rows) != 1:
        raise NotFound(f"{len(rows) or 'no'} proposals begin with {handle!r}", remedy="`tower queue` lists them")
    return rows[0]


def _noun(row: RulingRow) -> Ruling:
    return Ruling.model_validate(row.model_dump(exclude={"covered"}))


def find_ruling(ledger: Ledger, digest: str) -> Ruling | None:
    """The ruling on a proposal digest, if a person has ruled."""
    with ledger.read() as session:
        row = session.get(RulingRow, digest)
    return _noun(row) if row else None


def rule(
    ledger: Ledger,
    handle: str,
    verdict: Verdict,
    *,
    approver: str,
    token: str,
    reason: str,
    via: str,
    now: datetime,
) -> Ruling:
    """Write one person's ruling on one proposal. Every door leads here.

    Args:
        handle: the proposal's digest, or its first characters.
        approver: the name that the token must prove.
        reason: why; a rejection needs words.
        via: the door: command, form, slack, page.

    Raises:
        NotProved: the token does not prove the name.
        NotFound: no such proposal.
        AlreadyRuled: somebody was first, or the proposal no longer waits.
        LedgerError: a rejection without a reason.
    """
    name = prove(ledger, approver, token)
    if verdict is Verdict.reject and not reason.strip():
        raise LedgerError("a rejection needs a reason", remedy="add --reason")
    with ledger.write() as session:
        row = proposal_row(session, handle)
        first = session.get(RulingRow, row.digest)
        if first:
            raise AlreadyRuled(
                f"{first.approver} ruled first: {first.verdict}, by {first.via}, at {first.ruled_at:%Y-%m-%d %H:%M} UTC"
            )
        # Conditional, so that on any database only one of two racing transactions goes on.
        mine = session.execute(
            update(ProposalRow)
            .where(col(ProposalRow.digest) == row.digest, col(ProposalRow.standing) == "waiting")
            .values(standing="approved" if verdict is Verdict.approve else "rejected")
        )
        if changed(mine) != 1:
            raise AlreadyRuled(f"proposal {row.digest[:12]} no longer waits: it is {row.standing}")
        ruling = RulingRow(
            proposal=row.digest,
            verdict=verdict.value,
            approver=name,
            reason=reason.strip()[:2000],
            via=via,
            ruled_at=now,
            covered=dict(Proposal.model_validate(row.body).covered),
        )
        session.add(ruling)
        said = f"{verdict.value} by {name} via {via}: {ruling.reason}"
        for subject in (f"proposal:{row.digest}", f"case:{row.case_id}"):
            session.add(EventRow(subject=subject, what="ruled", detail=said, at=now))
    return _noun(ruling)


def authorise(ledger: Ledger, digest: str) -> Authorised:
    """Leave to act on a proposal, if a ruling in the ledger covers all of it at this moment.

    Raises:
        NotFound: no such proposal.
        NoAuthority: not ruled, rejected, void, its approver revoked, or the row is not what was ruled on.
    """
    with ledger.read() as session:
        row = session.get(ProposalRow, digest)
        if row is None:
            raise NotFound(f"no proposal has the digest {digest[:12]}")
        ruled = session.get(RulingRow, digest)
        approver = session.get(ApproverRow, ruled.approver) if ruled else None
    proposal = Proposal.model_validate(row.body)
    objection = _objection(row, proposal, ruled, approver)
    if objection or ruled is None:
        raise NoAuthority(objection, where=f"proposal {digest[:12]}", remedy="nothing was done")
    return Authorised(proposal, _noun(ruled), _SEAL)


def _objection(row: ProposalRow, proposal: Proposal, ruled: RulingRow | None, approver: ApproverRow | None) -> str:
    """Why this ruling does not cover this proposal; empty when it does."""
    if ruled is None:
        return "nobody has ruled on it"
    if ruled.verdict != Verdict.approve.value:
        return f"{ruled.approver} rejected it"
    if proposal.digest != row.digest or ruled.covered != proposal.covered:
        return "it is not what was ruled on: its content was changed"
    if row.standing not in ("approved", "done"):
        return f"it is {row.standing}: {row.detail}"
    if approver is None or approver.revoked_at is not None:
        return f"{ruled.approver} has no authority any more"
    return ""
