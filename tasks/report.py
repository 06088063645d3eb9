"""Report: what a run of a lane read, found, opened and proposed, in counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from control_tower.keeping import Kept
from control_tower.keeping.step import flow_run_id, open_archive, step
from control_tower.nouns import Noun
from control_tower.settings import settings
from policies.terms import Rung
from tasks.open_cases import Opened
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd


class Answers(Noun):
    """Subjects about which a rule said yes, and subjects about which it can't say."""

    yes: int = 0
    unknown: int = 0


class Proposed(Noun):
    """How many of one action, and how much of each currency, in minor units."""

    count: int
    amount: dict[str, int]


class Counts(Noun):
    """Cases that this run opened, updated and closed."""

    opened: int = 0
    updated: int = 0
    closed: int = 0


class LaneReport(Noun):
    """One run of a lane, in counts. Findings are subjects, as orders or returns; they may merge into fewer cases."""

    lane: str
    as_of: AwareDatetime
    accepted: dict[str, int]
    quarantined: dict[str, int]
    findings: dict[str, Answers]
    cases: Counts
    proposals: dict[str, Proposed]
    advice: dict[str, int] = Field(default={}, description="how many of each measure")
    rung: Rung = Field(description="the one that the lane stood on")
    run_id: str
    absent: tuple[str, ...] = ()
    """Tables that the lane reads and the source does not have: what rests on them is unknown."""
    untold: tuple[str, ...] = ()
    """Columns that it has not, as in `orders.approved_at`."""
    dry_run: bool = False
    looked_back: bool = False
    looked_at: int | None = Field(default=None, description="orders, where only what changed was looked at")
    why_all: str = Field(default="", description="why everything was, where only what changed was to be")

    @property
    def markdown(self) -> str:
        """The findings, for the artifact."""
        rows = [f"| {kind} | {said.yes:,} | {said.unknown:,} |" for kind, said in self.findings.items()]
        return "\n".join(["| kind | yes | unknown |", "|---|---:|---:|", *rows])


@step
def report(
    lane: str,
    accepted: Accepted,
    findings: Kept,
    proposed: Kept,
    kinds: Sequence[str],
    rung: Rung,
    opened: Opened | None = None,
    advised: Kept | None = None,
    dry_run: bool = False,
    looked_at: int | None = None,
    why_all: str = "",
) -> LaneReport:
    """Count it all up; every kind of the policy is there, found or not."""
    archive = open_archive(settings().artifacts)
    found = archive.frame(findings, ["kind", "answer", "subject"])
    said = found.groupby(["kind", "answer"])["subject"].nunique().to_dict()
    recommended = archive.frame(proposed, ["action", "amount", "currency"])
    return LaneReport(
        lane=lane,
        as_of=accepted.as_of,
        accepted=accepted.accepted,
        quarantined=accepted.quarantined,
        findings={
            k: Answers(yes=int(said.get((k, "yes"), 0)), unknown=int(said.get((k, "unknown"), 0))) for k in kinds
        },
        cases=Counts(opened=len(opened.opened), updated=len(opened.updated), closed=len(opened.closed))
        if opened
        else Counts(),
        proposals={
            str(action): Proposed(
                count=len(rows),
                amount={str(k): int(v) for k, v in rows.dropna().groupby("currency")["amount"].sum().items()},
            )
            for action, rows in recommended.groupby("action")
        },
        advice=_by_action(archive.frame(advised, ["action"])["action"]) if advised else {},
        rung=rung,
        run_id=flow_run_id(),
        absent=accepted.absent,
        untold=accepted.untold,
        dry_run=dry_run,
        looked_back=bool(opened and opened.looked_back),
        looked_at=looked_at,
        why_all=why_all,
    )


def _by_action(actions: pd.Series[str]) -> dict[str, int]:
    return {str(action): int(count) for action, count in actions.value_counts().sort_index().items()}
