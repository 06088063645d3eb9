"""Shadow: let versions on trial judge what is live, keep what they find, and serve none of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from pydantic import Field

import policies
from control_tower.errors import PolicyError
from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.markdown import inert
from control_tower.nouns import Money, Noun, Shop
from control_tower.settings import settings
from control_tower.shops import settings_at
from policies import Entitlement, Policy, reader
from policies.backtest import Amounts, Flips, compare, in_place_of
from policies.document import Document, day_of
from policies.inheriting import versions
from tasks.validate import Accepted

log = logging.getLogger(__name__)


class Shadowed(Noun):
    """What each version on trial finds beside the one that is served, or why it can't be tried, by its name."""

    served: str
    findings: dict[str, Kept] = Field(default={})
    flips: dict[str, Flips] = Field(default={})
    faults: dict[str, str] = Field(default={})

    @property
    def markdown(self) -> str:
        """The differences, for the artifact; nothing of a trial goes anywhere else."""
        told = [_told(version, flips) for version, flips in self.flips.items()]
        told += [f"**{inert(version)} could not be tried**: {inert(fault)}" for version, fault in self.faults.items()]
        return "\n\n".join(told) or f"no version is on trial beside {inert(self.served)}"


@step
def shadow(facts: Kept, policy: Policy, accepted: Accepted) -> Shadowed:
    """Judge the facts by every version on trial on this day, and compare each with the policy that is served.

    An entitlement on trial is read in place of the version in force at purchase. A version that is malformed,
    or that asks for facts that the lane does not have, is told of and stops nothing.

    Returns:
        The kept findings of each version, and its differences. Nothing reads them but people.
    """
    return shadowed(facts, policy, accepted.as_of, accepted.shop)


def shadowed(facts: Kept, policy: Policy, as_of: datetime, shop: Shop) -> Shadowed:
    """`shadow`, outside of a flow."""
    archive = open_archive(settings().artifacts)
    findings: dict[str, Kept] = {}
    flips: dict[str, Flips] = {}
    faults: dict[str, str] = {}
    folder = settings_at(shop.id, settings()).policies
    for name, tried in on_trial(policy, day_of(as_of), folder):
        try:
            if isinstance(tried, PolicyError):
                raise tried
            known = archive.frame(facts)
            flips[name] = compare(policy, tried, known, as_of, shop)
            entitled = policies.entitle(tried, known[list(tried.facts)], as_of)
            findings[name] = archive.keep_frame("shadow", policies.judge(tried, entitled, as_of))
        except Exception as fault:  # noqa: BLE001 - whatever is wrong with a trial, the lane goes on
            log.warning("%s could not be tried beside %s: %s", name, policy.reference, fault)
            faults[name] = str(fault) if isinstance(fault, PolicyError) else f"{type(fault).__name__}: {fault}"
            flips.pop(name, None)
    return Shadowed(served=policy.reference, findings=findings, flips=flips, faults=faults)


def on_trial(policy: Policy, day: date, folder: Path | None = None) -> Iterator[tuple[str, Policy | PolicyError]]:
    """The lane's policy as each version on trial would have it, or what is wrong with that version, by its name.

    Args:
        folder: of what a shop has otherwise.
    """
    read_by_it = {policy.id, *policy.bound, *(one.id for several in policy.bound.values() for one in several)}
    for name in reader.names(reader.HOUSE):
        if folder:
            yield from _on_trial_in_shop(policy, day, folder, name)
            continue
        for file in reader.files_of(name):
            try:
                document = reader.read(file)
                if document.shadow and document.in_force.covers(day):
                    yield from _beside(policy, document)
            except PolicyError as fault:
                if name in read_by_it:
                    yield file.stem, fault


def _on_trial_in_shop(policy: Policy, day: date, folder: Path, name: str) -> Iterator[tuple[str, Policy | PolicyError]]:
    try:
        for document in versions(name, folder):
            if document.shadow and document.in_force.covers(day):
                yield from _beside(policy, document)
    except PolicyError as fault:
        yield name, fault


def _beside(policy: Policy, document: Document) -> Iterator[tuple[str, Policy]]:
    """The lane's policy by a version of its own, or of what it reads; none by anything else, and on no higher rung."""
    if isinstance(document, Policy) and document.id == policy.id:
        yield document.reference, document.standing_on(policy.rung)
    elif isinstance(document, Entitlement) and (document.extends or document.id) in policy.bound:
        yield document.reference, in_place_of(policy, document)


def _told(version: str, flips: Flips) -> str:
    """One version's differences from what is served, as a table of kinds and a line for each action."""
    lines = [
        f"**{inert(version)}** on trial beside {inert(', '.join(flips.before))}: "
        f"{flips.changed:,} of {flips.subjects:,} turn out otherwise; nothing of it is served",
        "",
        "| kind | served | on trial | newly | no longer | now unknown | now known | money at risk |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, each in flips.kinds.items():
        counts = (each.found_before, each.found_after, each.newly_found, each.no_longer_found)
        cells = " | ".join(f"{count:,}" for count in (*counts, each.became_unknown, each.became_known))
        lines.append(f"| {kind} | {cells} | {_money(each.money)} |")
    for action, asked in flips.proposals.items():
        gained, lost, amended = asked.gained, asked.lost, asked.amended
        lines += [
            "",
            f"{action}: {gained.count:,} more ({_money(gained.amount)}), {lost.count:,} fewer ({_money(lost.amount)}), "
            f"{amended.count:,} of another amount ({_money(amended.amount)})",
        ]
    return "\n".join(lines)


def _money(amounts: Amounts) -> str:
    return ", ".join(str(Money(amount=amount, currency=currency)) for currency, amount in amounts.items()) or "-"
