"""Wake: what was approved goes on, also where Prefect has lost the run that waited for it."""

from __future__ import annotations

from contextlib import suppress

from control_tower.errors import NotFound
from control_tower.ledger import Ledger
from control_tower.ledger.proposals import approved_and_unsettled, find_proposal, paused_as
from control_tower.pause import Wake, open_pauses, resume
from tasks.ask import request_for


def wake_approved(ledger: Ledger) -> list[str]:
    """Wake the run of every approved proposal that has not come to its end; returns the flow run ids.

    A run that the server does not know, as after the loss of Prefect's database, is opened anew: the ruling is in the
    ledger, and so is whatever was begun. That the server can't be asked is another matter, and raises.

    Raises:
        ServerError: the server does not answer, or refuses.
    """
    return [wake(ledger, digest, run)[1] for digest, run in approved_and_unsettled(ledger).items()]


def wake(ledger: Ledger, digest: str, run: str | None) -> tuple[Wake, str]:
    """Wake the run of one proposal, or the one opened in its place; what came of it, and the flow run id.

    A run that had completed while its proposal is still approved is one of before the ledger was restored: it goes
    through all of it once more.
    """
    with suppress(NotFound):
        if run:
            woken = resume(run)
            if woken is not Wake.completed or find_proposal(ledger, digest).standing != "approved":
                return woken, run
    opened = open_pauses([request_for(ledger, digest)])
    paused_as(ledger, dict(opened))
    return resume(opened[digest]), opened[digest]
