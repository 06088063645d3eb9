"""What a message is made of: a few parts, each within a budget, written twice from the same words.

Once as Block Kit blocks, and once as plain text for notifications and the console. The budgets of a
message add up to less than the 4,000 characters that `chat.update` takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slack_sdk.models.blocks import Block, MarkdownTextObject, SectionBlock

from control_tower.errors import SettingError
from control_tower.nouns import Case, Noun, digest_of
from control_tower.slack.escape import inert, length, unmarked

TOP = 10
Item = TypeVar("Item")


class Message(Noun):
    """One message to the channel.

    Args:
        key: what it is about, for ever: `case:ID` or `digest:LANE:SHOP:TEAM:RUN`.
        text: plain words, escaped for Slack, for notifications and the console.
        blocks: the same facts as Block Kit.
        thread: the key of the message that it hangs under, if any.
        channel: where it is to be posted; in the tower's own channel when empty.
    """

    key: str
    text: str
    blocks: list[dict[str, Any]]
    thread: str | None = None
    channel: str = ""

    def into(self, channel: str) -> Message:
        """The same message, for a channel."""
        return self.model_copy(update={"channel": channel})

    @cached_property
    def revision(self) -> str:
        """Digest of what it says; where it hangs is no news."""
        return digest_of([self.key, self.text, self.blocks])


@dataclass(frozen=True)
class Part:
    """Lines under a heading, as many as the budget holds, then how many more there are and where.

    Args:
        buttons: the block that stands under a line, by the line's number.
    """

    lines: Sequence[str]
    budget: int
    heading: str = ""
    elsewhere: str = ""
    unseen: int = 0
    buttons: Mapping[int, Block] = field(default_factory=dict)

    @cached_property
    def shown(self) -> tuple[list[str], int, list[str]]:
        """The heading, how many lines fit, and the line that counts the others."""
        head = [f"*{self.heading}*"] if self.heading else []
        room = self.budget - length(self.elsewhere) - 40 - sum(map(length, head))
        count = bisect_right([*accumulate(length(line) + 1 for line in self.lines)], room)
        left = len(self.lines) - count + self.unseen
        return head, count, [f"and {left:,} more{self.elsewhere}"] if left else []

    def text(self) -> str:
        """All that is shown, as mrkdwn."""
        head, count, more = self.shown
        return "\n".join([*head, *self.lines[:count], *more])

    def blocks(self) -> Iterator[Block]:
        """The same as sections, with the buttons of a line under it."""
        (said, count, more) = self.shown
        for number, line in enumerate(self.lines[:count]):
            said = [*said, line]
            if number in self.buttons:
                yield _section(said)
                yield self.buttons[number]
                said = []
        if said or more:
            yield _section([*said, *more])


def as_part(told: Sequence[Item], as_line: Callable[[Item], str], budget: int, heading: str, elsewhere: str) -> Part:
    """A part of what may be shown; only that is written, for a case can rest on thousands of findings."""
    lines = [f"• {as_line(one)}" for one in told[:TOP]]
    return Part(lines, budget, heading, elsewhere, len(told[TOP:]))


def as_message(key: str, parts: Sequence[Part], thread: str | None) -> Message:
    """The parts that say something, as blocks and as plain text."""
    parts = [part for part in parts if part.lines]
    blocks = [block.to_dict() for part in parts for block in part.blocks()]
    return Message(key=key, text=unmarked("\n".join(part.text() for part in parts)), blocks=blocks, thread=thread)


def _section(lines: Sequence[str]) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text="\n".join(lines), verbatim=True))


def words(kind: str) -> str:
    """A kind or a measure as words."""
    return inert(kind.replace("_", " "), 40)


def whose(case: Case) -> str:
    """The team, and the member of it, where one is known."""
    return f"{inert(case.team, 80)} / {inert(case.owner, 80)}" if case.owner else inert(case.team, 80)


def at_risk(case: Case) -> str:
    """The money at risk, where it is known."""
    return f"{case.risk.money} at risk" if case.risk.money else ""


def due(case: Case, time_zone: str) -> str:
    """When it is due, in a time zone."""
    return f"due {moment_in(case.risk.due_at, time_zone)}"


def moment_in(moment: datetime, time_zone: str) -> str:
    """A moment, in a time zone that is named with it."""
    try:
        there = moment.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(f"there is no time zone {time_zone!r}", remedy="name one as in Europe/Berlin") from error
    return f"{there:%Y-%m-%d %H:%M} {time_zone}"


def facts(*facts: str, cap: int = 20) -> str:
    """Short facts in one line, and how many more."""
    told = [fact for fact in facts if fact]
    left = [f"and {len(told) - cap:,} more"] if len(told) > cap else []
    return " · ".join([*told[:cap], *left])
