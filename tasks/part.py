"""Look at one part: validate, detect, entitle and judge its rows as if there were no others."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from control_tower.keeping import Archive, Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun
from control_tower.settings import settings
from data_contracts import Tally
from policies import Policy
from policies.terms import Rule
from tasks.detect import signalled
from tasks.divide import Part
from tasks.entitle import entitled
from tasks.judge import judged
from tasks.rest import restless
from tasks.shadow import Shadowed, shadowed
from tasks.validate import Accepted, hold

if TYPE_CHECKING:
    import pandas as pd


class Found(Noun):
    """What one part holds: what its tables as a whole are decided by, its facts, and what was found of them.

    `noted` are the facts of the subjects about which anything was found; of the `others`, each kind that merges
    counts those that have the facts that it merges on.
    """

    number: int
    accepted: Accepted
    tallies: dict[str, Tally]
    facts: Kept
    findings: Kept
    noted: Kept
    others: dict[str, Kept]
    shadowed: Shadowed
    restless: Kept | None = None


@step
def look_at_part(part: Part, signals: str, policy: Policy, as_of: datetime, rests: bool = False) -> Found:
    """Validate, detect, entitle and judge one part. What a table as a whole promises is decided over all parts.

    Args:
        rests: say also which orders are not at rest.

    Returns:
        Its facts and findings, kept; nothing is written but to the archive, so that it may be done again anywhere.

    Raises:
        ContractError: the signals don't give every fact that the policy reads.
    """
    accepted, tallies = hold(part.gathered, None)
    facts = signalled(accepted, signals, policy)
    if policy.conclusions:
        facts = entitled(facts, policy, as_of)
    findings = judged(facts, policy, as_of)
    archive = open_archive(settings().artifacts)
    return Found(
        number=part.number,
        accepted=accepted,
        tallies=tallies,
        facts=facts,
        findings=findings,
        noted=_noted(archive, facts, findings),
        others=_others(archive, facts, findings, policy),
        shadowed=shadowed(facts, policy, as_of, accepted.shop),
        restless=restless(facts, accepted, policy, as_of) if rests else None,
    )


def _noted(archive: Archive, facts: Kept, findings: Kept) -> Kept:
    """The facts, whole, of the subjects about which anything was found."""
    import pyarrow.parquet as pq

    rows = archive.frame(findings, ["row"])["row"].drop_duplicates().to_numpy()
    return archive.keep_table("noted", pq.read_table(archive.local(facts.address)).take(rows))


def _others(archive: Archive, facts: Kept, findings: Kept, policy: Policy) -> dict[str, Kept]:
    """The subjects about which nothing was found, counted by the facts that each kind merges on."""
    merging = [rule for rule in policy.rules if rule.merge]
    if not merging:
        return {}
    on = sorted({name for rule in merging for name in on_of(rule)})
    known = archive.frame(facts, on)
    quiet = known[~known.index.isin(archive.frame(findings, ["row"])["row"])]
    return {rule.kind: archive.keep_frame("others", counted(quiet, rule)) for rule in merging}


def on_of(rule: Rule) -> list[str]:
    """The facts that a kind merges on."""
    return list(rule.merge.on) if rule.merge else []


def counted(known: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """How many subjects have the same facts, of those that a kind merges on; who lacks one of them is in no group."""
    size = known[on_of(rule)].dropna().groupby(on_of(rule), sort=True, observed=True).size()
    return size.rename("others").reset_index()
