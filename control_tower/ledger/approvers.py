"""Who may rule: enrolled people, their roles, and what they prove themselves with."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyotp
from sqlalchemy import select
from sqlmodel import col

from control_tower.authority import ALL_SHOPS, Person
from control_tower.errors import LedgerError, NotFound
from control_tower.ledger.database import Ledger
from control_tower.ledger.proofs import hash_of
from control_tower.ledger.sealed import seal
from control_tower.ledger.tables import ApproverRow, EventRow

TOKEN_HOLDS = timedelta(days=180)
ISSUER = "Control Tower"
ROLE = "approver"


@dataclass(frozen=True)
class Credentials:
    """What a person is given once: a token, and the address that their one-time codes are set up from."""

    token: str = field(repr=False)
    code_address: str = field(repr=False)
    expires_at: datetime


def person_of(row: ApproverRow) -> Person:
    """The person of a row; without roles once revoked."""
    return Person(row.name, () if row.revoked_at else tuple(row.roles), tuple(row.customers), tuple(row.shops))


def enrol(
    ledger: Ledger,
    name: str,
    now: datetime,
    *,
    email: str = "",
    roles: tuple[str, ...] = (ROLE,),
    customers: tuple[str, ...] = (),
    shops: tuple[str, ...] = (ALL_SHOPS,),
) -> Credentials:
    """Enrol a person; the token and the secret are never shown again.

    Args:
        roles: as `policies/authority.yaml` names them.
        customers: the ids under which they buy here themselves: no ruling of theirs covers such an order.
        shops: the ids of the shops that they rule for.

    Raises:
        LedgerError: the name is empty or enrolled already, or there is no role or no shop.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise LedgerError("an approver needs a printable name of at most 100 characters")
    if not roles:
        raise LedgerError(f"{name} has no role", remedy="give --role")
    if not shops:
        raise LedgerError(f"{name} would rule for no shop", remedy="give --shop")
    given, fresh = _fresh(name, now)
    with ledger.write() as session:
        if session.get(ApproverRow, name):
            raise LedgerError(f"{name} is already enrolled", remedy="`tower approver rotate` gives a new token")
        session.add(
            ApproverRow(
                name=name,
                email=email.strip(),
                roles=list(roles),
                customers=list(customers),
                shops=list(shops),
                enrolled_at=now,
                **fresh,
            )
        )
        session.add(EventRow(subject=f"approver:{name}", what="enrolled", detail=", ".join(roles), at=now))
    return given


def answer_for(ledger: Ledger, name: str, shops: tuple[str, ...], now: datetime) -> None:
    """Let an enrolled person rule for these shops, and no others, from now on.

    Raises:
        NotFound: nobody has this name, or who had it was revoked.
    """
    with ledger.write() as session:
        row = session.get(ApproverRow, name.strip())
        if row is None or row.revoked_at:
            raise NotFound(f"no approver is called {name.strip()}", remedy="`tower approver add NAME` enrols")
        row.shops = list(shops)
        session.add(EventRow(subject=f"approver:{row.name}", what="shops", detail=", ".join(shops)[:1000], at=now))


def rotate(ledger: Ledger, name: str, now: datetime) -> Credentials:
    """Give an enrolled person a new token and secret; the old ones end now.

    Raises:
        NotFound: nobody has this name, or who had it was revoked.
    """
    given, fresh = _fresh(name.strip(), now)
    with ledger.write() as session:
        row = session.get(ApproverRow, name.strip())
        if row is None or row.revoked_at:
            raise NotFound(f"no approver is called {name.strip()}", remedy="`tower approver add NAME` enrols")
        for column, value in fresh.items():
            setattr(row, column, value)
        session.add(EventRow(subject=f"approver:{row.name}", what="rotated", detail="", at=now))
    return given


def _fresh(name: str, now: datetime) -> tuple[Credentials, dict[str, Any]]:
    token, secret, until = f"tower_{secrets.token_urlsafe(32)}", pyotp.random_base32(), now + TOKEN_HOLDS
    address = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
    kept = {"token_hash": hash_of(token), "token_expires_at": until, "code_secret": seal(secret), "code_count": 0}
    return Credentials(token, address, until), kept | {"wrong_codes": 0, "locked_until": None}


def holders(ledger: Ledger, shop: str) -> dict[str, tuple[str, ...]]:
    """Who holds each role, by role: the enrolled people who are not revoked, by name; of a shop, where it is named."""
    found: dict[str, list[str]] = defaultdict(list)
    with ledger.read() as session:
        known = select(ApproverRow).where(col(ApproverRow.revoked_at).is_(None)).order_by(col(ApproverRow.name))
        for row in session.scalars(known):
            if shop and not person_of(row).answers_for(shop):
                continue
            for role in row.roles:
                found[role].append(row.name)
    return {role: tuple(names) for role, names in found.items()}


def revoke(ledger: Ledger, name: str, now: datetime) -> None:
    """End a person's authority; rulings already made stay in the book, and cover nothing from now on.

    Raises:
        NotFound: nobody has this name.
    """
    with ledger.write() as session:
        row = session.get(ApproverRow, name)
        if row is None:
            raise NotFound(f"no approver is called {name}")
        row.revoked_at = row.revoked_at or now
        session.add(EventRow(subject=f"approver:{name}", what="revoked", detail="", at=now))
