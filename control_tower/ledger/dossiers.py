"""Dossiers: all that the book holds on a case, its proposals, rulings, effects and history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlmodel import col

from control_tower.batches import batches
from control_tower.errors import NotFound
from control_tower.ledger.database import Ledger
from control_tower.ledger.rulings import proposal_row
from control_tower.ledger.tables import CaseRow, EffectRow, EventRow, ProposalRow, RulingRow
from control_tower.nouns import Case

BATCH = 500


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


def dossiers(ledger: Ledger, ids: Sequence[str]) -> list[Dossier]:
    """The dossiers of many cases at once, without their history."""
    found: list[Dossier] = []
    with ledger.read() as session:
        for batch in batches(ids, BATCH):
            rows = session.scalars(select(CaseRow).where(col(CaseRow.id).in_(batch))).all()
            proposals = session.scalars(select(ProposalRow).where(col(ProposalRow.case_id).in_(batch))).all()
            digests = [row.digest for row in proposals]
            rulings = {
                row.proposal: row
                for some in batches(digests, BATCH)
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
