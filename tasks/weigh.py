"""Weigh: each lane's record against what its policy asks of a lane that stays. What falls short falls by one rung."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from control_tower.errors import PolicyError
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.rungs import fall, newest_rung
from control_tower.markdown import inert
from control_tower.nouns import Noun
from control_tower.rungs import LaneRecord
from control_tower.settings import Settings, settings
from control_tower.shops import shops_of
from control_tower.slack.messages import notice_message
from policies.rungs import below, falls
from policies.terms import Rung
from tasks.shops import channel_of
from tasks.standing import Standing, standing
from tasks.tell import Told, all_said


class Weighed(Noun):
    """The rung on which each lane stands now, its record, and why those fell that fell.

    A lane whose policy can't be read is not weighed, and stays where it stands; `faults` says why.
    """

    rungs: dict[str, Rung]
    records: dict[str, LaneRecord]
    fell: dict[str, str]
    faults: dict[str, str]

    @property
    def markdown(self) -> str:
        """A line for each lane, for the artifact."""
        lines = [
            f"- **{lane}** stands on {rung}: {self.fell.get(lane, 'it stays')}; {self.records[lane]}"
            for lane, rung in self.rungs.items()
        ]
        return "\n".join([*lines, *(f"- **{lane}** is not weighed: {inert(why)}" for lane, why in self.faults.items())])


@step(touches="the ledger")
def weigh(lanes: tuple[str, ...], now: datetime) -> Weighed:
    """Let each lane fall by one rung whose record is not what staying takes, and tell the channel once. None rises."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    found: dict[str, tuple[Standing, str]] = {}
    faults: dict[str, str] = {}
    places = [(lane, shop) for lane, shop in places_of(tower, lanes)]
    for lane, shop in places:
        named = f"{lane} in {shop}" if shop else lane
        try:
            stands = standing(lane, now, shop)
        except PolicyError as fault:  # one that is malformed must not keep the others where they stand
            faults[named] = str(fault)
        else:
            found[named] = stands, _fallen(ledger, lane, shop, stands, now)
    tell_of_rungs(ledger, tower, places)
    return Weighed(
        rungs={lane: (below(stands.rung) if why else None) or stands.rung for lane, (stands, why) in found.items()},
        records={lane: stands.record for lane, (stands, _) in found.items()},
        fell={lane: why for lane, (_, why) in found.items() if why},
        faults=faults,
    )


def places_of(tower: Settings, lanes: Iterable[str]) -> list[tuple[str, str]]:
    """Each lane in each shop that it watches; without a file of shops, in the tower's one."""
    shops = shops_of(tower)
    named = [(lane, id) for lane in lanes for id, shop in shops.items() if shop.watched_by(lane)]
    return named if shops else [(lane, "") for lane in lanes]


def _fallen(ledger: Ledger, lane: str, shop: str, stands: Standing, now: datetime) -> str:
    """Why a lane fell just now; empty when it stays, or was moved meanwhile."""
    why, lower = falls(stands.rung, stands.record, stands.policy.rungs), below(stands.rung)
    return why if why and lower and fall(ledger, lane, lower, why, now, after=stands.moved, shop=shop) else ""


def tell_of_rungs(ledger: Ledger, tower: Settings, places: Iterable[tuple[str, str]]) -> Told:
    """Tell its shop's channel of each lane that was moved there, where it stands and why; once for each time."""
    moved = [row for row in (newest_rung(ledger, lane, shop) for lane, shop in places) if row]
    notices = [
        notice_message(
            f"rung:{row.id}",
            f"{row.lane} {'is put on' if row.by else 'fell to'} {row.rung}{f' in {row.shop}' if row.shop else ''}",
            [row.why, MEANS[Rung(row.rung)], "`tower rungs` shows where every lane stands"],
        ).into(channel_of(row.shop, tower))
        for row in moved
    ]
    return all_said(ledger, tower, notices)


MEANS = {
    Rung.observe: "it looks and is measured; it opens no case, and asks and tells nobody",
    Rung.route: "it opens cases and tells their owners; it proposes nothing",
    Rung.recommend: "it proposes; what a person approves, that person does, and the tower's hands do not move",
    Rung.act: "what a person approves, the tower's hands do",
}
