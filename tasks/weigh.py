"""Weigh: each lane's record against what its policy asks of a lane that stays. What falls short falls by one rung."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.rungs import fall, newest_rung
from control_tower.nouns import Noun
from control_tower.rungs import LaneRecord
from control_tower.settings import Settings, settings
from control_tower.slack.messages import notice_message
from policies.rungs import below, falls
from policies.terms import Rung
from tasks.standing import standing
from tasks.tell import Told, said


class Weighed(Noun):
    """The rung on which each lane stands now, its record, and why those fell that fell."""

    rungs: dict[str, Rung]
    records: dict[str, LaneRecord]
    fell: dict[str, str]

    @property
    def markdown(self) -> str:
        """A line for each lane, for the artifact."""
        return "\n".join(
            f"- **{lane}** stands on {rung}: {self.fell.get(lane, 'it stays')}; {self.records[lane]}"
            for lane, rung in self.rungs.items()
        )


@step
def weigh(lanes: tuple[str, ...], now: datetime) -> Weighed:
    """Let each lane fall by one rung whose record is not what staying takes, and tell the channel once. None rises."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    rungs: dict[str, Rung] = {}
    records: dict[str, LaneRecord] = {}
    fell: dict[str, str] = {}
    for lane in lanes:
        stands = standing(lane, now)
        rungs[lane], records[lane] = stands.rung, stands.record
        why, lower = falls(stands.rung, stands.record, stands.policy.rungs), below(stands.rung)
        if why and lower and fall(ledger, lane, lower, why, now, after=stands.moved):
            rungs[lane], fell[lane] = lower, why
    tell_of_rungs(ledger, tower, lanes)
    return Weighed(rungs=rungs, records=records, fell=fell)


def tell_of_rungs(ledger: Ledger, tower: Settings, lanes: Iterable[str]) -> Told:
    """Tell the channel of each lane that was moved where it stands and why; once for each time."""
    moved = [row for row in (newest_rung(ledger, lane) for lane in lanes) if row]
    notices = [
        notice_message(
            f"rung:{row.id}",
            f"{row.lane} {'is put on' if row.by else 'fell to'} {row.rung}",
            [row.why, MEANS[Rung(row.rung)], "`tower rungs` shows where every lane stands"],
        )
        for row in moved
    ]
    return said(ledger, tower, notices)


MEANS = {
    Rung.observe: "it looks and is measured; it opens no case, and asks and tells nobody",
    Rung.route: "it opens cases and tells their owners; it proposes nothing",
    Rung.recommend: "it proposes; what a person approves, that person does, and the tower's hands do not move",
    Rung.act: "what a person approves, the tower's hands do",
}
