"""Sweep: what nobody ruled on is told again, told higher up, and in the end let go; what was ruled on goes on.

The clock never acts. Each thing is written down before it is told, so that two sweeps tell it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import holders
from control_tower.ledger.cases import find_proposal, paused_as
from control_tower.ledger.tables import ProposalRow
from control_tower.ledger.waiting import escalate, expire, remind, those_that_wait
from control_tower.nouns import Noun, Proposal
from control_tower.pause import open_pauses
from control_tower.pause.calling_off import call_off
from control_tower.pause.reconciling import ended_among, waiting_for_nobody
from control_tower.settings import settings
from control_tower.slack.messages import notice_message
from policies.authority import WrittenAuthority
from tasks.ask import request_for
from tasks.authority import written_authority
from tasks.tell import said, tell_case
from tasks.wake import wake_approved

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
    ledger, known = open_ledger(settings().ledger), written_authority()
    waiting = list(those_that_wait(ledger))
    due = _look(ledger, known, waiting, now)
    if due.expired:
        gone = [row for row in waiting if row.digest in set(due.expired)]
        call_off({row.flow_run_id: "expired: nobody ruled in time" for row in gone if row.flow_run_id})
        for digest in due.expired:
            tell_case(digest)
    _tell(ledger, due, now)
    expired = set(due.expired)
    again = _ask_again(ledger, [row for row in waiting if row.digest not in expired])
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
    )


def _look(ledger: Ledger, known: WrittenAuthority, waiting: list[ProposalRow], now: datetime) -> _Due:
    """What is due by the clock of the authority, written down."""
    due, patience = _Due(), known.waiting
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
    return due


def _times(duration: str, number: int) -> str:
    count, _, unit = duration.partition(" ")
    return f"{int(count) * number} {unit.rstrip('s')}s"


def _higher(known: WrittenAuthority, proposal: Proposal) -> str:
    """The role to which the first role that may rule on this escalates; empty when there is none."""
    may = known.roles_for(proposal.action, proposal.money)
    return (known.roles[may[0]].escalates_to or "") if may else ""


def _tell(ledger: Ledger, due: _Due, now: datetime) -> None:
    """One notice for all reminders of a sweep, and one for each role that it escalated to."""
    notices = []
    if due.reminded:
        lines = [*_for_whom(ledger, due.reminded), *_lines(ledger, due.reminded)]
        notices.append(notice_message(f"reminder:{now:%Y-%m-%dT%H:%M}", f"{len(due.reminded)} still wait", lines))
    for role in sorted(set(due.escalated.values())):
        mine = [digest for digest, to in due.escalated.items() if to == role]
        heading = f"{len(mine)} are for {role} now: nobody ruled in time"
        on_call = written_authority().on_call.get(role, ())
        who = [f"on call: {', '.join(on_call)}"] if on_call else []
        notices.append(notice_message(f"escalated:{role}:{now:%Y-%m-%dT%H:%M}", heading, [*who, *_lines(ledger, mine)]))
    if due.expired:
        lines = list(_lines(ledger, due.expired))
        heading = f"{len(due.expired)} expired: nobody ruled in time, and nothing was done"
        notices.append(notice_message(f"expired:{now:%Y-%m-%dT%H:%M}", heading, lines))
    if notices:
        said(ledger, settings(), notices)


def _for_whom(ledger: Ledger, digests: list[str]) -> list[str]:
    """For which role how many wait, and who holds it: people see at a glance what is theirs."""
    known, people = written_authority(), holders(ledger)
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
    for start in range(0, len(lost), 100):
        paused_as(ledger, open_pauses([request_for(ledger, digest) for digest in lost[start : start + 100]]))
    return lost


def _standing(ledger: Ledger, digest: str) -> str:
    from control_tower.errors import NotFound

    try:
        return find_proposal(ledger, digest).standing
    except NotFound:
        return ""
