"""Cases in the book: found again they append and never double; gone, they close."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlmodel import col

from control_tower.batches import batches
from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import CaseRow, EventRow, ProposalRow
from control_tower.nouns import Case

BATCH = 500


@dataclass(frozen=True)
class Changes:
    """What one run changed in the book: case ids opened, updated, closed and left as they were."""

    opened: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


def newest_view(ledger: Ledger, lane: str, shop: str) -> datetime | None:
    """The latest `as_of` at which this lane has looked at this shop, if it has opened any case."""
    with ledger.read() as session:
        statement = (
            select(col(CaseRow.seen_as_of))
            .where(col(CaseRow.lane) == lane, col(CaseRow.shop) == shop)
            .order_by(col(CaseRow.seen_as_of).desc())
            .limit(1)
        )
        moment: datetime | None = session.scalars(statement).first()
        return moment


def record_cases(
    ledger: Ledger,
    lane: str,
    shop: str,
    cases: Sequence[Case],
    undecided: Container[tuple[str, str]],
    now: datetime,
    seen: Container[str] | None = None,
) -> Changes:
    """Bring the book to what this run found: open, append, close; in one transaction.

    A case keeps the due time it was opened with. An open case of this lane and shop that was not
    found again closes with a reason. A closed case found again opens again under its own id.

    Args:
        seen: the pivots that this run looked at; a case of another stays as it is. All, when None.
    """
    opened: list[Case] = []
    updated: list[Case] = []
    same: list[str] = []
    events: list[dict[str, Any]] = []

    def note(case_id: str, what: str, detail: str) -> None:
        events.append({"subject": f"case:{case_id}", "what": what, "detail": detail, "at": now})

    with ledger.write() as session:
        known = {
            row.id: row
            for row in session.execute(
                select(col(CaseRow.id), col(CaseRow.material), col(CaseRow.standing), col(CaseRow.pivot)).where(
                    col(CaseRow.lane) == lane, col(CaseRow.shop) == shop
                )
            )
        }
        for case in cases:
            before = known.get(case.id)
            what = _compared(before.standing, before.material, case) if before else "opened"
            if not what:
                same.append(case.id)
                continue
            (opened if before is None else updated).append(case)
            note(case.id, what, case.title)
        for some in batches(opened, BATCH):
            session.execute(insert(CaseRow), [_columns(case) | {"opened_at": now} for case in some])
        for case in updated:
            columns = _columns(case)
            if known[case.id].standing == "open":
                del columns["due_at"]
            session.execute(update(CaseRow).where(col(CaseRow.id) == case.id).values(columns))
        found = {case.id for case in cases}
        missing = _missing(known, found, seen)
        gone = [id for id in missing if not _undecided(session.get_one(CaseRow, id), undecided)]
        same += [id for id in missing if id not in set(gone)]
        for batch in batches(gone, BATCH):
            session.execute(
                update(CaseRow)
                .where(col(CaseRow.id).in_(batch))
                .values(standing="closed", closed_at=now, closed_reason="its cause is gone from the evidence")
            )
            session.execute(
                update(ProposalRow)
                .where(
                    col(ProposalRow.case_id).in_(batch),
                    col(ProposalRow.standing) == "waiting",
                    col(ProposalRow.undoes) == "",
                )
                .values(standing="withdrawn", detail="the case closed: its cause is gone from the evidence")
            )
        for case_id in gone:
            note(case_id, "closed", "its cause is gone from the evidence")
        for told in batches(events, BATCH):
            session.execute(insert(EventRow), list(told))
    return Changes(tuple(c.id for c in opened), tuple(c.id for c in updated), tuple(gone), tuple(same))


def _compared(standing: str, material: str, case: Case) -> str:
    """What became of a case that the book knows; empty when nothing did."""
    if standing == "closed":
        return "opened again"
    return "changed" if material != case.material else ""


def _missing(known: Mapping[str, Row[Any]], found: Container[str], seen: Container[str] | None) -> list[str]:
    """The open cases that were looked for and not found."""
    unfound = [row for row in known.values() if row.standing == "open" and row.id not in found]
    return [row.id for row in unfound if seen is None or row.pivot in seen]


def _undecided(row: CaseRow, undecided: Container[tuple[str, str]]) -> bool:
    case = Case.model_validate(row.body)
    return any((subject, kind) in undecided for subject in case.subjects for kind in case.kinds)


def _columns(case: Case) -> dict[str, Any]:
    money = case.risk.money
    return {
        "id": case.id,
        "lane": case.lane,
        "shop": case.shop,
        "pivot": case.pivot,
        "title": case.title[:200],
        "standing": "open",
        "material": case.material,
        "severity": case.risk.severity.value,
        "team": case.team,
        "owner": case.owner,
        "amount": money.amount if money else None,
        "currency": money.currency if money else None,
        "priority": case.risk.priority,
        "due_at": case.risk.due_at,
        "seen_as_of": case.evidence.as_of,
        "closed_at": None,
        "closed_reason": "",
        "body": case.model_dump(mode="json"),
    }


def note(ledger: Ledger, subject: str, what: str, detail: str, now: datetime) -> None:
    """Add a line to the history of a case, a proposal or an effect."""
    with ledger.write() as session:
        session.add(EventRow(subject=subject, what=what, detail=detail[:1000], at=now))


def queue(ledger: Ledger, *, standing: str = "open", limit: int | None = None, shop: str = "") -> list[CaseRow]:
    """Cases by priority, highest first; of one shop, where it is named."""
    with ledger.read() as session:
        statement = (
            select(CaseRow)
            .where(col(CaseRow.standing) == standing)
            .order_by(col(CaseRow.priority).desc(), col(CaseRow.id))
        )
        statement = statement.where(col(CaseRow.shop) == shop) if shop else statement
        return list(session.scalars(statement.limit(limit) if limit else statement))
