"""Which Slack user an approver is: enrolled by workspace and user id, for a name or an e-mail can be taken."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from control_tower.authority import Person
from control_tower.errors import LedgerError, NotFound, NotProved
from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import ApproverRow, EventRow, SlackUserRow

_IDS = re.compile(r"(?P<team>T[A-Z0-9]{2,20})/(?P<user>[UW][A-Z0-9]{2,20})")


class SlackUser(NamedTuple):
    """A user of one workspace, for whom Slack vouched over the app's own connection."""

    team: str
    user: str


def read_slack_user(text: str) -> SlackUser:
    """TEAM/USER, as Slack shows both ids.

    Raises:
        LedgerError: it is not of that form.
    """
    match = _IDS.fullmatch(text.strip())
    if match is None:
        raise LedgerError(
            f"{text!r} is no Slack user",
            remedy="give TEAM/USER, as in T0123ABCD/U0456EFGH: the profile's menu copies the member id",
        )
    return SlackUser(match["team"], match["user"])


def enrol_slack_user(ledger: Ledger, name: str, who: SlackUser, now: datetime) -> None:
    """Let an enrolled approver rule in Slack as this user, and as nobody else there.

    Raises:
        NotFound: no approver has this name.
        LedgerError: the Slack user is somebody else already.
    """
    with ledger.write() as session:
        if session.get(ApproverRow, name) is None:
            raise NotFound(f"no approver is called {name}", remedy="`tower approver add NAME` enrols")
        taken = session.get(SlackUserRow, who)
        if taken and taken.approver != name:
            raise LedgerError(f"this Slack user is {taken.approver}", remedy="one person is one approver")
        for row in session.query(SlackUserRow).filter_by(approver=name):
            session.delete(row)
        session.flush()
        session.add(SlackUserRow(team=who.team, user=who.user, approver=name))
        session.add(EventRow(subject=f"approver:{name}", what="slack", detail=f"{who.team}/{who.user}", at=now))


def prove_slack_user(ledger: Ledger, who: SlackUser) -> Person:
    """The enrolled person who a Slack user is.

    Raises:
        NotProved: nobody is enrolled with it, or who is has been revoked.
    """
    with ledger.read() as session:
        row = approver_of(session, who)
        return Person(row.name, tuple(row.roles), tuple(row.customers), tuple(row.shops))


def approver_of(session: Session, who: SlackUser) -> ApproverRow:
    """The approver who is enrolled with a Slack user.

    Raises:
        NotProved: nobody is, or who is has been revoked.
    """
    found = session.get(SlackUserRow, who)
    row = session.get(ApproverRow, found.approver) if found else None
    if row is None or row.revoked_at:
        raise NotProved(
            "no approver is enrolled with your Slack user",
            remedy=f"`tower approver slack NAME {who.team}/{who.user}` enrols you",
        )
    return row
