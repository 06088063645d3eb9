"""Tell: one digest for each team and one message a case, kept current, through the outbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from control_tower.errors import ContractBreach
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import Dossier, dossiers, find_proposal, queue
from control_tower.nouns import Noun, Proposal
from control_tower.settings import Settings, settings
from control_tower.slack.client import open_channel
from control_tower.slack.messages import Message, case_message, digest_message, notice_message
from control_tower.slack.outbox import Delivered, Outbox
from control_tower.slack.untold import untold
from tasks.open_cases import Opened
from tasks.validate import Accepted


class Told(Noun):
    """What was said: messages queued that say something new, posted, changed, and left in the outbox."""

    queued: int
    posted: int
    updated: int
    left: int
    error: str = ""


@step
def tell(lane: str, accepted: Accepted, opened: Opened) -> Told:
    """Queue what changed and bring the channel up to date. Slack being down loses nothing."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    shop = accepted.shop
    # A run that was killed after it opened cases told nobody, and to the next they are nothing new.
    left = untold(ledger, lane, shop.id)
    changed = list(dict.fromkeys([*opened.opened, *opened.updated, *opened.closed, *left]))
    day = f"{accepted.as_of.astimezone(ZoneInfo(shop.time_zone)):%Y-%m-%d}"
    standing = [row.id for row in queue(ledger) if row.lane == lane and row.shop == shop.id]
    known = {held.row.id: held for held in dossiers(ledger, sorted({*standing, *changed}))}
    messages: list[Message] = []
    for team in sorted({held.case.team for held in known.values()}):
        mine = [held for held in known.values() if held.case.team == team]
        messages.append(
            digest_message(
                lane,
                shop.id,
                team,
                [held.case for held in mine if held.row.standing == "open"],
                run=day,
                opened=sum(held.row.id in opened.opened for held in mine),
                updated=sum(held.row.id in opened.updated for held in mine),
                closed=sum(held.row.id in opened.closed for held in mine),
                waiting=sum(row.standing == "waiting" for held in mine for row in held.proposals),
                time_zone=shop.time_zone,
            )
        )
    messages += [of_case(known[id], shop.time_zone) for id in changed if id in known]
    return _said(ledger, tower, messages)


@step
def tell_case(proposal: str) -> Told:
    """Bring the message of a proposal's case up to date, after a ruling or an effect."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    case = find_proposal(ledger, proposal).case_id
    return _said(ledger, tower, [of_case(held, "UTC") for held in dossiers(ledger, [case])])


def of_case(held: Dossier, time_zone: str) -> Message:
    """The message of a case as it stands now."""
    proposals = [Proposal.model_validate(row.body) for row in held.proposals if row.standing != "withdrawn"]
    settled = {row.digest: _outcome(held, row.digest, row.standing, row.detail) for row in held.proposals}
    standing = f"closed: {held.row.closed_reason}" if held.row.standing == "closed" else "open"
    if held.row.standing == "open" and any(row.standing == "waiting" for row in held.proposals):
        standing = "waiting for a person"
    return case_message(
        held.case,
        proposals,
        standing,
        settled={digest: said for digest, said in settled.items() if said},
        time_zone=time_zone,
    )


def _outcome(held: Dossier, digest: str, standing: str, detail: str) -> str:
    if standing == "waiting":
        return ""
    ruling = held.rulings.get(digest)
    said = f"{ruling.verdict} by {ruling.approver}{f': {ruling.reason}' if ruling.reason else ''}" if ruling else ""
    return "; ".join(part for part in (said, f"{standing} {detail}".strip()) if part)


def _said(ledger: Ledger, tower: Settings, messages: Sequence[Message]) -> Told:
    outbox = Outbox(ledger.engine)
    queued = outbox.put(messages)
    # Standard output belongs to the report; without Slack the same words go to standard error.
    delivered: Delivered = outbox.deliver(open_channel(tower, lambda text: print(text, file=sys.stderr)))
    return Told(
        queued=queued,
        posted=delivered.posted,
        updated=delivered.updated,
        left=delivered.left,
        error=delivered.error,
    )


@contextmanager
def breaches_told(lane: str, source: str) -> Iterator[None]:
    """Tell the channel when a whole table breaks its contract, and let the lane stop."""
    try:
        yield
    except ContractBreach as breach:
        tower = settings()
        notice = notice_message(
            f"breach:{lane}:{source}:{breach.contract}:{breach.rule}",
            f"{lane} stopped: {breach.contract} is broken",
            [str(breach.what), f"rule {breach.rule}", f"owner {breach.owner}", "no case was touched"],
        )
        _said(open_ledger(tower.ledger), tower, [notice])
        raise
