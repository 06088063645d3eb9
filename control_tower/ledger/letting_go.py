"""What the book knows of files that are gone on purpose: let go by age, or without somebody who was erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlmodel import col

from control_tower.ledger.database import Ledger
from control_tower.ledger.tables import ChainRow, ErasedRow, EventRow


class RunAge(NamedTuple):
    """One run, since when it is kept, and what of it was let go."""

    run: str
    began_at: datetime
    let_go: Mapping[str, str]


class Gone(NamedTuple):
    """Why a file is gone, and the digest of the file in its place; empty where none is."""

    why: str
    instead: str = ""


def run_ages(ledger: Ledger) -> list[RunAge]:
    """Every run, oldest first."""
    with ledger.read() as session:
        rows = session.scalars(select(ChainRow).order_by(col(ChainRow.began_at), col(ChainRow.run)))
        return [RunAge(row.run, row.began_at, row.let_go) for row in rows]


def note_let_go(ledger: Ledger, runs: Iterable[tuple[RunAge, Iterable[str]]], reference: str, now: datetime) -> None:
    """Write down, before any file goes, what of which runs may be gone from now on."""
    with ledger.write() as session:
        for age, shelves in runs:
            gone = dict(age.let_go) | dict.fromkeys(shelves, f"{now:%Y-%m-%d}")
            session.execute(update(ChainRow).where(col(ChainRow.run) == age.run).values(let_go=gone))
            detail = f"{', '.join(sorted(shelves))} by {reference}"
            session.add(EventRow(subject=f"run:{age.run}", what="let go", detail=detail, at=now))


def erased_files(ledger: Ledger) -> dict[tuple[str, str], Gone]:
    """Shelf and digest of each file that held somebody who was erased: when, and what stands in its place now."""
    with ledger.read() as session:
        rows = {(row.shelf, row.digest): row for row in session.scalars(select(ErasedRow))}
    found = {}
    for (shelf, digest), row in rows.items():
        last = row
        while (shelf, last.instead) in rows:  # somebody else was erased from the file in its place
            last = rows[shelf, last.instead]
        found[shelf, digest] = Gone(f"erased on {row.at:%Y-%m-%d}", last.instead)
    return found


def note_erased(ledger: Ledger, erasure: str, moved: Sequence[tuple[tuple[str, str, str], str]], now: datetime) -> None:
    """Write down, before any file goes, which files go and what stands in their place."""
    with ledger.write() as session:
        for (shelf, digest, suffix), instead in moved:
            session.merge(
                ErasedRow(shelf=shelf, digest=digest, suffix=suffix, erasure=erasure, instead=instead, at=now)
            )


def gone_since(let_go: Mapping[str, str], shelf: str) -> Gone | None:
    """Why files of a run on a shelf may be gone."""
    day = let_go.get(shelf)
    return Gone(f"let go on {date.fromisoformat(day):%Y-%m-%d}") if day else None
