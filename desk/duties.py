"""What `tower up` does once a minute beside its runs: nothing said or ruled is left lying."""

from __future__ import annotations

from control_tower.ledger import open_ledger
from control_tower.settings import settings
from control_tower.slack.client import open_channel
from control_tower.slack.outbox import Outbox


def wake_ruled() -> None:
    """Wake the run of every approved proposal that has not come to its end.

    Somebody may have been cut off between the ruling and the wake-up, or an effect may be unknown
    until the store is read again.
    """
    from tasks.wake import wake_approved

    wake_approved(open_ledger(settings().ledger))


def deliver_messages() -> None:
    """Bring the channel up to date with the outbox."""
    tower = settings()
    Outbox(open_ledger(tower.ledger).engine).deliver(open_channel(tower))
