"""`tower approve`, `tower reject` and `tower reopen`: words in the ledger, then a wake-up for the runs that wait."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from control_tower.errors import LedgerError, TowerError
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal, paused_as, waiting_proposals
from control_tower.ledger.rulings import rule
from control_tower.ledger.waiting import reopen as open_again
from control_tower.nouns import Action, Money, Proposal, Ruling, Verdict, Vote
from control_tower.server import running_server
from control_tower.settings import settings
from control_tower.stores.protocol import undoing
from desk.show import as_json, out, printable
from tasks.authority import authority_over, in_minor_units
from tasks.standing import below_act


def rule_on(
    handle: str,
    verdict: str,
    approver: str,
    token: str,
    reason: str,
    *,
    reason_code: str = "",
    amount: str | None = None,
    json: bool,
) -> None:
    """Rule, then wake the run; without a worker the woken run is carried out here.

    Args:
        amount: less than was proposed, in whole units, as in 49.90.
    """
    ledger = open_ledger(settings().ledger)
    said = _rule(ledger, handle, verdict, Token(approver, token), reason, reason_code, amount)
    outcome = "it waits for another person" if isinstance(said, Vote) else wake(said.proposal)
    standing = find_proposal(ledger, said.proposal)
    if json:
        as_json(
            said.model_dump(mode="json") | {"standing": standing.standing, "detail": standing.detail, "run": outcome}
        )
        return
    _line(_said(said))
    _line(f"run: {outcome}; proposal: {standing.standing} {standing.detail}".strip())


def rule_on_many(
    handles: Sequence[str], verdict: str, approver: str, token: str, reason: str, *, reason_code: str, json: bool
) -> None:
    """Rule on each of several, one ruling each, in the order given; stops where authority ends.

    Raises:
        TowerError: what stopped it; the rulings before it stand.
    """
    ledger = open_ledger(settings().ledger)
    done: list[Ruling | Vote] = []
    stopped: TowerError | None = None
    for handle in handles:
        try:
            done.append(_rule(ledger, handle, verdict, Token(approver, token), reason, reason_code, None))
        except TowerError as fault:
            stopped = fault
            break
    woken = [one.proposal for one in done if isinstance(one, Ruling)]
    wake_all(woken)
    if json:
        as_json([one.model_dump(mode="json") for one in done])
    else:
        for one in done:
            _line(f"{_said(one)}: {find_proposal(ledger, one.proposal).standing}")
    if stopped:
        _line(f"stopped after {len(done)} of {len(handles)}")
        raise stopped


def reopen(handle: str, approver: str, token: str, reason: str, *, json: bool) -> None:
    """Ask once more about a proposal that expired: it waits again, with a paused run of its own."""
    from tasks.tell import case_told

    tower = settings()
    ledger = open_ledger(tower.ledger)
    digest = open_again(ledger, handle, Token(approver, token), reason, datetime.now(UTC))
    with running_server(tower):
        opened(ledger, digest)
    case_told(digest)
    row = find_proposal(ledger, digest)
    if json:
        as_json({"proposal": digest, "standing": row.standing, "run": row.flow_run_id})
    else:
        _line(f"{digest[:12]} waits again; run {row.flow_run_id}")


def chosen(ids: Sequence[str], action: str | None, up_to: str | None, shop: str) -> list[Proposal]:
    """The waiting proposals that are named, or all of one action up to an amount; in one shop, where it is named.

    Raises:
        LedgerError: neither names any.
    """
    ledger = open_ledger(settings().ledger)
    if ids:
        return [Proposal.model_validate(find_proposal(ledger, each).body) for each in ids]
    if action not in {each.value for each in Action}:
        raise LedgerError("nothing to rule on", remedy="name proposals, or give --all with --action")
    waiting = [Proposal.model_validate(row.body) for row in waiting_proposals(ledger)]
    most = _decimal(up_to)
    return [
        each
        for each in waiting
        if each.action == action
        and shop in ("", each.shop)
        and (most is None or (each.money is not None and each.money.amount <= (in_minor_units(each, most) or 0)))
    ]


def what_is_approved(handle: str) -> str:
    """The action, the amount and the order, whether it can be taken back, and who does it: read before a yes."""
    asked = Proposal.model_validate(find_proposal(open_ledger(settings().ledger), handle).body)
    money = f" {asked.money}" if asked.money else ""
    said = f"{asked.action}{money}, order {asked.order_id}. {undoing(asked.action)}"
    why = below_act(asked)
    return f"{said} {why}." if why else said


def total(proposals: Sequence[Proposal]) -> str:
    """How many, and how much in each currency: what a person reads before they approve them all."""
    sums: dict[str, int] = defaultdict(int)
    for each in proposals:
        if each.money:
            sums[each.money.currency] += each.money.amount
    amounts = ", ".join(str(Money(amount=amount, currency=currency)) for currency, amount in sorted(sums.items()))
    return f"{len(proposals)} proposals{f', {amounts} in all' if amounts else ''}"


def _rule(
    ledger: Ledger, handle: str, verdict: str, by: Token, reason: str, reason_code: str, amount: str | None
) -> Ruling | Vote:
    row = find_proposal(ledger, handle)
    proposal = Proposal.model_validate(row.body)
    minor = in_minor_units(proposal, _decimal(amount))
    return rule(
        ledger,
        row.digest,
        Verdict(verdict),
        by=by,
        authority=authority_over(proposal),
        reason=reason,
        reason_code=reason_code,
        amount=minor,
        via="command",
        now=datetime.now(UTC),
    )


def _decimal(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise LedgerError(f"{text!r} is no amount", remedy="as in 49.90")
    return found


def wake(digest: str) -> str:
    """Wake the run that waits for a ruling, and wait for what comes of it."""
    return wake_all([digest])[digest]


def wake_all(digests: Sequence[str]) -> dict[str, str]:
    """Wake the runs that wait for rulings, and wait for what comes of them.

    A worker of this tower carries them out; where there is none, this process does.
    """
    if not digests:
        return {}
    tower = settings()
    ledger = open_ledger(tower.ledger)
    said: dict[str, str] = {}
    with running_server(tower):
        from desk.deploy import deploy
        from desk.worker import is_worked, work
        from tasks.wake import wake as wake_one

        deployed = deploy(tower)
        for digest in digests:
            # It may have been ruled on before its run was opened, or Prefect may have lost it since.
            woken, run = wake_one(ledger, digest, find_proposal(ledger, digest).flow_run_id)
            said[digest] = f"{woken} {run}"
        if is_worked(tower):
            for digest in digests:
                _until_settled(ledger, digest)
        else:
            work(
                {each.id: each.flow for each in deployed if each.id and each.flow.name == "resolve-case"},
                tower,
                once=True,
            )
    return said


def opened(ledger: Ledger, digest: str) -> str:
    """Open the paused run of a proposal; returns its id."""
    from control_tower.pause import open_pauses
    from tasks.ask import request_for

    run = open_pauses([request_for(ledger, digest)])[digest]
    paused_as(ledger, {digest: run})
    return run


def _until_settled(ledger: Ledger, digest: str) -> None:
    """Wait, a little, for the worker; it goes on without us."""
    for _ in range(100):
        if find_proposal(ledger, digest).standing not in ("approved", "waiting"):
            return
        time.sleep(0.2)


def _line(text: str) -> None:
    out.print(printable(text), markup=False, highlight=False)


def _said(said: Ruling | Vote) -> str:
    if isinstance(said, Vote):
        return f"{said.approver} approved {said.proposal[:12]}; it takes {said.needs} more"
    return f"{said.approver} ruled {said.verdict} on {said.proposal[:12]}"
