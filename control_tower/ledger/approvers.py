"""Who may rule: enrolled names, each with a personal token that is shown once and kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from control_tower.errors import LedgerError, NotFound, NotProved
from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import ApproverRow, EventRow


def _hash(token: str) -> str:
    # The token is 256 random bits, so a plain hash is as good as a slow one.
    return hashlib.sha256(token.encode()).hexdigest()


def enrol(ledger: Ledger, name: str, now: datetime) -> str:
    """Enrol a person and return the token, which is never shown again.

    Raises:
        LedgerError: the name is empty or already enrolled.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise LedgerError("an approver needs a printable name of at most 100 characters")
    token = f"tower_{secrets.token_urlsafe(32)}"
    with ledger.write() as session:
        if session.get(ApproverRow, name):
            raise LedgerError(f"{name} is already enrolled", remedy="revoke first, or choose another name")
        session.add(ApproverRow(name=name, token_hash=_hash(token), enrolled_at=now))
        session.add(EventRow(subject=f"approver:{name}", what="enrolled", detail="", at=now))
    return token


def revoke(ledger: Ledger, name: str, now: datetime) -> None:
    """End a person's authority; rulings already made stay in the book, and cover nothing from now on."""
    with ledger.write() as session:
        row = session.get(ApproverRow, name)
        if row is None:
            raise NotFound(f"no approver is called {name}")
        row.revoked_at = row.revoked_at or now
        session.add(EventRow(subject=f"approver:{name}", what="revoked", detail="", at=now))


def prove(ledger: Ledger, name: str, token: str) -> str:
    """The enrolled name, if the token proves it.

    Raises:
        NotProved: unknown name, wrong token or revoked; the message is the same for each.
    """
    with ledger.read() as session:
        row = session.get(ApproverRow, name.strip())
    expected = row.token_hash if row else _hash(secrets.token_urlsafe(8))
    if not hmac.compare_digest(expected, _hash(token.strip())) or row is None or row.revoked_at:
        raise NotProved(
            "the name and token do not prove an enrolled approver",
            remedy="enrol with `tower approver add NAME`, then set TOWER_TOKEN",
        )
    return row.name
