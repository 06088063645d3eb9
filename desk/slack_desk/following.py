"""What follows a ruling, and what is put right again and again: messages locked, runs woken, nothing left lying."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger
from control_tower.ledger.dossiers import dossiers
from control_tower.ledger.proposals import approved, find_proposal
from control_tower.nouns import Proposal
from control_tower.settings import settings
from control_tower.slack.channel import SlackChannel
from control_tower.slack.kept_messages import keep_messages
from control_tower.slack.outbox import Outbox
from control_tower.slack.untold import overtaken
from desk.slack_desk.handling import SlackDesk
from tasks.tell import of_case

MOST = 500  # messages brought up to date in one turn

Item = TypeVar("Item")

logger = logging.getLogger("control_tower.slack.following")


class Following:
    """Follows rulings on hands of its own, so that no answer to Slack waits for it.

    What it does not get to, because the process dies, the next turn of `put_right` does.

    Args:
        elsewhere: why a proposal is not ruled on in Slack; nothing where it is.
        wake: wakes the run of a proposal that was ruled on.
    """

    def __init__(
        self,
        ledger: Ledger,
        channel: SlackChannel,
        outbox: Outbox,
        elsewhere: Callable[[Proposal], str],
        wake: Callable[[str], object],
    ) -> None:
        self.ledger, self.channel, self.outbox, self.elsewhere, self.wake = ledger, channel, outbox, elsewhere, wake
        self._woken: set[str] = set()
        self._telling = ThreadPoolExecutor(1, "slack-tells")
        self._waking = ThreadPoolExecutor(1, "slack-wakes")

    def ruled(self, digest: str) -> None:
        """Lock the message and wake the run, soon."""
        self.late(digest)
        self._wake_soon(digest)

    def late(self, digest: str) -> None:
        """Lock the message, soon: somebody came to a proposal that waits no more."""
        self._telling.submit(_told_when_it_fails, self.lock, digest)

    def wake_left(self) -> None:
        """Wake what was approved and has come to no end, unless this process has woken it."""
        for digest in approved(self.ledger):
            if digest not in self._woken:
                self._wake_soon(digest)

    def _wake_soon(self, digest: str) -> None:
        self._woken.add(digest)
        self._waking.submit(_told_when_it_fails, self._wake, digest)

    def _wake(self, digest: str) -> None:
        try:
            self.wake(digest)
        except BaseException:
            self._woken.discard(digest)  # so that the next turn tries again
            raise

    def lock(self, digest: str) -> None:
        """Bring the message of a proposal's case up to date: the buttons go, who ruled stays."""
        # It is not kept waiting by what else is on its way.
        self.outbox.deliver(self.channel, only=self._put([find_proposal(self.ledger, digest).case_id]))

    def bring_up_to_date(self, cases: Sequence[str]) -> None:
        """Say of these cases what is so, and deliver all that waits."""
        self._put(cases)
        self.outbox.deliver(self.channel)

    def _put(self, cases: Sequence[str]) -> list[str]:
        messages = [of_case(held, "UTC", self.elsewhere) for held in dossiers(self.ledger, cases)]
        if messages:
            keep_messages(open_archive(settings().artifacts), self.ledger, messages, datetime.now(UTC))
            self.outbox.put(messages)
        return [message.key for message in messages]

    def close(self) -> None:
        """Finish what was begun."""
        self._telling.shutdown()
        self._waking.shutdown()


def put_right(desk: SlackDesk, following: Following) -> None:
    """Deal with what listeners that died left behind, and lock the messages of what was ruled on elsewhere."""
    for key in desk.inbox.left_behind():
        if held := desk.inbox.take(key):
            _told_when_it_fails(desk.finish, held)
    following.bring_up_to_date(overtaken(desk.ledger, desk.now())[:MOST])
    following.wake_left()
    desk.inbox.forget()


def _told_when_it_fails(act: Callable[[Item], object], about: Item) -> None:
    try:
        act(about)
    except Exception:  # one of the next turns tries again, and the others do not wait for it
        logger.warning("%s failed", getattr(act, "__name__", "a duty"), exc_info=True)
