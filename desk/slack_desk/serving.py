"""`tower slack listen`: the desk with its listener and its turns, until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from control_tower.errors import SettingError
from control_tower.ledger import open_ledger
from control_tower.ledger.proposals import find_proposal
from control_tower.server import running_server
from control_tower.settings import Settings, settings
from control_tower.slack.channel import SlackChannel, SlackTrouble
from control_tower.slack.client import app_token, slack_client
from control_tower.slack.inbox import LEASE, Inbox
from control_tower.slack.outbox import Outbox
from desk.slack_desk.following import Following, put_right
from desk.slack_desk.handling import SlackDesk
from desk.slack_desk.listener import Listener
from desk.up import say
from desk.worker import is_worked
from tasks.authority import authority_over, elsewhere

TURN = 30.0

logger = logging.getLogger("control_tower.slack.serving")


def listen() -> None:
    """Listen until Ctrl-C or SIGTERM, and finish what is in hand."""
    stop = threading.Event()
    with _told_to_stop(stop):
        serve(settings(), stop, write=say, wake=wake_run)


def is_desk() -> bool:
    """Whether both of Slack's tokens are set."""
    tower = settings()
    return app_token(tower) is not None and slack_client(tower) is not None


def serve_beside(stop: threading.Event) -> None:
    """Listen beside `tower up`, until it stops."""
    serve(settings(), stop, write=say, wake=wake_run)


def wake_run(digest: str) -> None:
    """Wake the run that waits for a ruling; where no worker is warm, carry it out here."""
    from desk.rule import wake

    tower = settings()
    run = find_proposal(open_ledger(tower.ledger), digest).flow_run_id
    if run is None or not is_worked(tower):
        wake(digest)
        return
    with running_server(tower):
        from tasks.wake import wake as wake_one

        wake_one(open_ledger(tower.ledger), digest, run)


def serve(
    tower: Settings,
    stop: threading.Event,
    *,
    write: Callable[[str], None],
    wake: Callable[[str], object],
    turn: float = TURN,
    lease: timedelta = LEASE,
) -> None:
    """Listen to Slack until told to stop.

    Args:
        wake: wakes the run of a proposal that was ruled on.
        turn: seconds between two looks at what was left behind or ruled on elsewhere; a fault in one is told,
            and ends nothing.
        lease: how long something is one listener's to deal with before another may.

    Raises:
        SettingError: there is no bot token or no app-level token, or one can't be one.
    """
    token, web = app_token(tower), slack_client(tower)
    if token is None or web is None:
        raise SettingError(
            "Slack is no desk without its two tokens",
            where="TOWER_SLACK_TOKEN, TOWER_SLACK_APP_TOKEN",
            remedy="docs/slack.md sets it up in ten minutes",
        )
    ledger = open_ledger(tower.ledger)
    channel = SlackChannel(web, tower.slack_channel)
    following = Following(ledger, channel, Outbox(ledger.engine), lambda one: elsewhere(one, tower), wake)
    inbox = Inbox(ledger.engine, lease=lease)
    desk = SlackDesk(ledger, channel, inbox, lambda one: authority_over(one, tower), following.ruled, following.late)
    with suppress(SlackTrouble):
        channel.team()  # known before the first click, whose form has three seconds
    listener = Listener(desk, web, token, write)
    listening = threading.Thread(target=listener.listen, args=(stop,), name="slack-listens", daemon=True)
    listening.start()
    write(f"listening to Slack for {tower.slack_channel}")
    while True:
        try:
            put_right(desk, following)
        except Exception as fault:
            logger.warning("a turn of the Slack desk failed", exc_info=True)
            write(f"a turn failed, and is tried again: {channel.scrub(f'{type(fault).__name__}: {fault}')}")
        if stop.wait(turn):
            break
    listening.join()
    following.close()


@contextmanager
def _told_to_stop(stop: threading.Event) -> Iterator[None]:
    def begin(_number: int, _frame: object) -> None:
        stop.set()

    before = {sign: signal.signal(sign, begin) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
