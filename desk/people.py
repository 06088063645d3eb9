"""`tower approver`: who may rule."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlmodel import col

from control_tower.ledger import open_ledger
from control_tower.ledger.approvers import enrol, revoke
from control_tower.ledger.tables import ApproverRow
from control_tower.settings import settings
from desk.show import as_json, out, table


def add(name: str, *, json: bool) -> None:
    """Enrol and show the token, this once."""
    token = enrol(open_ledger(settings().ledger), name, datetime.now(UTC))
    if json:
        as_json({"name": name.strip(), "token": token})
        return
    out.print(f"{name.strip()} may rule now. The token, shown this once:", markup=False)
    out.print(token, markup=False, highlight=False, soft_wrap=True)
    out.print("export TOWER_APPROVER and TOWER_TOKEN, or type it when asked")


def show(*, json: bool) -> None:
    """List the enrolled, revoked ones included."""
    with open_ledger(settings().ledger).read() as session:
        rows = list(session.scalars(select(ApproverRow).order_by(col(ApproverRow.name))))
    if json:
        as_json([row.model_dump(exclude={"token_hash"}) for row in rows])
        return
    table(
        "Approvers",
        ("name", "enrolled", "revoked"),
        [(r.name, r.enrolled_at, r.revoked_at or "-") for r in rows],
    )


def end(name: str) -> None:
    """Revoke."""
    revoke(open_ledger(settings().ledger), name, datetime.now(UTC))
    out.print(f"{name} rules no more; approvals of theirs that have not acted will not", markup=False)
