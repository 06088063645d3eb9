"""Join parts: what was found part by part, as one look found it; what a whole table promises is decided here."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import data_contracts
from control_tower.keeping import Address, Archive, Kept, Nouns
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun
from control_tower.settings import settings
from data_contracts import Tally
from policies import Policy
from policies.backtest import together
from tasks.part import Found, on_of
from tasks.score import Others
from tasks.shadow import Shadowed
from tasks.validate import Accepted, in_order, stop_on_breach

if TYPE_CHECKING:
    import pandas as pd


class Joined(Noun):
    """What all parts hold together: the facts are those of the subjects about which anything was found."""

    accepted: Accepted
    facts: Kept
    findings: Kept
    others: Others
    shadowed: Shadowed
    restless: Kept | None = None
    every: tuple[Kept, ...] = ()
    """The facts of all subjects, part by part."""

    @property
    def kept_files(self) -> dict[str, Address]:
        """Where the facts of all subjects are kept."""
        return {f"every.{number}": kept.address for number, kept in enumerate(self.every)}


@step
def join_parts(found: Nouns[Found], policy: Policy) -> Joined:
    """Put together what was found in the parts, in the order of the subjects.

    Raises:
        ContractBreach: a whole table can't be relied on: the first breach by table, with its owner.
    """
    archive = open_archive(settings().artifacts)
    parts = sorted({each.number: each for each in found}.values(), key=lambda each: each.number)
    for table, tally in tallied(parts).items():
        stop_on_breach(data_contracts.load(table), tally, parts[0].accepted.as_of)
    facts = _facts(archive, parts, policy.subject)
    return Joined(
        accepted=_accepted(archive, [each.accepted for each in parts]),
        facts=facts,
        findings=_findings(archive, parts, facts, policy.subject),
        others=_others(archive, parts, policy),
        shadowed=_shadowed([each.shadowed for each in parts]),
        restless=_restless(archive, [each.restless for each in parts if each.restless]),
        every=tuple(each.facts for each in parts),
    )


def _restless(archive: Archive, several: list[Kept]) -> Kept | None:
    import pandas as pd

    if not several:
        return None
    orders = pd.concat([archive.frame(kept) for kept in several], ignore_index=True)
    return archive.keep_frame("restless", orders.drop_duplicates().sort_values("order_id", ignore_index=True))


def tallied(parts: list[Found]) -> dict[str, Tally]:
    """What each table as a whole is decided by, by table."""
    return {table: reduce(add, (each.tallies[table] for each in parts)) for table in sorted(parts[0].tallies)}


def _accepted(archive: Archive, parts: list[Accepted]) -> Accepted:
    first = parts[0]
    marks = [archive.frame(each.marks) for each in parts]
    return Accepted(
        shop=first.shop,
        as_of=first.as_of,
        frames={},
        quarantine={},
        marks=archive.keep_frame("marks", in_order(marks)),
        rules=dict(sum((Counter(each.rules) for each in parts), Counter())),
        absent=first.absent,
        untold=first.untold,
        parts=tuple(parts),
    )


def _facts(archive: Archive, parts: list[Found], subject: str) -> Kept:
    import pyarrow as pa
    import pyarrow.parquet as pq

    several = [pq.read_table(archive.local(each.noted.address)) for each in parts]
    whole = pa.concat_tables(several, promote_options="default")  # no part knows what is missing in another
    return archive.keep_table("facts", whole.sort_by(subject))


def _findings(archive: Archive, parts: list[Found], facts: Kept, subject: str) -> Kept:
    import pandas as pd

    findings = pd.concat([archive.frame(each.findings) for each in parts], ignore_index=True)
    findings = findings.sort_values(["subject", "kind"], kind="stable", ignore_index=True)
    places = pd.Index(archive.frame(facts, [subject])[subject])
    findings["row"] = places.get_indexer(pd.Index(findings["subject"]))
    return archive.keep_frame("findings", findings)


def _others(archive: Archive, parts: list[Found], policy: Policy) -> Others:
    counted = {}
    for rule in policy.rules:
        if rule.merge:
            several = [archive.frame(each.others[rule.kind]) for each in parts]
            counted[rule.kind] = archive.keep_frame("others", summed(several, on_of(rule)))
    return Others(counted=counted)


def summed(several: list[pd.DataFrame], on: list[str]) -> pd.DataFrame:
    """Counts of several parts as one."""
    import pandas as pd

    return pd.concat(several, ignore_index=True).groupby(on, sort=True)["others"].sum().reset_index()


def _shadowed(parts: list[Shadowed]) -> Shadowed:
    """What versions on trial find in all parts; one that could not be tried on any was not tried."""
    faults = {name: fault for each in parts for name, fault in each.faults.items()}
    names = [name for name in dict.fromkeys(name for each in parts for name in each.flips) if name not in faults]
    return Shadowed(
        served=parts[0].served,
        findings={f"{name}, part {number}": each.findings[name] for number, each in enumerate(parts) for name in names},
        flips={name: together([each.flips[name] for each in parts]) for name in names},
        faults=faults,
    )
