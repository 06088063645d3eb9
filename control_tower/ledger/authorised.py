"""Leave to act, and the one place where it is given: a ruling in the ledger, held against authority once more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from control_tower.authority import Authority, must_answer_for
from control_tower.errors import AuthorityLost, NoAuthority, NotFound
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger
from control_tower.ledger.rulings import as_ruling, moved, people_in
from control_tower.ledger.tables import ApproverRow, ProposalRow, RulingRow
from control_tower.nouns import Money, Proposal, Ruling, Verdict

_SEAL = object()


class Authorised:
    """Leave to act: a proposal and the ruling in the ledger that covers it. Only `authorise` makes one."""

    __slots__ = ("proposal", "ruling")

    def __init__(self, proposal: Proposal, ruling: Ruling, seal: object = None) -> None:
        if seal is not _SEAL:
            raise NoAuthority("an Authorised is made from a ruling in the ledger, and in no other way")
        object.__setattr__(self, "proposal", proposal)
        object.__setattr__(self, "ruling", ruling)

    @property
    def money(self) -> Money | None:
        """What may move: as proposed, or the less that was approved."""
        return moved(self.proposal, self.ruling.amount)

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


def authorise(ledger: Ledger, digest: str, authority: Authority, now: datetime) -> Authorised:
    """Leave to act on a proposal, if a ruling in the ledger covers all of it at this moment.

    Raises:
        NotFound: no such proposal.
        NoAuthority: not ruled, rejected, void, the row is not what was ruled on, or whoever ruled may not any more.
    """
    with ledger.read() as session:
        row = session.get(ProposalRow, digest)
        if row is None:
            raise NotFound(f"no proposal has the digest {digest[:12]}")
        ruled = session.get(RulingRow, (digest, row.round))
        proposal = Proposal.model_validate(row.body)
        objection = _objection(row, proposal, ruled)
        lost = "" if objection or ruled is None else _lost_by_any(session, proposal, ruled, authority, now)
    if lost:
        raise AuthorityLost(lost, where=f"proposal {digest[:12]}", remedy="nothing was done; it is asked again")
    if objection or ruled is None:
        raise NoAuthority(objection, where=f"proposal {digest[:12]}", remedy="nothing was done")
    return Authorised(proposal, as_ruling(ruled), _SEAL)


def _objection(row: ProposalRow, proposal: Proposal, ruled: RulingRow | None) -> str:
    """Why this ruling does not cover this proposal; empty when it does."""
    if ruled is None:
        return "nobody has ruled on it"
    if ruled.verdict != Verdict.approve.value:
        return f"{ruled.approver} rejected it"
    if proposal.digest != row.digest or ruled.covered != proposal.covered:
        return "it is not what was ruled on: its content was changed"
    if proposal.named_shop not in ("", proposal.shop):
        return f"it is about the shop {proposal.shop}, and would act at {proposal.named_shop}"
    if row.standing not in ("approved", "done"):
        return f"it is {row.standing}: {row.detail}"
    if ruled.amount is not None and not (proposal.money and 0 < ruled.amount < proposal.money.amount):
        return "it is not what was ruled on: the amount is not less than was proposed"
    return ""


def _lost_by_any(session: Session, proposal: Proposal, ruled: RulingRow, authority: Authority, now: datetime) -> str:
    """Why those who approved may not any more; empty when they may, and are as many as it takes."""
    names = [name for name in (ruled.approver, *ruled.seconded_by.split(", ")) if name]
    if len(names) < authority.people_for(proposal.action, moved(proposal, ruled.amount)):
        return "it takes more people than approved it"
    return next(filter(None, (_lost(session, name, proposal, ruled, authority, now) for name in names)), "")


def _lost(
    session: Session, name: str, proposal: Proposal, ruled: RulingRow, authority: Authority, now: datetime
) -> str:
    """Why somebody who approved has no authority any more; empty when they have. The day's limit was theirs then."""
    approver = session.get(ApproverRow, name)
    if approver is None or approver.revoked_at is not None:
        return f"{name} has no authority any more"
    person = person_of(approver)
    try:
        must_answer_for(person, proposal.shop)
        authority.grant(person, proposal, moved(proposal, ruled.amount), ruled.via, (), people_in(session), now)
    except NoAuthority as refusal:
        return f"{name} has no authority any more: {refusal.what}"
    return ""
