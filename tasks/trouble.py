"""Trouble: what is wrong with the tower itself, told once while it lasts and once when it is over.

What is wrong is read anew each time, from Prefect's runs and the ledger; whatever woke us says nothing.
What was told is in the outbox, under a key of its incident. So events that come twice, late or out of order,
and a teller that was killed, change nothing of what people read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.caps import open_breakers
from control_tower.ledger.looks import newest_looks
from control_tower.nouns import Noun
from control_tower.redaction import redacted
from control_tower.settings import settings
from control_tower.slack.messages import notice_message
from control_tower.slack.outbox import Outbox
from control_tower.slack.parts import Message
from tasks.lane_runs import LaneRuns, lane_runs
from tasks.shops import channel_of
from tasks.tell import all_said, breach_key, of_breaker

FAILED, LATE, BREACH, BREAKER = "failed", "late", "breach", "breaker"
OVER = ":over"
OURS = re.compile(rf"({FAILED}|{BREACH}):.+:[0-9a-f-]{{32,36}}|{LATE}:.+:[0-9T.-]+Z|{BREAKER}:.+:\d+")
"""A key that has an end. What earlier releases said of breaches and breakers has none."""
SAID = 400  # characters of an error that a message has


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong: what and where (one at a time of those), since when, and the words for it."""

    kind: str
    where: str
    since: str
    heading: str
    lines: tuple[str, ...] = ()
    shop: str = ""
    """The one that it is wrong in, and whose channel is told; empty where it is the tower's."""

    @property
    def about(self) -> str:
        """What it is and where; the beginning of its key."""
        return f"{self.kind}:{self.where}:"

    @property
    def key(self) -> str:
        """The key of its message."""
        return f"{self.about}{self.since}"


class Troubled(Noun):
    """What is wrong, what was told now, and what is over: keys of incidents."""

    wrong: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@step(touches="the ledger, Prefect and the channel")
def tell_trouble(away: bool) -> Troubled:
    """Tell what is wrong and was not told, and what was told and is over.

    Args:
        away: this teller was late itself; then it does not say of lanes that they are.
    """
    tower = settings()
    ledger = open_ledger(tower.ledger)
    lanes = lane_runs(datetime.now(UTC))
    wrong = [*_lanes(ledger, lanes, away), *_breaches(ledger), *_breakers(ledger)]
    channels = Outbox(ledger.engine).channels(tuple(f"{kind}:" for kind in (FAILED, LATE, BREACH, BREAKER)))
    standing = _standing(channels)
    news = [each for each in wrong if each.about not in standing]
    # A look that a broken contract stopped ends no row of failures.
    failing = {f"{FAILED}:{lane.name}:" for lane in lanes if lane.failing}
    over = _over(standing, {each.about for each in wrong} | failing, lanes, away)
    ended = (_well_again(about, told).into(channels[told]) for about, told in over)
    all_said(ledger, tower, [*(_notice(each).into(channel_of(each.shop, tower)) for each in news), *ended])
    return Troubled(
        wrong=tuple(each.key for each in wrong),
        told=tuple(each.key for each in news),
        over=tuple(key for _, key in over),
    )


def _lanes(ledger: Ledger, lanes: Sequence[LaneRuns], away: bool) -> Iterator[Incident]:
    """Lanes whose newest look failed, unless a contract was broken, which is another thing; and those that are late."""
    broken = {row.run for row in newest_looks(ledger) if row.breach}
    for lane in lanes:
        if lane.failing and lane.failing.newest not in broken:
            why = redacted(lane.failing.why)[:SAID]
            source = f" --source shop:{lane.shop}" if lane.shop else ""
            remedy = f"`tower run {lane.lane}{source}` looks now, and says what is wrong"
            yield Incident(FAILED, lane.name, lane.failing.first, f"{lane.name} failed", (why, remedy), lane.shop)
        if lane.late_since and not away:
            lines = (
                f"it was due at {lane.late_since}",
                "`tower doctor` says whether anybody works; Prefect's UI, why not",
            )
            yield Incident(LATE, lane.name, lane.late_since, f"{lane.name} is late", lines, lane.shop)


def _breaches(ledger: Ledger) -> Iterator[Incident]:
    """Told by the look itself, as it stops; here so that its end is told."""
    for row in newest_looks(ledger):
        if row.breach:
            where, _, since = (
                breach_key(ledger, row.lane, row.source, row.breach).removeprefix("breach:").rpartition(":")
            )
            heading = f"{row.lane} stopped: {row.breach}"
            yield Incident(BREACH, where, since, heading, ("no case was touched",), row.shop)


def _breakers(ledger: Ledger) -> Iterator[Incident]:
    for row in open_breakers(ledger):
        key, heading, lines = of_breaker(row)
        where, _, since = key.removeprefix(f"{BREAKER}:").rpartition(":")
        yield Incident(BREAKER, where, since, heading, lines, row.shop)


def _standing(told: Iterable[str]) -> dict[str, str]:
    """What was told and is not over: what and where it is → its key."""
    keys = [key for key in told if OURS.fullmatch(key.removesuffix(OVER))]
    ended = {key.removesuffix(OVER) for key in keys if key.endswith(OVER)}
    return {f"{key.rpartition(':')[0]}:": key for key in keys if not key.endswith(OVER) and key not in ended}


def _over(
    standing: dict[str, str], still: Iterable[str], lanes: Sequence[LaneRuns], away: bool
) -> list[tuple[str, str]]:
    """What stood and is no longer wrong. Of a lane that has no deployment any more, nobody knows."""
    still, known = set(still), {lane.name for lane in lanes}
    return [
        (about, key)
        for about, key in standing.items()
        if about not in still
        and (not about.startswith((FAILED, LATE)) or about.split(":")[1] in known)
        and not (about.startswith(LATE) and away)
    ]


def _notice(incident: Incident) -> Message:
    return notice_message(incident.key, incident.heading, incident.lines)


def _well_again(about: str, key: str) -> Message:
    """In the thread of what it ends."""
    kind, _, where = about.rstrip(":").partition(":")
    heading = {BREAKER: f"The hands of {where} go on", BREACH: f"{where} is as its contract says again"}
    return notice_message(f"{key}{OVER}", heading.get(kind, f"{where} is well again"), [], thread=key)
