"""The people of a simulated week: who rules on what, how, how soon, and what they get wrong.

Everything that a person does about a proposal follows from the seed and the proposal's digest. They rule through
the command's function, by buttons and forms in Slack, and in Prefect's Resume form with a one-time code.
"""

from __future__ import annotations

import contextlib
import io
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyotp

from control_tower.errors import TowerError
from control_tower.ledger import open_ledger
from control_tower.ledger.approvers import Credentials, enrol
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.ledger.slack_users import SlackUser, enrol_slack_user
from control_tower.nouns import Proposal
from control_tower.settings import settings
from simulated.clock import SimulatedClock
from simulated.limits import IN_SLACK, LARGE

BERLIN = ZoneInfo("Europe/Berlin")
OPEN, CLOSED, AT_WEEKENDS = 9, 18, (10, 14)
TEAM = "T0SHOP"
ROLES = {"ana": "approver", "ben": "approver", "cleo": "lead", "dora": "finance", "eve": "approver"}
SLACK_USERS = {"ben": "UBEN"}
STRANGER = "UMALLORY"
WAYS = ("command", "slack", "form", "at once")
TO_READ = 20.0  # seconds
AT_WORK = ("SCHEDULED", "PENDING", "RUNNING")
LATEST = 8
"""Minutes past the hour, after which nobody begins anything: what happens from the twelfth on is not there yet."""


@dataclass(frozen=True)
class Intent:
    """What will be done about one proposal."""

    verdict: str
    patience: timedelta
    way: str
    twice: bool
    less: Decimal | None
    out_of_turn: bool
    """Somebody without the authority tries first."""


