"""What is kept: the ledger and its revision, the artifacts, and the policies that are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import text

from control_tower.errors import TowerError
from control_tower.keeping.step import open_archive
from control_tower.ledger.database import open_engine
from control_tower.ledger.revisions import must_be_head, revision_at
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
    engine.dispose()


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
