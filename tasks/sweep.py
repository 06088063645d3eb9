"""Sweep: what nobody ruled on is told again, told higher up, and in the end let go; what was ruled on goes on.

The clock never acts. Each thing is written down before it is told, so that two sweeps tell it once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from control_tower.batches import batches
from control_tower.errors import PolicyError
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import holders
from control_tower.ledger.proposals import find_proposal, paused_as
from control_tower.ledger.tables import ProposalRow
from control_tower.ledger.waiting import escalate, expire, named_shops, remind, those_that_wait
from control_tower.nouns import Noun, Proposal
from control_tower.pause import open_pauses
from control_tower.pause.calling_off import call_off
from control_tower.pause.left_behind import start_again_what_is_left_behind
from control_tower.pause.reconciling import ended_among, waiting_for_nobody
from control_tower.settings import settings
from control_tower.shops import shops_of
from control_tower.slack.messages import notice_message
from control_tower.slack.parts import Message
from policies.authority import WrittenAuthority
from tasks.ask import request_for
from tasks.authority import written_authority
from tasks.shops import channel_of
from tasks.tell import all_said, tell_case
from tasks.wake import wake_approved

log = logging.getLogger(__name__)

TOLD = 20
"""So many proposals are named in one notice; the rest are counted."""


class Swept(Noun):
    """What one sweep did: digests of proposals, and ids of flow runs."""

    reminded: tuple[str, ...] = ()
    escalated: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    asked_again: tuple[str, ...] = ()
    woken: tuple[str, ...] = ()
    called_off: tuple[str, ...] = ()
    started_again: tuple[str, ...] = ()

    @property
    def markdown(self) -> str:
        """The counts, for the artifact."""
        counts = self.model_dump()
        return ", ".join(f"{len(those)} {what.replace('_', ' ')}" for what, those in counts.items())


@dataclass
class _Due:
    reminded: list[str] = field(default_factory=list)
    escalated: dict[str, str] = field(default_factory=dict)
    expired: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)


@step(touches="the ledger")
def sweep(now: datetime) -> Swept:
    """Remind, escalate and expire what waits; bring rulings and paused runs together, in both directions."""
    tower = settings()
    ledger, shops = open_ledger(tower.ledger), shops_of(tower)
    named = named_shops(ledger)
    # What a shop asked that is gone from the file waits until it is there again: nobody has authority over it.
    waiting = [row for row in those_that_wait(ledger) if named.get(row.digest, "") in ("", *shops)]
    due = _Due()
    for shop in sorted({named.get(row.digest, "") for row in waiting}):
        with one_shop_alone(shop):
            theirs = [row for row in waiting if named.get(row.digest, "") == shop]
            _look(ledger, written_authority(shop), theirs, now, due)
    if due.expired:
        gone = [row for row in waiting if row.digest in set(due.expired)]
        call_off({row.flow_run_id: "expired: nobody ruled in time" for row in gone if row.flow_run_id})
        for digest in due.expired:
            tell_case(digest)
    _tell(ledger, due, named, now)
    expired = set(due.expired)
    again = _ask_again(ledger, [row for row in waiting if row.digest not in expired])
    left = start_again_what_is_left_behind(datetime.now(UTC))
    woken = wake_approved(ledger)
    orphans = waiting_for_nobody(lambda digest: _standing(ledger, digest) in ("waiting", "approved"))
    call_off(orphans)
    return Swept(
        reminded=tuple(due.reminded),
        escalated=tuple(due.escalated),
        expired=tuple(due.expired),
        asked_again=tuple(again),
        woken=tuple(woken),
        called_off=tuple(orphans),
        started_again=tuple(left),
    )


@contextmanager
def one_shop_alone(shop: str) -> Iterator[None]:
    """What a shop of the tower's file has wrong keeps no other waiting; the tower's own is told at once."""
    try:
        yield
    except PolicyError as fault:
        if shop not in shops_of(settings()):
            raise
        log.warning("the shop %s is passed over: %s", shop, fault)


def _look(ledger: Ledger, known: WrittenAuthority, waiting: list[ProposalRow], now: datetime, due: _Due) -> None:
    """What is due by the clock of the authority, written down."""
    patience = known.waiting
    after = lru_cache(maxsize=None)(known.after)  # many were opened by one look, at one moment
    for row in waiting:
        if now >= after(row.opened_at, patience.expire_after):
            if expire(ledger, row.digest, now):
                due.expired.append(row.digest)
            continue
        if not row.escalated_to and now >= after(row.opened_at, patience.escalate_after):
            role = _higher(known, Proposal.model_validate(find_proposal(ledger, row.digest).body))
            if role and escalate(ledger, row.digest, role, now):
                due.escalated[row.digest] = role
        first = after(row.opened_at, patience.remind_after)
        number = row.reminded + 1
        when = first if number == 1 else after(first, _times(patience.remind_every, number - 1))
        if number <= patience.reminders and now >= when and remind(ledger, row.digest, number, now):
            due.reminded.append(row.digest)


def _times(duration: str, number: int) -> str:
    count, _, unit = duration.partition(" ")
    return f"{int(count) * number} {unit.rstrip('s')}s"


def _higher(known: WrittenAuthority, proposal: Proposal) -> str:
    """The role to which the first role that may rule on this escalates; empty when there is none."""
    may = known.roles_for(proposal.action, proposal.money)
    return (known.roles[may[0]].escalates_to or "") if may else ""


def _tell(ledger: Ledger, due: _Due, named: dict[str, str], now: datetime) -> None:
    """Tell each shop's channel of what is due in that shop, and of nothing else."""
    tower = settings()
    notices: list[Message] = []
    for shop in sorted({named.get(digest, "") for digest in (*due.reminded, *due.escalated, *due.expired)}):
        mine = _in_shop(due, named, shop)
        notices += [one.into(channel_of(shop, tower)) for one in _notices(ledger, mine, now, shop)]
    if notices:
        all_said(ledger, tower, notices)


