"""What is kept: the ledger and its revision, the artifacts, and the policies that are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from control_tower.errors import TowerError
from control_tower.keeping.step import open_archive
from control_tower.ledger.engine import open_engine
from control_tower.ledger.revisions import must_be_head, revision_at
from control_tower.ledger.same_key import is_written, newest_is_ours
from control_tower.settings import Settings
from desk.doctor.finding import Finding
from desk.doctor.machine import time_apart


def ledger(tower: Settings) -> Iterator[Finding]:
    """Whether it can be read, is of this release's revision, and has this machine's time; none is made."""
    found = revision_at(tower.ledger)
    engine = open_engine(tower.ledger)
    name = engine.dialect.name
    if found is None:
        yield Finding("ledger", f"{name}: none yet; the first run makes it")
        return
    must_be_head(engine, found)
    yield Finding("ledger", f"{name}, at revision {found}")
    if name == "postgresql":
        with engine.connect() as connection:
            there = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        yield time_apart((there - datetime.now(UTC)).total_seconds(), "the ledger")
    yield from _key(engine, tower)
    engine.dispose()


def _key(engine: Engine, tower: Settings) -> Iterator[Finding]:
    """Whether this machine would go on writing the journal with the key that it was written with."""
    if not is_written(engine):
        return
    remedy = "set TOWER_APPROVER_KEY to the key in approvers.key of the machine that wrote it, on all of them"
    if tower.approver_key is None and not (tower.folder / "approvers.key").exists():
        yield Finding("key", "this machine has none, and the ledger was written with one", remedy)
        return
    ours = newest_is_ours(engine)
    if ours is not None:
        told = "is the one that the ledger was last written with" if ours else "is not that of whoever wrote last"
        yield Finding("key", told, "" if ours else remedy)


def artifacts(tower: Settings) -> Iterator[Finding]:
    """Where files are kept, and whether one can be written and read back."""
    try:
        archive = open_archive(tower.artifacts)
        address = archive.keep_nouns("asked by tower doctor")
        archive.verify(*address)
    except OSError as fault:
        yield Finding(
            "artifacts", f"can't be written: {type(fault).__name__}", "see to TOWER_ARTIFACTS_URL and its keys"
        )
    else:
        yield Finding("artifacts", f"{archive.url}: written and read back")


def policies() -> Iterator[Finding]:
    """Every policy that is there, read."""
    from policies.disclosure import disclosure
    from policies.messages import messages
    from policies.reader import names, versions

    try:
        read = [one.reference for name in names() for one in versions(name)]
        yield Finding("policies", ", ".join([*read, disclosure().reference, messages().reference]))
    except TowerError as fault:
        yield Finding("policies", fault.what, fault.remedy or "`tower policy lint` says where")
