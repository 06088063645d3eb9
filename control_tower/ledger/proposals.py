"""Proposals in the book: what each case proposes, which run waits for it, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, insert, or_, select, update
from sqlmodel import col

from control_tower.batches import batches
from control_tower.ledger.database import Ledger
from control_tower.ledger.rulings import proposal_row
from control_tower.ledger.tables import BreakerRow, CaseRow, EventRow, ProposalRow
from control_tower.ledger.waiting import open_again, withdraw
from control_tower.nouns import Proposal

BATCH = 500


def record_proposals(
    ledger: Ledger,
    cases: Iterable[str],
    proposals: Sequence[Proposal],
    now: datetime,
    gone: str = "what it rested on has changed",
) -> tuple[Proposal, ...]:
    """Write down what these cases propose now; returns the proposals that wait for a person.

    A waiting proposal of one of the cases that was not proposed again is withdrawn: what it rested
    on, its amount or its policy has changed, or whatever else `gone` says.
    """
    by_case: dict[str, set[str]] = {case: set() for case in cases}
    for proposal in proposals:
        by_case.setdefault(proposal.case_id, set()).add(proposal.digest)
    waiting: set[str] = set()
    known: set[str] = set()
    with ledger.write() as session:
        for batch in batches(sorted(by_case), BATCH):
            # What a person asked to undo is proposed by no lane, and so is none of its business.
            mine = select(ProposalRow).where(col(ProposalRow.case_id).in_(batch), col(ProposalRow.undoes) == "")
            for row in session.scalars(mine):
                known.add(row.digest)
                if row.digest not in by_case[row.case_id]:
                    if row.standing == "waiting":
                        withdraw(session, row, gone, now)
                elif row.standing == "withdrawn":
                    row.standing, row.detail, row.flow_run_id = "waiting", "", None
                elif row.standing == "void":
                    open_again(session, row, "policy recommends the very same again", now)
                    row.flow_run_id = None
                if row.standing == "waiting":
                    waiting.add(row.digest)
        fresh = {p.digest: p for p in proposals if p.digest not in known}
        rows = [
            {
                "digest": p.digest,
                "case_id": p.case_id,
                "order_id": p.order_id,
                "standing": "waiting",
                "detail": "",
                "undoes": "",
                "opened_at": now,
                "body": p.model_dump(mode="json"),
            }
            for p in fresh.values()
        ]
        for new in batches(rows, BATCH):
            session.execute(insert(ProposalRow), list(new))
    return tuple({p.digest: p for p in proposals if p.digest in waiting or p.digest in fresh}.values())


def paused_as(ledger: Ledger, runs: Mapping[str, str | None]) -> None:
    """Write down which flow run waits for which proposal (digest → flow run id, or None)."""
    with ledger.write() as session:
        for digest, run in runs.items():
            session.execute(update(ProposalRow).where(col(ProposalRow.digest) == digest).values(flow_run_id=run))


def settle_proposal(ledger: Ledger, digest: str, standing: str, detail: str, now: datetime) -> None:
    """Write down how a proposal ended: done, refused, void, by hand."""
    with ledger.write() as session:
        row = session.get_one(ProposalRow, digest)
        row.standing, row.detail = standing, detail[:1000]
        for subject in (f"proposal:{digest}", f"case:{row.case_id}"):
            session.add(EventRow(subject=subject, what=standing, detail=detail[:1000], at=now))


def find_proposal(ledger: Ledger, handle: str) -> ProposalRow:
    """The proposal that a digest or its first characters name."""
    with ledger.read() as session:
        return proposal_row(session, handle)


def waiting_proposals(ledger: Ledger) -> list[ProposalRow]:
    """Proposals that wait for a person, oldest first."""
    with ledger.read() as session:
        return list(
            session.scalars(
                select(ProposalRow)
                .where(col(ProposalRow.standing) == "waiting")
                .order_by(col(ProposalRow.opened_at), col(ProposalRow.digest))
            )
        )


def left_to_people(ledger: Ledger) -> list[ProposalRow]:
    """Proposals of open cases that were approved and are for a person's hands, oldest first."""
    with ledger.read() as session:
        statement = (
            select(ProposalRow)
            .join(CaseRow, col(CaseRow.id) == col(ProposalRow.case_id))
            .where(col(ProposalRow.standing) == "by hand", col(CaseRow.standing) == "open")
            .order_by(col(ProposalRow.opened_at), col(ProposalRow.digest))
        )
        return list(session.scalars(statement))


def unopened(ledger: Ledger, lane: str, shop: str) -> list[tuple[CaseRow, ProposalRow]]:
    """Proposals of one lane and shop that wait and have no paused run yet, most urgent case first."""
    with ledger.read() as session:
        statement = (
            select(CaseRow, ProposalRow)
            .join(ProposalRow, col(ProposalRow.case_id) == col(CaseRow.id))
            .where(
                col(CaseRow.lane) == lane,
                col(CaseRow.shop) == shop,
                col(ProposalRow.standing) == "waiting",
                col(ProposalRow.flow_run_id).is_(None),
            )
            .order_by(col(CaseRow.priority).desc(), col(ProposalRow.digest))
        )
        return [(case, proposal) for case, proposal in session.execute(statement)]


def approved(ledger: Ledger) -> list[str]:
    """The digests of proposals that were approved and have not come to an end."""
    with ledger.read() as session:
        return list(session.scalars(select(col(ProposalRow.digest)).where(col(ProposalRow.standing) == "approved")))


def approved_and_unsettled(ledger: Ledger) -> dict[str, str | None]:
    """Approved proposals that have not come to an end, where hands are not stopped: digest → flow run id, if any."""
    with ledger.read() as session:
        stopped = exists().where(
            col(BreakerRow.closed_at).is_(None),
            col(BreakerRow.lane) == col(CaseRow.lane),
            or_(col(BreakerRow.shop) == "", col(BreakerRow.shop) == col(CaseRow.shop)),
        )
        statement = (
            select(col(ProposalRow.digest), col(ProposalRow.flow_run_id))
            .join(CaseRow, col(CaseRow.id) == col(ProposalRow.case_id))
            .where(col(ProposalRow.standing) == "approved", ~stopped)
        )
        return {row[0]: row[1] for row in session.execute(statement)}


def withdrawn(ledger: Ledger, lane: str, shop: str) -> dict[str, tuple[str, str]]:
    """Proposals that ask nobody any more and whose run still waits: digest → flow run id and why."""
    with ledger.read() as session:
        statement = (
            select(ProposalRow)
            .join(CaseRow, col(ProposalRow.case_id) == col(CaseRow.id))
            .where(
                col(CaseRow.lane) == lane,
                col(CaseRow.shop) == shop,
                col(ProposalRow.standing) == "withdrawn",
                col(ProposalRow.flow_run_id).is_not(None),
            )
        )
        return {row.digest: (str(row.flow_run_id), row.detail) for row in session.scalars(statement)}
