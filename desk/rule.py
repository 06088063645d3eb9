"""`tower approve` and `tower reject`: a ruling in the ledger, then a wake-up for the run that waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import find_proposal, paused_as
from control_tower.ledger.rulings import rule
from control_tower.nouns import Ruling, Verdict
from control_tower.server import running_server
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
    outcome = wake(row.digest)
    standing = find_proposal(ledger, row.digest)
    if json:
        as_json(
            ruling.model_dump(mode="json") | {"standing": standing.standing, "detail": standing.detail, "run": outcome}
        )
        return
    out.print(printable(_said(ruling)), markup=False, highlight=False)
    out.print(
        printable(f"run: {outcome}; proposal: {standing.standing} {standing.detail}".strip()),
        markup=False,
        highlight=False,
    )


def wake(digest: str) -> str:
    """Wake the run that waits for a ruling, and wait for what comes of it.

    A worker of this tower carries it out; where there is none, this process does.
    """
    tower = settings()
    ledger = open_ledger(tower.ledger)
    with running_server(tower):
        from control_tower.pause import open_pauses, resume
        from desk.deploy import deploy
        from desk.worker import is_worked, work
        from tasks.ask import request_for

        deployed = deploy(tower)
        run = find_proposal(ledger, digest).flow_run_id
        if run is None:  # ruled on before its run was opened
            run = open_pauses([request_for(ledger, digest)])[digest]
            paused_as(ledger, {digest: run})
        woken = resume(run)
        if is_worked(tower):
            _until_settled(ledger, digest)
        else:
            work(
                {each.id: each.flow for each in deployed if each.id and each.flow.name == "resolve-case"},
                tower,
                once=True,
            )
    return f"{woken} {run}"


def _until_settled(ledger: Ledger, digest: str) -> None:
    """Wait, a little, for the worker; it goes on without us."""
    for _ in range(100):
        if find_proposal(ledger, digest).standing not in ("approved", "waiting"):
            return
        time.sleep(0.2)


def _said(ruling: Ruling) -> str:
    return f"{ruling.approver} ruled {ruling.verdict} on {ruling.proposal[:12]}"