@dataclass
class People:
    """Everybody who rules, and the clicks that they make in the emulated Slack."""

    clock: SimulatedClock
    slack: Any
    seed: int
    given: dict[str, Credentials] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)
    seen: dict[str, datetime] = field(default_factory=dict)

    def enrol(self) -> None:
        """Enrol everybody; a stranger sits in Slack, too, and is nobody's approver."""
        ledger, now = open_ledger(settings().ledger), self.clock.now()
        for name, role in ROLES.items():
            self.given[name] = enrol(ledger, name, now, roles=(role,))
        for name, user in SLACK_USERS.items():
            enrol_slack_user(ledger, name, SlackUser(TEAM, user), now)

    def intent(self, proposal: Proposal) -> Intent:
        """What will be done about a proposal; always the same."""
        chance = random.Random(f"{self.seed} {proposal.digest}")
        amount = proposal.money.amount if proposal.money else 0
        way = "command" if amount > LARGE else chance.choices(WAYS, (4, 4, 2, 1))[0]
        if amount > IN_SLACK and way in ("slack", "at once"):
            way = "form"
        verdict = "reject" if chance.random() < 0.12 else "approve"
        lowered = verdict == "approve" and way == "command" and 1000 < amount <= LARGE and chance.random() < 0.1
        return Intent(
            verdict=verdict,
            patience=timedelta(hours=chance.choices((0.2, 3, 9, 30), (6, 3, 2, 1))[0]),
            way=way,
            twice=chance.random() < 0.2,
            less=Decimal(amount - 500) / 100 if lowered else None,
            out_of_turn=chance.random() < 0.1,
        )

    def at_work(self) -> bool:
        """Office hours in the shop's time zone, and a short shift at weekends."""
        now = self.clock.now().astimezone(BERLIN)
        first, last = (OPEN, CLOSED) if now.weekday() < 5 else AT_WEEKENDS
        return bool(first <= now.hour < last)

    def take_turns(self, most: int, slack_works: bool = True) -> int:
        """Rule on what has waited as long as whoever has it takes; gives how many were ruled on."""
        if not self.at_work():
            return 0
        ledger, now = open_ledger(settings().ledger), self.clock.now()
        waiting = [Proposal.model_validate(row.body) for row in waiting_proposals(ledger) if row.flow_run_id]
        ready = []
        for one in waiting:
            intent = self.intent(one)
            if now - self.seen.setdefault(one.digest, now) >= intent.patience - timedelta(minutes=20):
                ready.append((one, intent))
        ready = [each for each in ready if slack_works or each[1].way in ("command", "form")][:most]
        by_command = [(one, intent) for one, intent in ready if intent.way == "command"]
        self._by_command(by_command)
        for one, intent in ready:
            if intent.way != "command" and self.clock.now().minute < LATEST:
                self._alone(one, intent)
        return len(ready)

    def _alone(self, one: Proposal, intent: Intent) -> None:
        if intent.out_of_turn:
            self._by_stranger(one)
        if intent.way == "form":
            self._by_form(one, intent)
        elif intent.way == "at once":
            rival = threading.Thread(target=self._by_slack, args=(one, intent))
            rival.start()
            self._command([one], "ana", intent.verdict)
            rival.join()
        else:
            self._by_slack(one, intent)

    def _by_command(self, ready: Sequence[tuple[Proposal, Intent]]) -> None:
        """The large ones by two people, smaller amounts one by one, the others in bundles."""
        bundles: dict[str, list[Proposal]] = {"approve": [], "reject": []}
        for one, intent in ready:
            amount = one.money.amount if one.money else 0
            if intent.out_of_turn and amount > LARGE:
                self._command([one], "eve", "approve")
            if amount > LARGE:
                self._command([one], "cleo", intent.verdict)
                if intent.verdict == "approve":
                    self._command([one], "dora", "approve")
            elif intent.less is not None:
                self._command([one], "ana", "approve", less=intent.less)
            else:
                bundles[intent.verdict].append(one)
                if intent.twice:
                    bundles[intent.verdict].append(one)
        for verdict, some in bundles.items():
            for at in range(0, len(some), 10):
                self._command(some[at : at + 10], "ana", verdict)

    def _command(self, some: Sequence[Proposal], name: str, verdict: str, less: Decimal | None = None) -> None:
        """`tower approve` or `tower reject`, as the function behind it."""
        from desk.rule import rule_on, rule_on_many

        token = self.given[name].token
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                if len(some) == 1:
                    amount = str(less) if less is not None else None
                    rule_on(
                        some[0].digest, verdict, name, token, "seen", reason_code="other", amount=amount, json=True
                    )  # fmt: skip
                else:
                    digests = [one.digest for one in some]
                    rule_on_many(digests, verdict, name, token, "seen", reason_code="other", json=True)
                self.did[f"{verdict} by command"] += len(some)
            except TowerError as fault:
                self.did[f"refused by command: {type(fault).__name__}"] += 1

    def _by_form(self, one: Proposal, intent: Intent) -> None:
        """Prefect's Resume form; a code is good once, so the next one waits for the next code, until this was read."""
        from prefect.client.orchestration import get_client

        run = find_proposal(open_ledger(settings().ledger), one.digest).flow_run_id
        self.clock.forward(timedelta(seconds=31))
        step = int(self.clock.now().timestamp()) // 30
        code = pyotp.parse_uri(self.given["cleo"].code_address).generate_otp(step)
        typed = {"approver": "cleo", "code": code, "ruling": intent.verdict, "reason": "seen in the form"}
        with get_client(sync_client=True) as client:
            answered = client.resume_flow_run(UUID(str(run)), run_input=typed)
            self.did[f"{intent.verdict} by form: {answered.status.value.lower()}"] += 1
            if intent.twice:
                again = client.resume_flow_run(UUID(str(run)), run_input=typed)
                self.did[f"form sent twice: {again.status.value.lower()}"] += 1
            _until_read(client, UUID(str(run)))

    def _by_slack(self, one: Proposal, intent: Intent) -> None:
        """A button and a form; some press twice and send twice."""
        user = SLACK_USERS["ben"]
        if not self._shown(one):
            self.did["not shown in Slack yet"] += 1
            return
        self.slack.forms.clear()
        try:
            self.slack.click(user, one.digest, intent.verdict)
            form = self.slack.form_of(user, 6)
        except (AssertionError, OSError) as fault:
            self.did[f"no form in Slack: {type(fault).__name__}"] += 1
            return
        answers = [self._sent(user, form) for _ in range(2 if intent.twice else 1)]
        self.did[f"{intent.verdict} in Slack: {answers[0]}"] += 1
        if intent.twice:
            self.did[f"form sent twice in Slack: {answers[1]}"] += 1

    def _sent(self, user: str, form: dict[str, Any]) -> str:
        try:
            answer = self.slack.submit(user, form, reason="other", words="seen")
        except (AssertionError, OSError):
            return "not connected"
        if answer is None:
            return "taken"
        return "no answer" if answer == "no answer" else "told why not"

    def _by_stranger(self, one: Proposal) -> None:
        """Somebody whom Slack knows and the tower does not."""
        if not self._shown(one):
            return
        with contextlib.suppress(AssertionError, OSError):
            self.slack.click(STRANGER, one.digest, "approve")
            self.did["a stranger's click"] += 1

    def _shown(self, one: Proposal) -> bool:
        return any(one.digest in str(message["blocks"]) for message in list(self.slack.messages))


def _until_read(client: Any, run: UUID) -> None:
    """Wait until the run has looked at what was typed, or for so long that a worker was killed meanwhile."""
    until = time.monotonic() + TO_READ
    while client.read_flow_run(run).state.type in AT_WORK and time.monotonic() < until:
        time.sleep(0.2)
