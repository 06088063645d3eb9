"""`tower undo`: the counter-action of an effect, asked for; it waits for somebody else."""

from __future__ import annotations

from datetime import UTC, datetime

from control_tower.ledger import open_ledger
from control_tower.ledger.proofs import Token
from control_tower.ledger.undo import propose_undo
from control_tower.server import running_server
from control_tower.settings import settings
from control_tower.stores.protocol import undoing
from desk.show import as_json, out, printable


def ask_to_undo(handle: str, approver: str, token: str, reason: str, *, json: bool) -> None:
    """Write the proposal down, and open the run that waits for a ruling on it."""
    from desk.rule import opened
    from tasks.tell import case_told

    tower = settings()
    ledger = open_ledger(tower.ledger)
    asked = propose_undo(ledger, handle, Token(approver, token), reason, datetime.now(UTC))
    with running_server(tower):
        run = opened(ledger, asked.digest)
    case_told(asked.digest)
    if json:
        as_json({"proposal": asked.digest, "action": asked.action.value, "undoes": asked.undoes, "run": run})
        return
    line = f"{asked.id}: a {asked.action} of {asked.target} waits for somebody else than {approver}; run {run}"
    out.print(printable(line), markup=False, highlight=False)
    out.print(undoing(asked.action), markup=False, highlight=False)
