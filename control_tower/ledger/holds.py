"""Legal holds in the book: what was kept about a case stays, whatever the policy of retention says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import Authority, Person, must_answer_for
from control_tower.errors import LedgerError, NotFound, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.tables import CaseRow, EventRow, HoldRow, LookRow, ProposalRow


def place_hold(ledger: Ledger, case_id: str, by: Proof, authority: Authority, why: str, now: datetime) -> None:
    """Hold what was kept about a case; a case that is held already stays held for both reasons.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        LedgerError: no reason was given.
    """
    with by_a_keeper(ledger, by, authority, why, now) as (session, person):
        _must_answer_for(session, person, case_id)
        session.add(HoldRow(case_id=case_id, why=why[:1000], placed_by=person.name, placed_at=now))
        _note(session, case_id, "held", f"{person.name}: {why}", now)


def release_hold(ledger: Ledger, case_id: str, by: Proof, authority: Authority, why: str, now: datetime) -> None:
    """Release every hold of a case.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        NotFound: it is not held.
        LedgerError: no reason was given.
    """
    with by_a_keeper(ledger, by, authority, why, now) as (session, person):
        _must_answer_for(session, person, case_id)
        rows = session.scalars(_standing().where(col(HoldRow.case_id) == case_id)).all()
        if not rows:
            raise NotFound(f"case {case_id} is not held", remedy="`tower kept holds`")
        for row in rows:
            row.released_at, row.released_by, row.released_why = now, person.name, why[:1000]
        _note(session, case_id, "released", f"{person.name}: {why}", now)


def standing_holds(ledger: Ledger) -> list[HoldRow]:
    """Every hold that was not released, oldest first."""
    with ledger.read() as session:
        return list(session.scalars(_standing()))


def held_runs(ledger: Ledger) -> set[str]:
    """The runs that holds cover: the case's own, and every look of its lane from the one that found it to its end.

    That is more than the case alone: to know better, every file of every look would have to be opened.
    """
    found: set[str] = set()
    with ledger.read() as session:
        for case_id in {row.case_id for row in session.scalars(_standing())}:
            proposals = session.scalars(select(ProposalRow).where(col(ProposalRow.case_id) == case_id))
            found |= {row.flow_run_id for row in proposals if row.flow_run_id}
            if case := session.get(CaseRow, case_id):
                found |= _looks_at(session, case)
    return found


def _looks_at(session: Session, case: CaseRow) -> set[str]:
    of_its_lane = select(LookRow).where(col(LookRow.lane) == case.lane, col(LookRow.shop) == case.shop)
    looks = session.scalars(of_its_lane.order_by(col(LookRow.at))).all()
    finding = max((look.at for look in looks if look.at <= case.opened_at), default=case.opened_at)
    return {look.run for look in looks if finding <= look.at <= (case.closed_at or look.at)}


def _standing() -> Select[tuple[HoldRow]]:
    return select(HoldRow).where(col(HoldRow.released_at).is_(None)).order_by(col(HoldRow.id))


@contextmanager
def by_a_keeper(
    ledger: Ledger, by: Proof, authority: Authority, why: str, now: datetime
) -> Iterator[tuple[Session, Person]]:
    """A transaction of somebody who may hold, release and erase, and says why."""
    if not why.strip():
        raise LedgerError("it takes a reason", remedy="add --reason")
    try:
        with ledger.write() as session:
            person = person_of(proved(session, by, now))
            authority.may_keep(person, now)
            yield session, person
    except NotProved:
        wrong(ledger, by, now)
        raise


def _must_answer_for(session: Session, person: Person, case_id: str) -> None:
    case = session.get(CaseRow, case_id)
    must_answer_for(person, case.shop if case else "")


def _note(session: Session, case_id: str, what: str, detail: str, now: datetime) -> None:
    session.add(EventRow(subject=f"case:{case_id}", what=what, detail=detail[:1000], at=now))
