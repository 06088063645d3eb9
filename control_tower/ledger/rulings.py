"""The one place where a ruling is written: by a person who is proved, with written authority, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority, Grant, Person, Spent, must_answer_for
from control_tower.errors import AlreadyRuled, LedgerError, NoAuthority, NotFound, NotProved, TowerError
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.proofs import Proof, proved, use_up, wrong
from control_tower.ledger.tables import ApproverRow, EventRow, ProposalRow, RulingRow, VoteRow
from control_tower.nouns import Money, Proposal, Ruling, Verdict, Vote


def moved(proposal: Proposal, amount: int | None) -> Money | None:
    """What would move: as proposed, or the less that a person asked for, in minor units."""
    if proposal.money is None or amount is None:
        return proposal.money
    return Money(amount=amount, currency=proposal.money.currency)


def proposal_row(session: Session, handle: str, *, lock: bool = False) -> ProposalRow:
    """The proposal that a digest, or the first eight or more characters of one, names.

    Raises:
        NotFound: none, or more than one.
    """
    handle = handle.strip().lower()
    if len(handle) < 8 or not handle.isalnum():
        raise NotFound(f"{handle!r} names no proposal", remedy="`tower queue` lists them")
    found = select(ProposalRow).where(col(ProposalRow.digest).startswith(handle)).limit(2)
    # On PostgreSQL the row is locked, so that of fifty who rule at once forty-nine read who was first.
    rows = session.scalars(found.with_for_update() if lock else found).all()
    if len(rows) != 1:
        raise NotFound(f"{len(rows) or 'no'} proposals begin with {handle!r}", remedy="`tower queue` lists them")
    return rows[0]


def as_ruling(row: RulingRow) -> Ruling:
    """The noun of a row."""
    return Ruling.model_validate(row.model_dump(exclude={"covered", "round"}))


def find_ruling(ledger: Ledger, digest: str) -> Ruling | None:
    """The ruling that holds on a proposal digest, if a person has ruled."""
    with ledger.read() as session:
        proposal = session.get(ProposalRow, digest)
        row = session.get(RulingRow, (digest, proposal.round)) if proposal else None
    return as_ruling(row) if row else None


def rule(
    ledger: Ledger,
    handle: str,
    verdict: Verdict,
    *,
    by: Proof,
    authority: Authority,
    reason: str,
    reason_code: str = "",
    amount: int | None = None,
    via: str,
    now: datetime,
) -> Ruling | Vote:
    """Write one person's ruling on one proposal. Every door leads here.

    Args:
        handle: the proposal's digest, or its first characters.
        by: what proves who rules.
        authority: the written authority in force.
        reason: why, in words; a rejection needs some.
        reason_code: one of the reasons that authority lists, or none.
        amount: minor units to move instead of what was proposed; less, never more.
        via: the door: command, form, slack, page.

    Returns:
        The ruling; a vote where it takes more people, and the proposal still waits for them.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NotFound: no such proposal.
        AlreadyRuled: somebody was first, or the proposal no longer waits.
        NoAuthority: the person may not, and why.
        LedgerError: no reason, a reason that there is not, or an amount that can't be.
    """
    try:
        with ledger.write() as session:
            row = proved(session, by, now)
            return _ruled(session, row, handle, verdict, authority, reason, reason_code, amount, via, now)
    except NotProved:
        wrong(ledger, by, now)
        raise
    except TowerError as refusal:
        use_up(ledger, by, now)  # the refusal took back that the code was used
        if isinstance(refusal, NoAuthority):
            _refused(ledger, handle, refusal, via, now)
        raise


def _refused(ledger: Ledger, handle: str, refusal: NoAuthority, via: str, now: datetime) -> None:
    """Write down that somebody without authority tried."""
    with ledger.write() as session:
        row = proposal_row(session, handle)
        detail = f"via {via}: {refusal.what}"[:1000]
        session.add(EventRow(subject=f"proposal:{row.digest}", what="no authority", detail=detail, at=now))


def _ruled(
    session: Session,
    who: ApproverRow,
    handle: str,
    verdict: Verdict,
    authority: Authority,
    reason: str,
    reason_code: str,
    amount: int | None,
    via: str,
    now: datetime,
) -> Ruling | Vote:
    row = proposal_row(session, handle, lock=True)
    _waits(session, row, authority, now)
    proposal, person = Proposal.model_validate(row.body), person_of(who)
    must_answer_for(person, proposal.shop)
    reason = _reason(authority, verdict, reason_code, reason)
    if verdict is Verdict.reject:
        grant, votes = authority.may_reject(person, proposal, people_in(session), now), []
        amount = None
    else:
        amount = _amount(authority, proposal, amount)
        spent = _spent(session, authority.since(now), proposal)
        grant = authority.grant(person, proposal, moved(proposal, amount), via, spent, people_in(session), now)
        votes = _votes(session, row, person, amount)
        if len(votes) + 1 < grant.people:
            return _vote(session, row, person, grant, amount, reason, reason_code, via, now, len(votes))
    # Conditional, so that on any database only one of two racing transactions goes on.
    mine = session.execute(
        update(ProposalRow)
        .where(col(ProposalRow.digest) == row.digest, col(ProposalRow.standing) == "waiting")
        .values(standing="approved" if verdict is Verdict.approve else "rejected")
    )
    if changed(mine) != 1:
        raise AlreadyRuled(f"proposal {row.digest[:12]} no longer waits: it is {row.standing}")
    ruling = RulingRow(
        proposal=row.digest, round=row.round, verdict=verdict.value, approver=person.name, reason=reason,
        reason_code=reason_code, via=via, ruled_at=now, amount=amount, role=grant.role,
        on_behalf_of=grant.on_behalf_of, seconded_by=", ".join(votes), authority=authority.reference,
        covered=dict(proposal.covered),
    )  # fmt: skip
    session.add(ruling)
    less = f", {moved(proposal, amount)} of {proposal.money}" if amount is not None else ""
    behalf = f" for {grant.on_behalf_of}" if grant.on_behalf_of else ""
    with_ = f" with {ruling.seconded_by}" if votes else ""
    _tell(session, row, "ruled", f"{verdict.value} by {person.name}{behalf}{with_} via {via}{less}: {reason}", now)
    return as_ruling(ruling)


def _waits(session: Session, row: ProposalRow, authority: Authority, now: datetime) -> None:
    """Refuse whoever comes late, and say who was first."""
    first = session.get(RulingRow, (row.digest, row.round))
    if first:
        raise AlreadyRuled(
            f"{first.approver} ruled first: {first.verdict}, by {first.via}, at {first.ruled_at:%Y-%m-%d %H:%M} UTC"
        )
    if row.standing != "waiting":
        raise AlreadyRuled(f"proposal {row.digest[:12]} no longer waits: it is {row.standing}")
    if authority.has_expired(row.opened_at, now):
        raise AlreadyRuled(f"proposal {row.digest[:12]} has expired: nobody ruled in time, and nothing was done")


def _reason(authority: Authority, verdict: Verdict, code: str, words: str) -> str:
    """The reason in words, with those of its code first."""
    known = authority.reasons(verdict)
    if code and code not in known:
        raise LedgerError(f"there is no reason {code!r} to {verdict}", remedy=f"one of {', '.join(known)}")
    if verdict is Verdict.reject and not words.strip():
        raise LedgerError("a rejection needs a reason", remedy="add --reason")
    return ": ".join(part for part in (known.get(code, ""), words.strip()) if part)[:2000]


def _amount(authority: Authority, proposal: Proposal, amount: int | None) -> int | None:
    """The amount that a person changed; None when it is the one proposed."""
    if amount is None or (proposal.money and amount == proposal.money.amount):
        return None
    if proposal.money is None or proposal.action not in authority.edits:
        raise LedgerError(f"the amount of a {proposal.action} can't be changed", remedy="leave the amount out")
    if not 0 < amount < proposal.money.amount:
        raise LedgerError(f"an amount is above nothing and at most {proposal.money}", remedy="ask for less, or reject")
    return amount


def people_in(session: Session) -> Callable[[str], Person | None]:
    """Finds a person by name, as they are enrolled now."""

    def find(name: str) -> Person | None:
        row = session.get(ApproverRow, name)
        return person_of(row) if row else None

    return find


def _spent(session: Session, since: datetime, asked: Proposal) -> tuple[Spent, ...]:
    """What was approved since a moment where a proposal is: rulings, and votes of those who second them.

    A shop of the tower's file counts by itself: its limits are its own, and so is what was spent of them.
    """
    ruled = select(RulingRow, ProposalRow).join(ProposalRow, col(ProposalRow.digest) == col(RulingRow.proposal))
    voted = select(VoteRow, ProposalRow).join(ProposalRow, col(ProposalRow.digest) == col(VoteRow.proposal))
    found: list[Spent] = []
    for row, of in session.execute(
        ruled.where(col(RulingRow.ruled_at) >= since, col(RulingRow.verdict) == Verdict.approve.value)
    ):
        proposal = Proposal.model_validate(of.body)
        if proposal.named_shop == asked.named_shop:
            money = moved(proposal, row.amount)
            found.append(Spent(row.approver, row.on_behalf_of, proposal.action, money, row.ruled_at))
    for row, of in session.execute(voted.where(col(VoteRow.at) >= since)):
        proposal = Proposal.model_validate(of.body)
        if proposal.named_shop == asked.named_shop:
            found.append(Spent(row.approver, row.on_behalf_of, proposal.action, moved(proposal, row.amount), row.at))
    return tuple(found)


def _votes(session: Session, row: ProposalRow, person: Person, amount: int | None) -> list[str]:
    """Who approved it before, in this round; each once, and all of the same amount."""
    votes = session.scalars(
        select(VoteRow).where(col(VoteRow.proposal) == row.digest, col(VoteRow.round) == row.round)
    ).all()
    for vote in votes:
        if vote.approver == person.name or person.name == vote.on_behalf_of:
            raise NoAuthority(f"{vote.approver} has approved it already", remedy="it takes a different person")
        if vote.amount != amount:
            raise LedgerError(
                f"{vote.approver} approved {'another amount' if vote.amount is None else vote.amount}",
                remedy="approve the same amount, or reject",
            )
    return [vote.approver for vote in votes]


def _vote(
    session: Session,
    row: ProposalRow,
    person: Person,
    grant: Grant,
    amount: int | None,
    reason: str,
    reason_code: str,
    via: str,
    now: datetime,
    before: int,
) -> Vote:
    session.add(
        VoteRow(
            proposal=row.digest, round=row.round, approver=person.name, amount=amount, role=grant.role,
            on_behalf_of=grant.on_behalf_of, reason=reason, reason_code=reason_code, via=via, at=now,
        )
    )  # fmt: skip
    needs = grant.people - before - 1
    people = "another person" if needs == 1 else f"{needs} more people"
    _tell(session, row, "approved in part", f"{person.name} via {via}: {reason}; it takes {people}", now)
    return Vote(proposal=row.digest, approver=person.name, needs=needs, at=now)


def _tell(session: Session, row: ProposalRow, what: str, said: str, now: datetime) -> None:
    for subject in (f"proposal:{row.digest}", f"case:{row.case_id}"):
        session.add(EventRow(subject=subject, what=what, detail=said[:1000], at=now))
