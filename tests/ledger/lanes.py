"""Lanes with a past, written into a book row by row: looks, cases, rulings, effects, and effects taken back."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from control_tower.ledger import Ledger
from control_tower.ledger.looks import record_look
from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow, RulingRow

LANE = "fulfilment"


def looked(ledger: Ledger, at: datetime, breach: str = "", source: str = "shop") -> None:
    record_look(ledger, uuid4().hex, lane=LANE, source=source, shop="", as_of=at, now=at, breach=breach)


def case(ledger: Ledger, opened: datetime, due: datetime, closed: datetime | None = None, lane: str = LANE) -> str:
    """A case in the book; gives its id."""
    row = CaseRow(
        id=uuid4().hex, lane=lane, shop="shop", pivot="order", title="late", standing="closed" if closed else "open",
        material="", severity="sev2", team="warehouse", owner="", priority=1.0, due_at=due, opened_at=opened,
        seen_as_of=opened, closed_at=closed, body={},
    )  # fmt: skip
    with ledger.write() as session:
        session.add(row)
    return row.id


def ruled(
    ledger: Ledger, at: datetime, verdict: str = "approve", amount: int | None = None, undoes: str = "",
    effect: str = "", on: str = "",
) -> str:  # fmt: skip
    """A proposal that a person ruled on, on a case of its own or a given one, and its effect; gives its digest."""
    of, digest = on or case(ledger, at, at + timedelta(days=900)), uuid4().hex
    with ledger.write() as session:
        session.add(
            ProposalRow(
                digest=digest, case_id=of, order_id="1", standing="done", undoes=undoes, opened_at=at, body={}
            )
        )  # fmt: skip
        session.add(
            RulingRow(
                proposal=digest, verdict=verdict, approver="ana", reason="seen", via="command", ruled_at=at,
                amount=amount, covered={},
            )
        )  # fmt: skip
        if effect:
            session.add(
                EffectRow(
                    key=digest, action="hold", order_id="1", state=effect, lane=LANE, intended_at=at, changed_at=at
                )
            )  # fmt: skip
    return digest
