"""What becomes of a proposal while it waits: asked again, reminded of, escalated, expired, withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.authority import must_answer_for
from control_tower.errors import LedgerError, NotProved
from control_tower.ledger.approvers import person_of
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.proofs import Proof, proved, wrong
from control_tower.ledger.rulings import proposal_row
from control_tower.ledger.tables import CaseRow, EventRow, ProposalRow, RulingRow
from control_tower.nouns import OF_SHOP, Proposal

BATCH = 1000


def open_again(session: Session, row: ProposalRow, why: str, now: datetime) -> None:
    """A proposal waits again, in its next round: what was ruled in the last stays in the book and covers nothing."""
    row.round, row.standing, row.detail, row.opened_at = row.round + 1, "waiting", "", now
    row.reminded, row.escalated_to = 0, ""
    _note(session, row, "opened afresh", why, now)


def ask_again(ledger: Ledger, digest: str, why: str, now: datetime) -> None:
    """Void the ruling on a proposal that still holds, and let it wait for another; once for one ruling."""
    with ledger.write() as session:
        row = session.get_one(ProposalRow, digest)
        if session.get(RulingRow, (digest, row.round)):
            open_again(session, row, why, now)


def reopen(ledger: Ledger, handle: str, by: Proof, why: str, now: datetime) -> str:
    """Let a proposal that expired wait once more; nothing is approved by it. Returns its digest.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: they decide in other shops only.
        NotFound: no such proposal.
        LedgerError: it has not expired, or no reason was given.
    """
    try:
        with ledger.write() as session:
            person, row = proved(session, by, now), proposal_row(session, handle, lock=True)
            must_answer_for(person_of(person), Proposal.model_validate(row.body).shop)
            if not why.strip():
                raise LedgerError("it takes a reason to ask again")
            if row.standing != "expired":
                raise LedgerError(
                    f"{row.digest[:12]} is {row.standing}", remedy="only what has expired is opened again"
                )
            open_again(session, row, f"by {person.name}: {why}", now)
            row.flow_run_id = None
            return row.digest
    except NotProved:
        wrong(ledger, by, now)
        raise


def withdraw(session: Session, row: ProposalRow, why: str, now: datetime) -> None:
    """A proposal waits for nobody any more; whoever was told of its case is told so."""
    row.standing, row.detail = "withdrawn", why
    _note(session, row, "withdrawn", why, now)


def withdraw_all(ledger: Ledger, lane: str, shop: str, why: str, now: datetime) -> None:
    """Withdraw every waiting proposal of one lane and shop; what a person asked to undo is none of the lane's."""
    with ledger.write() as session:
        statement = (
            select(ProposalRow)
            .join(CaseRow, col(ProposalRow.case_id) == col(CaseRow.id))
            .where(
                col(CaseRow.lane) == lane,
                col(CaseRow.shop) == shop,
                col(ProposalRow.standing) == "waiting",
                col(ProposalRow.undoes) == "",
            )
        )
        for row in session.scalars(statement).all():
            withdraw(session, row, why, now)


def propose_afresh(ledger: Ledger, before: str, fresh: Proposal, why: str, now: datetime) -> None:
    """Put what is recommended now before people, in place of a proposal that it differs from."""
    with ledger.write() as session:
        row = session.get(ProposalRow, fresh.digest)
        if row is None:
            body = fresh.model_dump(mode="json")
            row = ProposalRow(
                digest=fresh.digest, case_id=fresh.case_id, order_id=fresh.order_id, standing="waiting",
                opened_at=now, body=body,
            )  # fmt: skip
            session.add(row)
            _note(session, row, "opened afresh", f"in place of {before[:12]}: {why}", now)
        elif row.standing in ("void", "withdrawn"):
            open_again(session, row, f"in place of {before[:12]}: {why}", now)


def those_that_wait(ledger: Ledger) -> Iterator[ProposalRow]:
    """Every proposal that waits, in order of its digest, without its body; some at a time."""
    after = ""
    columns = [column for column in ProposalRow.__table__.columns if column.name != "body"]  # type: ignore[attr-defined]
    while True:
        with ledger.read() as session:
            found = session.execute(
                select(*columns)
                .where(col(ProposalRow.standing) == "waiting", col(ProposalRow.digest) > after)
                .order_by(col(ProposalRow.digest))
                .limit(BATCH)
            ).all()
        yield from (ProposalRow(**row._mapping, body={}) for row in found)
        if len(found) < BATCH:
            return
        after = found[-1].digest


def named_shops(ledger: Ledger) -> dict[str, str]:
    """The shop of each proposal that waits and is about a shop of the tower's file, by its digest."""
    source = col(ProposalRow.body)["source"].as_string()
    statement = select(col(ProposalRow.digest), source.label("source")).where(
        col(ProposalRow.standing) == "waiting", source.startswith(OF_SHOP)
    )
    with ledger.read() as session:
        return {row.digest: row.source.removeprefix(OF_SHOP) for row in session.execute(statement)}


def expire(ledger: Ledger, digest: str, now: datetime) -> bool:
    """End a proposal that nobody ruled on in time; nothing is done. False when somebody was faster."""
    said = "nobody ruled in time, and nothing was done"
    return _moved(ledger, digest, now, "expired", said, {"standing": "expired", "detail": said})


def remind(ledger: Ledger, digest: str, number: int, now: datetime) -> bool:
    """Write down one more reminder; False when another sweep was faster."""
    return _moved(ledger, digest, now, "reminded", f"reminder {number}", {"reminded": number}, reminded=number - 1)


def escalate(ledger: Ledger, digest: str, role: str, now: datetime) -> bool:
    """Write down that it is for another role now; False when another sweep was faster."""
    return _moved(ledger, digest, now, "escalated", f"to {role}", {"escalated_to": role}, escalated_to="")


def _moved(
    ledger: Ledger, digest: str, now: datetime, what: str, said: str, values: dict[str, object], **before: object
) -> bool:
    with ledger.write() as session:
        still = [col(getattr(ProposalRow, name)) == value for name, value in before.items()]
        mine = session.execute(
            update(ProposalRow)
            .where(col(ProposalRow.digest) == digest, col(ProposalRow.standing) == "waiting", *still)
            .values(**values)
        )
        if changed(mine) == 1:
            _note(session, session.get_one(ProposalRow, digest), what, said, now)
            return True
    return False


def _note(session: Session, row: ProposalRow, what: str, detail: str, now: datetime) -> None:
    for subject in (f"proposal:{row.digest}", f"case:{row.case_id}"):
        session.add(EventRow(subject=subject, what=what, detail=detail[:1000], at=now))
