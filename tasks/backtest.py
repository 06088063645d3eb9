"""Backtest: decide again, by another version, what past runs of a lane kept. Nothing here acts, asks or tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

import policies
from control_tower.errors import NotFound, PolicyError, nearest
from control_tower.keeping import Address, Archive, Kept
from control_tower.keeping.records import Record, chain
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.tables import ChainRow
from control_tower.nouns import Noun, Shop
from control_tower.settings import settings
from control_tower.shops import settings_at
from policies import Entitlement, Policy
from policies.backtest import Flips, compare, in_place_of, supposed, together
from policies.document import Document
from policies.inheriting import laid_from
from policies.reader import names, versions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

FILES = (".yaml", ".yml")
Supposed = Callable[[datetime, str], Policy]  # the policy of a lane, for a look as of a moment at a shop


@dataclass(frozen=True)
class View:
    """One look of a lane at one shop, or a part of one, and where the facts are that its run kept."""

    lane: str
    run: str
    shop: Shop
    as_of: datetime
    kept_at: datetime
    facts: Address
    part: int = 0


class Looked(Noun):
    """A view that was decided again: how many subjects it kept, and how many of them no newer view has."""

    run: str
    shop: str
    as_of: AwareDatetime
    kept: int
    decided: int


class Backtest(Noun):
    """One lane's kept views, decided by two versions; each subject by the newest view of it."""

    lane: str
    before: str = Field(description="what was compared with, in words")
    after: str = Field(description="what was tried, in words")
    views: tuple[Looked, ...]
    flips: Flips


def backtest(policy: str, since: datetime, until: datetime, against: str | None, shop: str) -> list[Backtest]:
    """Decide again what was kept, for each lane that reads the document.

    A lane policy decides as if it had been in force; an entitlement is read in place of the version in force
    at purchase. Both with their newest numbers.

    Args:
        policy: a document's name, meaning its newest version, or `name@2`, or the path of a YAML file.
        since: aware; looks as of this moment or later count.
        until: aware; looks as of this moment or earlier count.
        against: what to compare with, as `policy` or a number; the version in force at each look when None.
        shop: of whose looks alone, and with what it has otherwise; of every shop's, when empty.

    Raises:
        PolicyError: there is no such version, it can't be read, or it reads what was not kept.
        NotFound: nothing was kept of these lanes in that time.
        BrokenChain: what was kept is not what was kept.
    """
    after = document(policy, shop)
    other = None if against is None else document(f"{after.id}@{against}" if against.isdigit() else against, shop)
    if other is not None and other.id != after.id:
        raise PolicyError(f"is no version of {after.id}", where=other.reference, remedy=f"name one of {after.id}")
    lanes = _lanes(after)
    held = {lane: _newest(views(lane)) for lane in lanes}
    done = []
    for lane, several in held.items():
        chosen = [view for view in several if since <= view.as_of <= until and shop in ("", view.shop.id)]
        if chosen:
            before = reading(lane, other) if other else partial(in_force, lane)
            decided = list(_decided(chosen, before, reading(lane, after)))
            flips = together([flips for _, flips in decided if flips is not None])
            looked = tuple(look for look, _ in decided)
            was = named(other, against) if other else f"what was in force ({', '.join(flips.before)})"
            done.append(Backtest(lane=lane, before=was, after=named(after, policy), views=looked, flips=flips))
    if not done:
        raise _nothing(held, since, until)
    return done


def document(name: str, shop: str) -> Document:
    """The document of a name, of a name and version, or of a file; as a shop has it, where one is named.

    Raises:
        PolicyError: there is no such document or version; says which there are.
    """
    if name.endswith(FILES):
        return laid_from(Path(name))
    return policies.version(name, settings_at(shop, settings()).policies)


def named(of: Document, given: str | None) -> str:
    """A document as people know it: by its version, and by its file if it was given as one."""
    return f"{of.reference} of {given}" if given and given.endswith(FILES) else of.reference


def _lanes(of: Document) -> list[str]:
    """The lanes whose policy a document is, or is read by.

    Raises:
        PolicyError: no lane's policy reads it.
    """
    if isinstance(of, Policy):
        return [of.id]
    assert isinstance(of, Entitlement)  # noqa: S101 - a document is one or the other; narrows the type
    root = of.extends or of.id
    every = [one for name in names() for one in versions(name) if isinstance(one, Policy)]
    lanes = sorted({one.id for one in every if root in one.bound})
    if not lanes:
        read = {name for one in every for name in one.bound}
        raise PolicyError("no lane's policy reads it", where=of.reference, remedy=nearest(root, read))
    return lanes


def reading(lane: str, of: Document) -> Supposed:
    """The lane's policy as the document would have it."""
    if isinstance(of, Policy):
        always = supposed(of)
        return lambda *_: always
    assert isinstance(of, Entitlement)  # noqa: S101 - a document is one or the other; narrows the type
    known: dict[tuple[str, str], Policy] = {}

    def reading(as_of: datetime, shop: str) -> Policy:
        then = in_force(lane, as_of, shop)
        if (shop, then.reference) not in known:
            known[shop, then.reference] = in_place_of(then, of)
        return known[shop, then.reference]

    return reading


def in_force(lane: str, as_of: datetime, shop: str) -> Policy:
    """The policy that was served for a look as of a moment at a shop."""
    return policies.load(lane, as_of, settings_at(shop, settings()).policies)


