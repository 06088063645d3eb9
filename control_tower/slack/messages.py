"""What Slack is told beside its cases: one digest for each team, and notices.

Nothing in a message depends on the clock, so that what has not changed has the message that was
posted before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from control_tower.nouns import Case, Money
from control_tower.slack.escape import inert
from control_tower.slack.parts import Message, Part, as_message, as_part, at_risk, due, facts, words


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
        Part(head, 650),
        Part(_counts(cases, time_zone), 1200),
        as_part(first, lambda case: _in_line(case, time_zone), 2000, "First in line", ": `tower queue`"),
    ]
    return as_message(digest_key(lane, shop, team, run), parts if cases else parts[:1], thread)


def digest_key(lane: str, shop: str, team: str, run: str) -> str:
    """The key of a team's digest, under which its cases hang."""
    return f"digest:{lane}:{shop}:{team}:{run}"


def notice_message(key: str, heading: str, lines: Sequence[str], thread: str | None = None) -> Message:
    """Something that is no case and no digest, such as a table that breaks its contract.

    Args:
        thread: the key of the message that it hangs under, if it does.
    """
    return as_message(key, [Part([f"*{inert(heading)}*", *(inert(line, 600) for line in lines)], 2000)], thread)


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
        "*Severity:* " + facts(*(f"{name} {count:,}" for name, count in sorted(severities.items()))),
        "*Kind:* " + facts(*(f"{words(kind)} {count:,}" for kind, count in _most(kinds)), cap=8),
        "*At risk:* " + (facts(*sums, cap=12) or "no amount is known"),
        *([f"*Oldest:* {inert(oldest.title, 160)} · {due(oldest, time_zone)}"] if oldest else []),
    ]


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _in_line(case: Case, time_zone: str) -> str:
    return facts(
        case.risk.severity,
        inert(case.title, 160),
        inert(case.owner, 60),
        at_risk(case),
        due(case, time_zone),
    )
