"""Standing: on which rung a lane stands, by what its policy allows and by what it has earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from control_tower.errors import NotEarned
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger import rungs as book
from control_tower.ledger.lane_records import lane_record
from control_tower.ledger.proofs import Proof
from control_tower.ledger.tables import RungRow
from control_tower.nouns import Proposal
from control_tower.rungs import LaneRecord
from control_tower.settings import settings
from control_tower.shops import named_in, settings_at, settings_of
from policies import Policy, policy
from policies.rungs import above, below, lacking
from policies.terms import Rung
from tasks.authority import written_authority


@dataclass(frozen=True)
class Standing:
    """Where a lane stands, its record since it came there, and what it lacks to rise."""

    policy: Policy
    rung: Rung
    record: LaneRecord
    moved: RungRow | None = None

    @property
    def rises_to(self) -> Rung | None:
        """The next rung, if the owner of the policy allows it."""
        return above(self.rung) if self.rung is not self.policy.rung else None

    @property
    def lacks(self) -> tuple[str, ...]:
        """What it still lacks to rise, in words; empty when a person may let it."""
        return lacking(self.rung, self.record, self.policy.rungs) if self.rises_to else ()

    @property
    def why(self) -> str:
        """Why it stands where it stands."""
        if self.moved is None:
            begins = self.policy.rungs.starts_at
            return f"{self.policy.reference} lets it start on {begins}" + self._held(begins)
        how = "" if self.moved.by else "it fell by itself: "
        return f"{how}{self.moved.why} ({self.moved.at:%Y-%m-%d %H:%M} UTC)" + self._held(Rung(self.moved.rung))

    def _held(self, otherwise: Rung) -> str:
        return "" if otherwise is self.rung else f"; {self.policy.reference} allows no more than {self.rung}"


def rules_as_earned(lane: str, moment: datetime, source: str) -> Policy:
    """The policy of a lane in force at a moment in the shop of a source, on the rung that it stands on there now.

    A look at the past is made now, so it goes no further than the lane may go now.
    """
    tower = settings()
    rules = policy(lane, moment, settings_of(source, tower).policies)
    return rules.standing_on(_earned(rules, book.newest_rung(open_ledger(tower.ledger), lane, named_in(source))))


def _earned(rules: Policy, moved: RungRow | None) -> Rung:
    return Rung(moved.rung) if moved else rules.rungs.starts_at


def standing(lane: str, now: datetime, shop: str) -> Standing:
    """Where a lane stands at a moment, and its record: in a shop of the tower's file, or in the tower's one shop."""
    tower = settings()
    ledger = open_ledger(tower.ledger)
    rules = policy(lane, now, settings_at(shop, tower).policies)
    moved = book.newest_rung(ledger, lane, shop)
    record = lane_record(ledger, lane, rules.rungs.since(now), moved.at if moved else None, now, shop)
    return Standing(rules, rules.standing_on(_earned(rules, moved)).rung, record, moved)


def below_act(proposal: Proposal) -> str:
    """Why hands do not move for a proposal; empty when they may. Taking back is safe, and is done on every rung."""
    rung = rules_as_earned(proposal.lane, datetime.now(UTC), proposal.source).rung
    if proposal.undoes or rung is Rung.act:
        return ""
    return f"{proposal.lane} stands on {rung}: it is for whoever approved it to do, in the shop's own back office"


def promote(ledger: Ledger, lane: str, by: Proof, why: str, now: datetime, shop: str) -> Rung:
    """Let a lane rise by one rung, if it has earned it and its policy allows it.

    Raises:
        NotEarned: it has not, or may not; says what it lacks.
        NotProved, NoAuthority, LedgerError: as `control_tower.ledger.rungs.promote`.
    """
    stands = standing(lane, now, shop)
    if stands.rises_to is None:
        raise NotEarned(f"{lane} stands on {stands.rung}, and {stands.policy.reference} allows no more")
    if stands.lacks:
        lacks = "; ".join(stands.lacks)
        raise NotEarned(f"{lane} has not earned {stands.rises_to}: {lacks}", remedy="`tower rungs` shows its record")
    said = f"{why.strip()} ({stands.record})" if why.strip() else ""
    book.promote(ledger, lane, stands.rises_to, by, written_authority(shop), said, now, after=stands.moved, shop=shop)
    return stands.rises_to


def demote(ledger: Ledger, lane: str, by: Proof, why: str, now: datetime, shop: str) -> Rung:
    """Let a lane fall by one rung, because a person says so.

    Raises:
        NotEarned: it stands on the lowest.
        NotProved, LedgerError: as `control_tower.ledger.rungs.demote`.
    """
    stands = standing(lane, now, shop)
    lower = below(stands.rung)
    if lower is None:
        raise NotEarned(f"{lane} stands on {stands.rung}, and there is no lower rung")
    book.demote(ledger, lane, lower, by, why, now, after=stands.moved, shop=shop)
    return lower