def views(lane: str) -> Iterator[View]:
    """Every look of a lane whose facts were kept, dry runs included."""
    tower = settings()
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    for run, length in _chains(ledger):
        kept: dict[str, Record] = {}
        parts: dict[Address, Record] = {}  # by what each was given: one whose worker was lost was looked at twice
        for record in chain(archive, run):
            if record.number > length or "detect" in kept:
                break
            kept[record.step] = record
            if record.step == "look-at-part" and not record.error and _by_policy_of(record, lane):
                parts[record.inputs["part"]] = record
        if _watched(archive, kept, lane):
            yield _view(archive, lane, kept["detect"])
        yield from (_part(archive, lane, record) for record in parts.values())


def _chains(ledger: Ledger) -> list[tuple[str, int]]:
    from sqlalchemy import select
    from sqlmodel import col

    with ledger.read() as session:
        return sorted((row.run, row.length) for row in session.scalars(select(ChainRow).order_by(col(ChainRow.run))))


def _watched(archive: Archive, kept: dict[str, Record], lane: str) -> bool:
    """Whether a run saw the lane's facts of the whole shop: a look at one order again did not."""
    gathered, detected = kept.get("gather"), kept.get("detect")
    if gathered is None or detected is None or detected.error:
        return False
    whole = archive.nouns(gathered.inputs["orders"]) == []
    return whole and _by_policy_of(detected, lane)


def _by_policy_of(record: Record, lane: str) -> bool:
    return record.versions.get("policy", "").partition("@")[0] == lane


def _view(archive: Archive, lane: str, detected: Record) -> View:
    accepted = archive.nouns(detected.inputs["accepted"])
    shop, as_of = Shop.model_validate(accepted["shop"]), datetime.fromisoformat(accepted["as_of"]).astimezone(UTC)
    return View(lane, detected.run, shop, as_of, detected.started_at, detected.outputs["result"])


def _part(archive: Archive, lane: str, looked: Record) -> View:
    found = archive.nouns(looked.outputs["result"])
    shop, as_of = Shop.model_validate(found["accepted"]["shop"]), datetime.fromisoformat(found["accepted"]["as_of"])
    facts = looked.outputs["result.facts"]
    return View(lane, looked.run, shop, as_of.astimezone(UTC), looked.started_at, facts, found["number"])


def facts_of(view: View) -> Kept:
    """The facts of a view.

    Raises:
        BrokenChain: they are gone, or not what was kept.
    """
    archive = open_archive(settings().artifacts)
    archive.verify(*view.facts)
    return archive.described("facts", archive.local(view.facts), view.facts[1])


def _newest(several: Iterable[View]) -> list[View]:
    """The newest look first; of runs that looked at one shop as of one moment, as a dry run may have, the last."""
    ordered = sorted(several, key=lambda view: (view.as_of, view.kept_at), reverse=True)
    found: dict[tuple[str, datetime, int], View] = {}
    for view in ordered:
        found.setdefault((view.shop.id, view.as_of, view.part), view)
    return list(found.values())


def _decided(chosen: Sequence[View], before: Supposed, after: Supposed) -> Iterator[tuple[Looked, Flips | None]]:
    """Each view's subjects that no newer view has, decided by both versions; None where it has no such subject."""
    archive = open_archive(settings().artifacts)
    seen: dict[str, list[pa.Array]] = {}
    for view in chosen:
        was, now = before(view.as_of, view.shop.id), after(view.as_of, view.shop.id)
        kept = facts_of(view)
        _complete(view, kept, was, now)
        fresh = unseen(archive.frame(kept, [now.subject])[now.subject], seen.setdefault(view.shop.id, []))
        looked = Looked(run=view.run, shop=view.shop.id, as_of=view.as_of, kept=kept.rows, decided=len(fresh))
        if not len(fresh) and view is not chosen[0]:
            yield looked, None
            continue
        wanted = {*was.facts, *now.facts}
        facts = archive.frame(kept, [name for name in kept.columns if name in wanted])
        yield looked, compare(was, now, facts.take(fresh), view.as_of, view.shop)


def unseen(subjects: pd.Series[str], seen: list[pa.Array]) -> npt.NDArray[np.intp]:
    """The rows whose subject was not seen yet; they are seen from now on."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    held = pa.array(subjects.array, type=pa.large_string())
    names = held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held  # a chunk for each row group
    known = pc.is_in(names, value_set=pa.concat_arrays(seen)) if seen else pa.repeat(False, len(names))
    fresh = np.flatnonzero(~np.asarray(known))
    seen.append(names.take(pa.array(fresh)))
    return fresh


def _complete(view: View, kept: Kept, *several: Policy) -> None:
    """Refuse to decide by facts that nobody kept."""
    for policy in several:
        lacking = [name for name in policy.facts if name not in kept.columns]
        if lacking:
            raise PolicyError(
                f"reads {', '.join(lacking)}, which run {view.run} as of {view.as_of:%Y-%m-%d %H:%M} did not keep",
                where=policy.reference,
                remedy=nearest(lacking[0], kept.columns),
            )


def _nothing(held: dict[str, list[View]], since: datetime, until: datetime) -> NotFound:
    lanes = " and ".join(held)
    days = sorted(view.as_of for several in held.values() for view in several)
    remedy = f"`tower run {next(iter(held))}` keeps one"
    if days:
        remedy = f"{len(days)} are kept, as of {days[0]:%Y-%m-%d %H:%M} to {days[-1]:%Y-%m-%d %H:%M} UTC"
    return NotFound(
        f"no run of {lanes} was kept as of {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC", remedy=remedy
    )
