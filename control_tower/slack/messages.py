"""What Slack is told: one digest for each team, and one message a case that is kept current.

A message is a few parts, each within a budget, and is written twice from the same words: as Block Kit
blocks, and as plain text for notifications and the console. The budgets add up to less than the
4,000 characters that `chat.update` takes. Nothing in a message depends on the clock, so that a case
that has not changed has the message that was posted before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slack_sdk.models.blocks import MarkdownTextObject, SectionBlock

from control_tower.errors import SettingError
from control_tower.nouns import Advice, Answer, Case, Finding, Money, Noun, Proposal, Told, told_once
from control_tower.slack.escape import inert, length, unmarked
from control_tower.stores.protocol import undoing

TOP = 10
Item = TypeVar("Item")
_MATTERS = {Answer.yes: 0, Answer.unknown: 1, Answer.no: 2}


class Message(Noun):
    """One message to the channel. Its digest is its revision.

    Args:
        key: what it is about, for ever: `case:ID` or `digest:LANE:SHOP:TEAM:RUN`.
        text: plain words, escaped for Slack, for notifications and the console.
        blocks: the same facts as Block Kit.
        thread: the key of the message that it hangs under, if any.
    """

    key: str
    text: str
    blocks: list[dict[str, Any]]
    thread: str | None = None


@dataclass(frozen=True)
class _Part:
    """Lines under a heading, as many as the budget holds, then how many more there are and where."""

    lines: Sequence[str]
    budget: int
    heading: str = ""
    elsewhere: str = ""
    unseen: int = 0

    def text(self) -> str:
        told = [f"*{self.heading}*"] if self.heading else []
        room = self.budget - length(self.elsewhere) - 40 - sum(map(length, told))
        shown = [*accumulate(length(line) + 1 for line in self.lines)]
        count = bisect_right(shown, room)
        left = len(self.lines) - count + self.unseen
        more = [f"and {left:,} more{self.elsewhere}"] if left else []
        return "\n".join([*told, *self.lines[:count], *more])


def case_message(
    case: Case,
    proposals: Sequence[Proposal],
    standing: str,
    history: Sequence[str] = (),
    *,
    settled: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    thread: str | None = None,
) -> Message:
    """The one message of a case, as it stands.

    Args:
        standing: open, waiting for a person, approved by X, rejected by X: reason, refunded, closed: reason.
        history: what happened to it, oldest first; the last five are shown.
        settled: what became of a proposal, by its digest or id; the others show their commands.
        time_zone: where due times are told, as in America/Sao_Paulo.
        thread: the key of the digest to hang under.

    Raises:
        SettingError: there is no such time zone.
    """
    over = "closed with the case" if standing.startswith("closed") else ""
    settled = settled or {}
    became = {one.id: settled.get(one.digest) or settled.get(one.id) or over for one in proposals}
    asked = sorted(proposals, key=lambda one: bool(became[one.id]))
    evidence = _in_order(case.findings)
    look = f": `tower case {inert(case.id, 60)}`"
    room = 700 if case.advice else 1150  # Slack cuts a message that is longer than four thousand
    parts = [
        _Part(_case_head(case, time_zone), 800),
        _Part([f"*Standing:* {inert(standing, 280)}"], 340),
        _part(evidence, lambda one: _sentence(one, len(case.subjects) > 1), room, "Evidence", look),
        _part(case.advice, lambda one: _advised(one, time_zone), 900, "Advised", look),
        _part(asked, lambda one: _ask(one, became[one.id]), room, "Proposals", look),
        _part(history[::-1], lambda line: inert(line, 120), 450, "History, latest first", look),
    ]
    return _message(f"case:{case.id}", parts, thread)


def digest_message(
    lane: str,
    shop: str,
    team: str,
    cases: Sequence[Case],
    *,
    run: str,
    opened: int,
    updated: int,
    closed: int,
    waiting: int = 0,
    time_zone: str = "UTC",
    thread: str | None = None,
) -> Message:
    """What one team has open in one lane of one shop: how many, how bad, how much, and what comes first.

    Args:
        cases: every open case of the team.
        run: the day or the run that this digest is of; the same one is kept current.
        opened, updated, closed: how many cases this run opened, changed and closed.
        waiting: how many proposals wait for a person.
        time_zone: where due times are told.
    """
    first = sorted(cases, key=lambda case: (-case.risk.priority, case.risk.due_at, case.id))
    head = [
        f"*{inert(lane, 80)} at {inert(shop, 80)} · {inert(team, 80)}* · {inert(run, 60)}",
        f"{len(cases):,} open: {opened:,} opened, {updated:,} updated, {closed:,} closed by this run",
        f"waiting for a person: {waiting:,} (`tower queue`)" if waiting else "no proposal waits",
    ]
    parts = [
        _Part(head, 650),
        _Part(_counts(cases, time_zone), 1200),
        _part(first, lambda case: _in_line(case, time_zone), 2000, "First in line", ": `tower queue`"),
    ]
    return _message(f"digest:{lane}:{shop}:{team}:{run}", parts if cases else parts[:1], thread)


def notice_message(key: str, heading: str, lines: Sequence[str]) -> Message:
    """Something that is no case and no digest, such as a table that breaks its contract."""
    return _message(key, [_Part([f"*{inert(heading)}*", *(inert(line, 600) for line in lines)], 2000)], None)


def _part(told: Sequence[Item], as_line: Callable[[Item], str], budget: int, heading: str, elsewhere: str) -> _Part:
    # Only what may be shown is written: a case can rest on thousands of findings.
    lines = [f"• {as_line(one)}" for one in told[:TOP]]
    return _Part(lines, budget, heading, elsewhere, len(told[TOP:]))


def _message(key: str, parts: Sequence[_Part], thread: str | None) -> Message:
    texts = [part.text() for part in parts if part.lines]
    blocks = [SectionBlock(text=MarkdownTextObject(text=text, verbatim=True)).to_dict() for text in texts]
    return Message(key=key, text=unmarked("\n".join(texts)), blocks=blocks, thread=thread)


def _case_head(case: Case, time_zone: str) -> list[str]:
    return [
        f"*{inert(case.title, 200)}*",
        _facts(case.risk.severity, _whose(case), _due(case, time_zone), _at_risk(case)),
        _facts(
            f"{inert(case.lane, 60)} at {inert(case.shop, 60)}",
            f"case {inert(case.id, 60)}",
            inert(case.risk.policy, 60),
        ),
    ]


def _in_order(findings: Sequence[Finding]) -> list[Told]:
    """What is proved, then what is unknown; a sentence that holds for several subjects is told once."""
    return sorted(told_once(findings), key=lambda told: _MATTERS[told.finding.answer])


def _sentence(told: Told, of_many: bool) -> str:
    finding = told.finding
    of = f"{inert(told.named, 200)}: " if of_many else ""
    needs = f" (needs evidence: {inert(', '.join(finding.missing), 100)})" if finding.missing else ""
    return f"{of}{inert(finding.sentence, 240)}{needs}"


def _advised(advice: Advice, time_zone: str) -> str:
    until = _moment(advice.expires_at, time_zone)
    line = f"*{_words(advice.action)}* · {inert(advice.owner, 60)} · until {until}: {inert(advice.reason, 240)}"
    if not advice.counter:
        return line
    prior = f"{inert(advice.prior_of, 60)} was {inert(str(advice.prior), 80)}"
    return f"{line}\n   {prior}; to undo it: {inert(advice.counter, 160)}"


def _ask(proposal: Proposal, became: str) -> str:
    money = f" {proposal.money}" if proposal.money else ""
    on = f"order {inert(proposal.order_id, 60)}"
    target = f", {inert(proposal.target, 60)}" if proposal.target != proposal.order_id else ""
    line = f"*{proposal.action}*{money} · {on}{target} · {proposal.id}: {inert(proposal.reason, 240)}"
    if became:
        return f"{line}\n   {inert(became, 200)}"
    line += f"\n   {undoing(proposal.action)}"
    return f"{line}\n   `tower approve {proposal.id}`\n   `tower reject {proposal.id} --reason ...`"


def _counts(cases: Sequence[Case], time_zone: str) -> list[str]:
    money: Counter[str] = Counter()
    for risk in (case.risk for case in cases):
        if risk.money:
            money[risk.money.currency] += risk.money.amount
    severities = Counter(case.risk.severity.value for case in cases)
    kinds = Counter(kind for case in cases for kind in case.kinds)
    oldest = min(cases, key=lambda case: (case.risk.due_at, case.id), default=None)
    sums = [str(Money(amount=amount, currency=currency)) for currency, amount in sorted(money.items())]
    return [
        "*Severity:* " + _facts(*(f"{name} {count:,}" for name, count in sorted(severities.items()))),
        "*Kind:* " + _facts(*(f"{_words(kind)} {count:,}" for kind, count in _most(kinds)), cap=8),
        "*At risk:* " + (_facts(*sums, cap=12) or "no amount is known"),
        *([f"*Oldest:* {inert(oldest.title, 160)} · {_due(oldest, time_zone)}"] if oldest else []),
    ]


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _words(kind: str) -> str:
    return inert(kind.replace("_", " "), 40)


def _in_line(case: Case, time_zone: str) -> str:
    return _facts(
        case.risk.severity,
        inert(case.title, 160),
        inert(case.owner, 60),
        _at_risk(case),
        _due(case, time_zone),
    )


def _whose(case: Case) -> str:
    return f"{inert(case.team, 80)} / {inert(case.owner, 80)}" if case.owner else inert(case.team, 80)


def _at_risk(case: Case) -> str:
    return f"{case.risk.money} at risk" if case.risk.money else ""


def _due(case: Case, time_zone: str) -> str:
    return f"due {_moment(case.risk.due_at, time_zone)}"


def _moment(moment: datetime, time_zone: str) -> str:
    try:
        there = moment.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(f"there is no time zone {time_zone!r}", remedy="name one as in Europe/Berlin") from error
    return f"{there:%Y-%m-%d %H:%M} {time_zone}"


def _facts(*facts: str, cap: int = 20) -> str:
    told = [fact for fact in facts if fact]
    left = [f"and {len(told) - cap:,} more"] if len(told) > cap else []
    return " · ".join([*told[:cap], *left])
