"""What is done about a press of a button, and about a form that was sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from control_tower.authority import must_answer_for
from control_tower.errors import AlreadyRuled, LedgerError, NotFound, NotProved, TowerError
from control_tower.ledger import Ledger
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Case, Proposal, Verdict, Vote
from control_tower.slack.channel import SlackChannel, SlackTrouble
from control_tower.slack.clicker import prove_member
from control_tower.slack.form import Objections, read_form, ruling_form, told_in_form
from control_tower.slack.inbox import Held, Inbox
from control_tower.slack.interactions import WORDS, About, Click, Submission
from desk.slack_desk.ruling import approver_in_slack, rule_from_slack
from policies.authority import WrittenAuthority

OLD = timedelta(hours=1)
"""A form that is dealt with later than this is not counted: its sender saw an error, and has gone on."""

_TOO_LATE = ("expired_trigger_id", "trigger_expired", "invalid_trigger_id")

Answer = dict[str, Any] | None


@dataclass(frozen=True)
class SlackDesk:
    """One desk: whom it hears, where it writes, and what follows a ruling.

    Args:
        authority: reads the written authority in force over a proposal.
        ruled: called with the proposal's digest after each ruling: locks the message, wakes the run.
        late: called with it when somebody came too late: locks the message.
    """

    ledger: Ledger
    channel: SlackChannel
    inbox: Inbox
    authority: Callable[[Proposal], WrittenAuthority]
    ruled: Callable[[str], None]
    late: Callable[[str], None]
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def click(self, held: Held, click: Click, trigger_id: str | None) -> None:
        """Show the form, or tell the clicker alone why not.

        Args:
            trigger_id: Slack's leave to show a form, good for three seconds; None when it is gone.
        """
        if not held.mine:
            return
        try:
            prove_member(self.channel, click.by)
            person = approver_in_slack(self.ledger, click.by)
            case, proposal = self._asked(click.proposal)
            must_answer_for(person, proposal.shop)  # whoever is of another shop is not shown the evidence either
            about = About.model_validate(click.model_dump(include=set(About.model_fields)))
            form = ruling_form(about, case, proposal, self.authority(proposal).reasons(click.verdict))
            if trigger_id is None:
                raise SlackTrouble("nobody was at the desk when you clicked", "later")
            self.channel.open_form(trigger_id, form)
        except SlackTrouble as trouble:
            why = "the desk was too slow to answer" if trouble.what in _TOO_LATE else trouble.what
            self._refuse(click, f"{why}. Please click again.")
        except TowerError as refusal:
            self._refuse(click, str(refusal))
            if isinstance(refusal, AlreadyRuled):
                self.late(click.proposal)  # whose message was not locked yet
        else:
            self.inbox.done(click.key, "the form was shown")

    def submit(self, held: Held, given: Submission) -> Answer:
        """Rule, and say what the form is answered with; None closes it.

        The ruling is in the ledger before this returns. Nothing here waits for Prefect.
        """
        if held.done:
            return held.answer
        if not held.mine:
            return _instead("Received", ["Somebody at the desk has it in hand; the message will tell."])
        answer, outcome = self._ruled(held, given)
        self.inbox.done(given.key, outcome, answer)
        return answer

    def finish(self, held: Held) -> None:
        """Deal with what a listener that died left behind, and tell whoever did it."""
        what = held.what
        if isinstance(what, Click):
            self.click(held, what, None)
            return
        self.tell(what, self.submit(held, what))

    def tell(self, given: Submission, answer: Answer) -> None:
        """Tell what the form could not be answered with any more; a ruling is told by the message itself."""
        if answer:
            self._tell(given, " ".join(_words(answer)))

    def _ruled(self, held: Held, given: Submission) -> tuple[Answer, str]:
        try:
            if self.now() - held.received_at > OLD:
                raise LedgerError("it was sent too long ago to count", remedy="click again")
            prove_member(self.channel, given.by)
            _, proposal = self._asked(given.proposal)
            filled = read_form(given, proposal, self.authority(proposal).reasons(given.verdict))
            ruling = rule_from_slack(self.ledger, self.authority(proposal), given, filled, self.now())
        except Objections as wrong:
            return {"response_action": "errors", "errors": wrong.by_block}, f"sent back: {wrong}"
        except SlackTrouble as trouble:
            busy = f"Nothing was ruled: {trouble.what}. Please send it again."
            return {"response_action": "errors", "errors": {WORDS: busy[:250]}}, f"sent back: {trouble.what}"
        except TowerError as refusal:
            if isinstance(refusal, AlreadyRuled):
                self.late(given.proposal)
            return _instead("Nothing was ruled", _said(refusal)), f"refused: {refusal}"
        self.ruled(given.proposal)
        if isinstance(ruling, Vote):
            more = [f"It takes {ruling.needs} more before anything is done."]
            return _instead("Your approval is in the book", more), f"approved in part by {ruling.approver}"
        return None, f"{ruling.verdict} by {ruling.approver}"

    def _asked(self, digest: str) -> tuple[Case, Proposal]:
        """The case and the proposal, if it waits for a person and may be ruled on here."""
        row = find_proposal(self.ledger, digest)
        if row.digest != digest:
            raise NotFound("no proposal has this digest")
        held = dossier(self.ledger, digest)
        ruling = held.rulings.get(digest)
        if ruling:
            raise AlreadyRuled(
                f"{ruling.approver} ruled first: {ruling.verdict}, by {ruling.via},"
                f" at {ruling.ruled_at:%Y-%m-%d %H:%M} UTC"
            )
        if row.standing != "waiting":
            raise AlreadyRuled(f"it waits for nobody any more: it is {row.standing} {row.detail}".strip())
        proposal = Proposal.model_validate(row.body)
        if elsewhere := self.authority(proposal).elsewhere(proposal.money):
            raise LedgerError(elsewhere, remedy=f"tower {Verdict.approve} {proposal.id}")
        return held.case, proposal

    def _refuse(self, click: Click, why: str) -> None:
        told = self._tell(click, f"Nothing was ruled: {why}")
        self.inbox.done(click.key, f"refused{told}: {why}")

    def _tell(self, what: Click | Submission, text: str) -> str:
        """Tell the clicker alone; nothing rests on it, and whoever is not in the channel can't be told."""
        try:
            self.channel.tell_one(what.channel, what.by.user, text, what.thread)
        except SlackTrouble as trouble:
            return f" and could not be told ({trouble.what})"
        return ""


def _instead(title: str, told: list[str]) -> Answer:
    return {"response_action": "update", "view": told_in_form(title, told)}


def _said(refusal: TowerError) -> list[str]:
    who = "This desk does not know you as an approver." if isinstance(refusal, NotProved) else ""
    return [line for line in (who, refusal.what, refusal.remedy) if line]


def _words(answer: dict[str, Any]) -> list[str]:
    if answer["response_action"] == "errors":
        return ["Nothing was ruled:", *answer["errors"].values()]
    return [block["text"]["text"] for block in answer["view"]["blocks"]]
