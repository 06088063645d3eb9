"""Tell: one digest for each team and one message a case, kept current, through the outbox."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from control_tower.errors import ContractBreach
from control_tower.keeping.step import flow_run_id, open_archive, step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.caps import open_breakers
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import Dossier, dossiers
from control_tower.ledger.looks import first_of_breach, record_look
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.tables import BreakerRow
from control_tower.nouns import Noun, Proposal
from control_tower.settings import Settings, settings
from control_tower.shops import named_in
from control_tower.slack.case_message import case_message
from control_tower.slack.client import open_channel
from control_tower.slack.kept_messages import keep_messages
from control_tower.slack.messages import digest_key, digest_message, notice_message
from control_tower.slack.outbox import Delivered, Outbox
from control_tower.slack.parts import Message, moment_in
from control_tower.slack.untold import untold
from tasks.authority import rules_elsewhere
from tasks.open_cases import Opened
from tasks.shops import channel_of
from tasks.validate import Accepted


class Told(Noun):
    """What was said: messages queued that say something new, posted, changed, and left in the outbox."""

    queued: int
    posted: int
    updated: int
    left: int
    error: str = ""


@step(touches="the channel")
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
    # What waits for a person and costs most comes first: only so many are posted in a minute.
    elsewhere = rules_elsewhere(tower)
    first = sorted((known[id] for id in changed if id in known), key=lambda held: (not held.waits, -held.row.priority))
    messages += [
        of_case(held, shop.time_zone, elsewhere, digest_key(lane, shop.id, held.case.team, day)) for held in first
    ]
    return said(ledger, tower, messages, shop.id)


@step(touches="the channel")
def tell_case(proposal: str) -> Told:
    """`case_told`, kept as a step of the run that did it."""
    return case_told(proposal)


def case_told(proposal: str) -> Told:
    """Bring the message of a proposal's case up to date, after a ruling or an effect."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    (held,) = dossiers(ledger, [find_proposal(ledger, proposal).case_id])
    return said(ledger, tower, [of_case(held, "UTC", rules_elsewhere(tower))], held.row.shop)


def of_case(
    held: Dossier, time_zone: str, elsewhere: Callable[[Proposal], str] | None, thread: str | None = None
) -> Message:
    """The message of a case as it stands now.

    Args:
        elsewhere: why a proposal is not ruled on in Slack; None where nobody listens there.
        thread: the key of the digest that it hangs under, if it is not posted yet.
    """
    proposals = [Proposal.model_validate(row.body) for row in held.proposals if row.standing != "withdrawn"]
    settled = {row.digest: _outcome(held, row.digest, row.standing, row.detail, time_zone) for row in held.proposals}
    standing = f"closed: {held.row.closed_reason}" if held.row.standing == "closed" else "open"
    if held.row.standing == "open" and held.waits:
        standing = "waiting for a person"
    return case_message(
        held.case,
        proposals,
        standing,
        settled={digest: told for digest, told in settled.items() if told},
        time_zone=time_zone,
        thread=thread,
        elsewhere=elsewhere,
    )


def _outcome(held: Dossier, digest: str, standing: str, detail: str, time_zone: str) -> str:
    """Who ruled what, where, when and why, and what came of it."""
    if standing == "waiting":
        return ""
    ruling = held.rulings.get(digest)
    told = ""
    if ruling:
        when = moment_in(ruling.ruled_at, time_zone)
        reason = f": {ruling.reason}" if ruling.reason else ""
        told = f"{ruling.verdict} by {ruling.approver}, by {ruling.via}, {when}{reason}"
    return "; ".join(part for part in (told, f"{standing} {detail}".strip()) if part)


def said(ledger: Ledger, tower: Settings, messages: Sequence[Message], shop: str) -> Told:
    """Put messages into the outbox, and deliver what can be delivered.

    Args:
        shop: the one that they are about; they go into its channel.
    """
    return all_said(ledger, tower, [message.into(channel_of(shop, tower)) for message in messages])


def all_said(ledger: Ledger, tower: Settings, messages: Sequence[Message]) -> Told:
    """`said`, of messages that know their channels."""
    keep_messages(open_archive(tower.artifacts), ledger, messages, datetime.now(UTC))
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


def tell_of_breakers(ledger: Ledger, tower: Settings) -> Told:
    """Tell the channel whose hands are stopped, and why; once for each time."""
    notices = [notice_message(*of_breaker(row)).into(channel_of(row.shop, tower)) for row in open_breakers(ledger)]
    return all_said(ledger, tower, notices)


def of_breaker(row: BreakerRow) -> tuple[str, str, tuple[str, ...]]:
    """What is said of one stop of a lane's hands, in one shop or in all: its key, heading and lines."""
    lane, place = (f"{row.lane}@{row.shop}", f" in {row.shop}") if row.shop else (row.lane, "")
    lines = (
        row.why,
        "its eyes go on: cases are found and opened",
        f"`tower breaker close {row.lane}{f' --shop {row.shop}' if row.shop else ''}` lets them go on",
    )
    return f"breaker:{lane}:{row.id}", f"The hands of {row.lane} are stopped{place}", lines


@contextmanager
def breaches_told(lane: str, source: str, as_of: datetime) -> Iterator[None]:
    """Write down and tell the channel when a whole table breaks its contract, and let the lane stop."""
    try:
        yield
    except ContractBreach as breach:
        tower = settings()
        ledger, broken = open_ledger(tower.ledger), f"{breach.contract}: {breach.rule}"
        record_look(
            ledger, flow_run_id(), lane=lane, source=source, as_of=as_of, now=datetime.now(UTC),
            shop=named_in(source), breach=broken,
        )  # fmt: skip
        notice = notice_message(
            breach_key(ledger, lane, source, broken),
            f"{lane} stopped: {breach.contract} is broken",
            [str(breach.what), f"rule {breach.rule}", f"owner {breach.owner}", "no case was touched"],
        )
        said(ledger, tower, [notice], named_in(source))
        raise


def breach_key(ledger: Ledger, lane: str, source: str, broken: str) -> str:
    """The key of what is said of a breach: the same while look after look finds it, and another the next time."""
    first = first_of_breach(ledger, lane, source, broken)
    return f"breach:{lane}:{source}:{broken.replace(': ', ':')}:{first}"
