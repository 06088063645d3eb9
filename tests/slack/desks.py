"""A desk under test: a real ledger with one case, an emulated Slack, and as many listeners as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_tower.errors import ServerError
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.cases import record_cases
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.slack_users import SlackUser, enrol_slack_user
from control_tower.nouns import Proposal
from control_tower.settings import Settings
from control_tower.slack.channel import SlackChannel
from control_tower.slack.client import slack_client
from control_tower.slack.inbox import Inbox
from control_tower.slack.outbox import Outbox
from control_tower.slack.tables import InboxRow
from desk.slack_desk.following import Following, put_right
from desk.slack_desk.handling import SlackDesk
from desk.slack_desk.listener import Listener
from policies.authority import authority


class Desk:
    """A ledger with one case, a desk in front of it, and as many listeners as a test wants."""

    def __init__(self, ledger_url: str, workspace: Any, tower: Settings, cases: ModuleType) -> None:
        self.slack, self.tower, self.cases = workspace, tower, cases
        self.ledger = Ledger(ledger_url)
        self.tokens: dict[str, str] = {}
        self.authority = authority(tower.authority)
        for name, user in (("ann", "UANN"), ("bob", "UBOB")):
            self.enrol(name, user)
        self.woken: list[str] = []
        self.asleep = False  # nobody can be woken
        self.lines: list[str] = []
        self.lease = timedelta(seconds=60)

    def enrol(self, name: str, user: str) -> None:
        self.tokens[name] = enrol(self.ledger, name, datetime.now(UTC)).token
        enrol_slack_user(self.ledger, name, SlackUser("T0SHOP", user), self.cases.NOW)

    def open(self, *proposals: Proposal) -> None:
        """Open a case that proposes this, and tell Slack."""
        now = datetime.now(UTC)
        case = self.cases.a_case(proposals[0].case_id)
        record_cases(self.ledger, "fulfilment", "main", [case], (), now)
        record_proposals(self.ledger, [case.id], proposals, now)
        self.following().bring_up_to_date([case.id])

    def channel(self) -> SlackChannel:
        web = slack_client(self.tower, timeout=5)
        assert web
        return SlackChannel(web, self.tower.slack_channel)

    def following(self) -> Following:
        return Following(
            self.ledger,
            self.channel(),
            Outbox(self.ledger.engine),
            lambda one: self.authority.elsewhere(one.money),
            self.wake,
        )

    def wake(self, digest: str) -> None:
        if self.asleep:
            raise ServerError("Prefect is down")
        self.woken.append(digest)

    def desk(self, following: Following) -> SlackDesk:
        inbox = Inbox(self.ledger.engine, lease=self.lease)
        return SlackDesk(
            self.ledger,
            self.channel(),
            inbox,
            lambda _: self.authority,
            following.ruled,
            following.late,
        )

    @contextmanager
    def listening(self, wait: bool = True) -> Iterator[Listener]:
        following, web, stop = self.following(), slack_client(self.tower), threading.Event()
        assert web
        assert self.tower.slack_app_token
        listener = Listener(self.desk(following), web, self.tower.slack_app_token.get_secret_value(), self.lines.append)
        thread = threading.Thread(target=listener.listen, args=(stop,), daemon=True)
        before = len(self.slack.connections)
        thread.start()
        try:
            assert not wait or self.slack.until(lambda: len(self.slack.connections) > before)
            yield listener
        finally:
            stop.set()
            thread.join(20)
            following.close()
            assert not thread.is_alive()

    def turn(self) -> None:
        following = self.following()
        put_right(self.desk(following), following)
        following.close()

    def inbox(self) -> list[InboxRow]:
        with Session(self.ledger.engine) as session:
            return list(session.scalars(select(InboxRow)))

    def told(self, user: str) -> str:
        said = self.slack.until(lambda: [one["text"] for one in self.slack.ephemeral if one["user"] == user])
        return str(said[-1])

    def case_text(self) -> str:
        return str(self.slack.messages[-1]["text"])

    def locked(self) -> bool:
        return bool(
            self.eventually(lambda: not any("elements" in block for block in self.slack.messages[-1]["blocks"]))
        )

    @staticmethod
    def eventually(so: Callable[[], Any], seconds: float = 60) -> Any:
        """What it comes to, once it is so or time is up."""
        until = time.monotonic() + seconds
        while not so() and time.monotonic() < until:
            time.sleep(0.02)
        return so()
