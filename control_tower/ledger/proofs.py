"""How a person proves who they are: a token, a one-time code, or a user for whom Slack vouches."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from control_tower.errors import NotProved
from control_tower.ledger.database import Ledger, changed
from control_tower.ledger.sealed import unseal
from control_tower.ledger.slack_users import SlackUser, approver_of
from control_tower.ledger.tables import ApproverRow, EventRow, RulingRow

STEP = 30  # seconds that a code holds (RFC 6238)
SLACK_STEPS = 1  # codes before and after the present one that count, for clocks that differ
WRONG_CODES = 5
REST = timedelta(minutes=15)
DRIFT = timedelta(minutes=5)
"""Clocks of one fleet differ by less; a clock further behind the book has been set back."""


@dataclass(frozen=True)
class Token:
    """A name and the personal token that proves it."""

    approver: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Code:
    """A name and the one-time code that proves it, once."""

    approver: str
    code: str = field(repr=False)


Proof = Token | Code | SlackUser


def hash_of(token: str) -> str:
    """What is kept of a token. It is 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()


def proved(session: Session, by: Proof, now: datetime) -> ApproverRow:
    """The enrolled person whom a proof proves; a one-time code is used up by it, in this transaction.

    Raises:
        NotProved: unknown, wrong, used, expired, revoked; the message is the same for each.
    """
    _not_set_back(session, now)
    if isinstance(by, SlackUser):
        return approver_of(session, by)
    row = session.get(ApproverRow, by.approver.strip())
    right = _right_token(row, by.token, now) if isinstance(by, Token) else _right_code(session, row, by.code, now)
    if row is None or row.revoked_at or not right:
        raise NotProved(
            "the name and proof do not prove an enrolled approver",
            remedy="`tower approver add NAME` enrols; a token is read from TOWER_TOKEN, a code is good once",
        )
    return row


def _not_set_back(session: Session, now: datetime) -> None:
    """A clock that was set back would revive what has expired, and yesterday's limits."""
    newest = session.scalar(select(func.max(col(RulingRow.ruled_at))))
    if newest and now < newest - DRIFT:
        raise NotProved(
            f"this machine's clock is behind the book: a ruling was made at {newest:%Y-%m-%d %H:%M} UTC",
            remedy="set the clock right",
        )


def _right_token(row: ApproverRow | None, token: str, now: datetime) -> bool:
    expected = row.token_hash if row else hash_of(secrets.token_urlsafe(8))
    same = hmac.compare_digest(expected, hash_of(token.strip()))
    return bool(row and same and now < row.token_expires_at)


def _right_code(session: Session, row: ApproverRow | None, code: str, now: datetime) -> bool:
    if row is None or not row.code_secret or (row.locked_until and now < row.locked_until):
        return False
    clock = pyotp.TOTP(unseal(row.code_secret))
    present = int(now.timestamp()) // STEP
    counts = range(present - SLACK_STEPS, present + SLACK_STEPS + 1)
    typed = "".join(code.split())
    found = [count for count in counts if hmac.compare_digest(clock.generate_otp(count), typed)]
    if not found:
        return False
    # Conditional, so that of two transactions with one code only one goes on.
    used = session.execute(
        update(ApproverRow)
        .where(col(ApproverRow.name) == row.name, col(ApproverRow.code_count) < found[-1])
        .values(code_count=found[-1], wrong_codes=0)
    )
    return changed(used) == 1


def use_up(ledger: Ledger, by: Proof, now: datetime) -> None:
    """Let a right code be used by what it proved, even where that was refused for another reason."""
    if isinstance(by, Code):
        with suppress(NotProved), ledger.write() as session:
            proved(session, by, now)


def wrong(ledger: Ledger, by: Proof, now: datetime) -> None:
    """Write down that a proof was refused; after some wrong codes the name rests."""
    name = "" if isinstance(by, SlackUser) else by.approver.strip()[:100]
    with ledger.write() as session:
        row = session.get(ApproverRow, name) if name else None
        if row and isinstance(by, Code):
            row.wrong_codes += 1
            if row.wrong_codes >= WRONG_CODES:
                row.wrong_codes, row.locked_until = 0, now + REST
        kind = type(by).__name__.lower()
        session.add(EventRow(subject=f"approver:{row.name if row else '?'}", what="not proved", detail=kind, at=now))
