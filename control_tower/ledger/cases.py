"""Cases and proposals in the book: found again they append and never double; gone, they close."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, insert, or_, select, update
from sqlmodel import col

from control_tower.errors import NotFound
from control_tower.ledger.database import Ledger
from control_tower.ledger.rulings import proposal_row
from control_tower.ledger.tables import BreakerRow, CaseRow, EffectRow, EventRow, ProposalRow, RulingRow
from control_tower.ledger.waiting import open_again, withdraw
from control_tower.nouns import Case, Proposal

BATCH = 500


@dataclass(frozen=True)
class Changes:
    """What one run changed in the book: case ids opened, updated, closed and left as they were."""

    opened: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dossier:
    """All that the book holds on one case."""

    row: CaseRow
    case: Case
    proposals: tuple[ProposalRow, ...] = ()
    rulings: dict[str, RulingRow] = field(default_factory=dict)
    effects: dict[str, EffectRow] = field(default_factory=dict)
    events: tuple[EventRow, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether a proposal of it waits for a person."""
        return any(row.standing == "waiting" for row in self.proposals)


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


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
        for batch in _batches(opened):
            session.execute(insert(CaseRow), [_columns(case) | {"opened_at": now} for case in batch])
        for case in updated:
            columns = _columns(case)
            if known[case.id].standing == "open":
                del columns["due_at"]
            session.execute(update(CaseRow).where(col(CaseRow.id) == case.id).values(columns))
        found = {case.id for case in cases}
        missing = _missing(known, found, seen)
        gone = [id for id in missing if not _undecided(session.get_one(CaseRow, id), undecided)]
        same += [id for id in missing if id not in set(gone)]
        for batch in _batches(gone):
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
        for batch in _batches(events):
            session.execute(insert(EventRow), list(batch))
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
        for batch in _batches(sorted(by_case)):
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
        for batch in _batches(rows):
            session.execute(insert(ProposalRow), list(batch))
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


def dossiers(ledger: Ledger, ids: Sequence[str]) -> list[Dossier]:
    """The dossiers of many cases at once, without their history."""
    found: list[Dossier] = []
    with ledger.read() as session:
        for batch in _batches(ids):
            rows = session.scalars(select(CaseRow).where(col(CaseRow.id).in_(batch))).all()
            proposals = session.scalars(select(ProposalRow).where(col(ProposalRow.case_id).in_(batch))).all()
            digests = [row.digest for row in proposals]
            rulings = {
                row.proposal: row
                for some in _batches(digests)
                for row in session.scalars(
                    select(RulingRow).where(col(RulingRow.proposal).in_(some)).order_by(col(RulingRow.round))
                )
            }
            by_case: dict[str, list[ProposalRow]] = {}
            for row in proposals:
                by_case.setdefault(row.case_id, []).append(row)
            found += [
                Dossier(
                    row=case,
                    case=Case.model_validate(case.body),
                    proposals=tuple(by_case.get(case.id, ())),
                    rulings={p.digest: rulings[p.digest] for p in by_case.get(case.id, ()) if p.digest in rulings},
                )
                for case in rows
            ]
    return found


def find_proposal(ledger: Ledger, handle: str) -> ProposalRow:
    """The proposal that a digest or its first characters name."""
    with ledger.read() as session:
        return proposal_row(session, handle)


def dossier(ledger: Ledger, handle: str) -> Dossier:
    """Everything on the case whose id, or one of whose proposals, begins with `handle`.

    Raises:
        NotFound: none, or more than one.
    """
    handle = handle.strip().lower()
    with ledger.read() as session:
        rows = list(session.scalars(select(CaseRow).where(col(CaseRow.id).startswith(handle)).limit(2)))
        if not rows and len(handle) >= 8:
            rows = [session.get_one(CaseRow, proposal_row(session, handle).case_id)]
        if len(rows) != 1 or not handle:
            raise NotFound(f"{len(rows) or 'no'} cases begin with {handle!r}", remedy="`tower queue` lists them")
        (row,) = rows
        proposals = tuple(session.scalars(select(ProposalRow).where(col(ProposalRow.case_id) == row.id)))
        digests = [p.digest for p in proposals]
        subjects = [f"case:{row.id}"] + [f"{noun}:{d}" for d in digests for noun in ("proposal", "effect")]
        return Dossier(
            row=row,
            case=Case.model_validate(row.body),
            proposals=proposals,
            rulings={
                r.proposal: r
                for r in session.scalars(
                    select(RulingRow).where(col(RulingRow.proposal).in_(digests)).order_by(col(RulingRow.round))
                )
            },
            effects={e.key: e for e in session.scalars(select(EffectRow).where(col(EffectRow.key).in_(digests)))},
            events=tuple(
                session.scalars(select(EventRow).where(col(EventRow.subject).in_(subjects)).order_by(col(EventRow.id)))
            ),
        )
