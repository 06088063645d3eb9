"""What the ledger's database keeps of models: every try with what was sent, and the brief of each case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from control_tower.ledger.moments import Moment


class ModelCall(SQLModel, table=True):
    """One try: budget, cache, breaker and the record of what was sent are all read from these rows."""

    __tablename__ = "model_calls"
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(index=True)  # digest of prompt, model, evidence and what was sent
    lane: str
    case_id: str = Field(index=True)
    prompt: str  # name and version
    model: str = Field(index=True)
    evidence: str
    sent: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    received: str = ""
    outcome: str  # asked, answered, or why not
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: int  # millionths of a dollar: reserved when asked, as counted when answered
    milliseconds: int = 0
    at: datetime = Field(sa_column=Column(Moment, nullable=False, index=True))


class BriefRow(SQLModel, table=True):
    """The newest brief of a case, and the evidence that it was made from."""

    __tablename__ = "briefs"
    case_id: str = Field(primary_key=True)
    evidence: str
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_column=Column(Moment, nullable=False))


CALLS = ModelCall.__table__  # type: ignore[attr-defined]
TABLES: list[Any] = [CALLS, BriefRow.__table__]  # type: ignore[attr-defined]
