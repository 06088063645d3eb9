"""`tower approve` and `tower reject`: a ruling in the ledger, then a wake-up for the run that waits."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.ledger import open_ledger
from control_tower.ledger.cases import find_proposal
from control_tower.ledger.rulings import rule
from control_tower.nouns import Ruling, Verdict
from control_tower.server import running_server, use
from control_tower.settings import settings
from desk.show import as_json, out, printable


def rule_on(handle: str, verdict: str, approver: str, token: str, reason: str, *, json: bool) -> None:
    """Rule, then wake the run; without a worker the woken run is carried out here."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    row = find_proposal(ledger, handle)
    ruling = rule(
        ledger,
        row.digest,
        Verdict(verdict),
        approver=approver,
        token=token,
        reason=reason,
        via="command",
        now=datetime.now(UTC),
    )
    use(tower)
    outcome = wake(row.digest)
    standing = find_proposal(ledger, row.digest)
    if json:
        as_json(ruling.model_dump(mode="json") | {"standing": standing.standing, "detail": standing.detail, "run": outcome})
        return
    out.print(printable(_said(ruling)), markup=False, highlight=False)
    out.print(printable(f"run: {outcome}; proposal: {standing.standing} {standing.detail}".strip()), markup=False, highlight=False)


def _said(ruling: Ruling) -> str:
    return f"{ruling.approver} ruled {ruling.verdict} on {ruling.proposal[:12]}"