def _in_shop(due: _Due, named: dict[str, str], shop: str) -> _Due:
    def mine(digest: str) -> bool:
        return named.get(digest, "") == shop

    escalated = {digest: role for digest, role in due.escalated.items() if mine(digest)}
    return _Due(list(filter(mine, due.reminded)), escalated, list(filter(mine, due.expired)))


def _notices(ledger: Ledger, due: _Due, now: datetime, shop: str) -> Iterator[Message]:
    """One notice for all reminders of a sweep, and one for each role that it escalated to."""
    at = f"{f'{shop}:' if shop else ''}{now:%Y-%m-%dT%H:%M}"
    if due.reminded:
        lines = [*_for_whom(ledger, due.reminded, shop), *_lines(ledger, due.reminded)]
        yield notice_message(f"reminder:{at}", f"{len(due.reminded)} still wait", lines)
    for role in sorted(set(due.escalated.values())):
        mine = [digest for digest, to in due.escalated.items() if to == role]
        heading = f"{len(mine)} are for {role} now: nobody ruled in time"
        on_call = written_authority(shop).on_call.get(role, ())
        who = [f"on call: {', '.join(on_call)}"] if on_call else []
        yield notice_message(f"escalated:{role}:{at}", heading, [*who, *_lines(ledger, mine)])
    if due.expired:
        heading = f"{len(due.expired)} expired: nobody ruled in time, and nothing was done"
        yield notice_message(f"expired:{at}", heading, list(_lines(ledger, due.expired)))


def _for_whom(ledger: Ledger, digests: list[str], shop: str) -> list[str]:
    """For which role how many wait, and who holds it there: people see at a glance what is theirs."""
    known, people = written_authority(shop), holders(ledger, shop)
    mine: Counter[str] = Counter()
    for digest in digests:
        row = find_proposal(ledger, digest)
        proposal = Proposal.model_validate(row.body)
        may = known.roles_for(proposal.action, proposal.money)
        mine[row.escalated_to or (may[0] if may else "")] += 1
    return [
        f"{count} for {role}: {', '.join(people.get(role, ())) or 'nobody is enrolled'}"
        if role
        else f"{count} for nobody: no role may approve so much"
        for role, count in mine.most_common()
    ]


def _lines(ledger: Ledger, digests: list[str]) -> Iterator[str]:
    for digest in digests[:TOLD]:
        proposal = Proposal.model_validate(find_proposal(ledger, digest).body)
        money = f" {proposal.money}" if proposal.money else ""
        yield f"{proposal.action}{money}, order {proposal.order_id}: {proposal.id}"
    if len(digests) > TOLD:
        yield f"and {len(digests) - TOLD} more"


def _ask_again(ledger: Ledger, waiting: list[ProposalRow]) -> list[str]:
    """Open the run of every proposal that waits and whose run has ended, or is gone."""
    runs = {UUID(row.flow_run_id): row.digest for row in waiting if row.flow_run_id}
    lost = [runs[run] for run in ended_among(list(runs))]
    for some in batches(lost, 100):
        paused_as(ledger, open_pauses([request_for(ledger, digest) for digest in some]))
    return lost


def _standing(ledger: Ledger, digest: str) -> str:
    from control_tower.errors import NotFound

    try:
        return find_proposal(ledger, digest).standing
    except NotFound:
        return ""
