"""The one way from Slack to a ruling: the clicker's proof, the filled form, and the ledger's own function."""

from __future__ import annotations

from datetime import datetime

from control_tower.authority import Authority, Person
from control_tower.ledger import Ledger
from control_tower.ledger.rulings import rule
from control_tower.ledger.slack_users import SlackUser, prove_slack_user
from control_tower.nouns import Ruling, Vote
from control_tower.slack.form import Filled
from control_tower.slack.interactions import Clicker, Submission


def approver_in_slack(ledger: Ledger, by: Clicker) -> Person:
    """Whoever clicked, as they are enrolled.

    Raises:
        NotProved: nobody is enrolled with this Slack user.
    """
    return prove_slack_user(ledger, SlackUser(by.team, by.user))


def rule_from_slack(
    ledger: Ledger, authority: Authority, given: Submission, filled: Filled, now: datetime
) -> Ruling | Vote:
    """Write the ruling of a person whom Slack vouches for.

    Raises:
        NotProved: nobody is enrolled with this Slack user.
        NoAuthority, AlreadyRuled, NotFound, LedgerError: as the ledger says.
    """
    return rule(
        ledger,
        given.proposal,
        given.verdict,
        by=SlackUser(given.by.team, given.by.user),
        authority=authority,
        reason=filled.words or "",
        reason_code=filled.reason_code or "",
        amount=filled.amount.amount if filled.amount else None,
        via="slack",
        now=now,
    )
