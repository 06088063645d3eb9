"""A prepared brief: which evidence matters first, what is quoted, and who chose. Kept for each case, newest only.

It holds ids and codes, and quotes that were found in the evidence; no sentence, and no field in which to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import delete, insert, select
from sqlmodel import col

from control_tower.batches import batches
from control_tower.ledger import Ledger
from control_tower.model.tables import BriefRow
from control_tower.nouns import Noun

BATCH = 500


class Quoted(Noun):
    """A part of a text that somebody outside wrote, letter by letter, and where it stands."""

    subject: str
    fact: str
    written_by: str
    text: str
    read_as: str = Field(default="", description="a meaning on paper that the whole text has; empty if none is read")


class Brief(Noun):
    """What was prepared of a case."""

    case_id: str
    evidence: str = Field(description="digest of the evidence that it was made from")
    source: Literal["model", "template"]
    why: str = Field(default="", description="why a template: a code of `Why`; empty for a model's")
    model: str = ""
    prompt: str = ""
    points: tuple[str, ...] = Field(default=(), description="ids of evidence, the most important first")
    quotes: tuple[Quoted, ...] = ()
    reason: str = Field(
        default="", description="a code: what the customer's words give as the reason; empty if unclear"
    )
    missing: dict[str, str] = Field(default={}, description="facts to ask for before deciding, and who has each")


class Briefs:
    """The briefs of one tower."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def keep(self, brief: Brief, now: datetime) -> None:
        """Keep it in place of the case's last one."""
        row = {"case_id": brief.case_id, "evidence": brief.evidence, "body": brief.model_dump(mode="json"), "at": now}
        with self.ledger.write() as session:
            session.execute(delete(BriefRow).where(col(BriefRow.case_id) == brief.case_id))
            session.execute(insert(BriefRow).values(**row))

    def of(self, cases: Sequence[str]) -> dict[str, Brief]:
        """The newest brief of each case that has one."""
        found: dict[str, Brief] = {}
        with self.ledger.read() as session:
            for batch in batches(cases, BATCH):
                rows = session.scalars(select(BriefRow).where(col(BriefRow.case_id).in_(batch)))
                found |= {row.case_id: Brief.model_validate(row.body) for row in rows}
        return found
