"""Ledgers to test on, and leave to act as it comes about: a proposal recorded, ruled on, and authorised."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from control_tower.errors import LedgerError
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import Authorised, authorise
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.rulings import rule
from control_tower.nouns import Action, Money, Proposal, Verdict, digest_of
from policies.authority import authority

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def proposal(
    order: str = "1001", amount: int = 1200, action: Action = Action.refund, target: str = "", source: str = "shop"
) -> Proposal:
    rests_on: dict[str, object] = {"refundable_amount": amount}
    return Proposal(
        case_id=digest_of(order)[:16],
        lane="fulfilment",
        shop="shop",
        source=source,
        action=action,
        order_id=order,
        subject=order,
        target=target or order,
        money=Money(amount=amount, currency="EUR") if action is Action.refund else None,
        rests_on=rests_on,
        evidence=digest_of(rests_on),
        policy="fulfilment@1",
        reason="paid and never handed over",
        as_of=None,
    )


def approved(ledger: Ledger, asked: Proposal, by: str = "ana") -> Authorised:
    """Leave to act, from a person's ruling."""
    token = ""
    with contextlib.suppress(LedgerError):
        token = enrol(ledger, by, NOW, roles=("finance",)).token
    _tokens.setdefault((ledger.url, by), token)
    record_proposals(ledger, [], [asked], NOW)
    rule(
        ledger, asked.digest, Verdict.approve, by=Token(by, _tokens[ledger.url, by]), authority=authority(),
        reason="", via="command", now=NOW,
    )  # fmt: skip
    return authorise(ledger, asked.digest, authority(), NOW)


_tokens: dict[tuple[str, str], str] = {}
