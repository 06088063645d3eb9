"""What the ledger keeps, a row each. A `body` is the noun itself, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel

from control_tower.authority import ALL_SHOPS
from control_tower.ledger.moments import Moment


def _moment(*, index: bool = False, nullable: bool = False) -> Column[datetime]:
    return Column(Moment, index=index, nullable=nullable)


class CaseRow(SQLModel, table=True):
    """One case: one root cause in one shop, for as long as it lasts."""

    __tablename__ = "cases"
    id: str = Field(primary_key=True)
    lane: str = Field(index=True)
    shop: str
    pivot: str
    title: str
    standing: str = Field(index=True)  # open | closed
    material: str  # digest of what makes a change worth telling
    severity: str
    team: str = Field(index=True)
    owner: str
    amount: int | None = None
    currency: str | None = None
    priority: float
    due_at: datetime = Field(sa_column=_moment())
    opened_at: datetime = Field(sa_column=_moment())
    seen_as_of: datetime = Field(sa_column=_moment())
    closed_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    closed_reason: str = ""
    body: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    __table_args__ = (Index("cases_by_lane_and_shop", "lane", "shop", "standing"),)


class ProposalRow(SQLModel, table=True):
    """One proposal: unique by what a ruling on it would cover."""

    __tablename__ = "proposals"
    digest: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    order_id: str = Field(index=True)
    # waiting | approved | rejected | void | withdrawn | expired | done | refused | by hand
    standing: str = Field(index=True)
    detail: str = ""
    flow_run_id: str | None = None
    undoes: str = ""  # the key of the effect that it takes back, where a person asked for that
    round: int = 1  # opened afresh, a proposal waits in its next round
    reminded: int = 0
    escalated_to: str = ""
    opened_at: datetime = Field(sa_column=_moment())
    body: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class RulingRow(SQLModel, table=True):
    """One ruling: the primary key makes a second one for the same proposal impossible while it holds."""

    __tablename__ = "rulings"
    proposal: str = Field(primary_key=True)
    round: int = Field(default=1, primary_key=True)
    verdict: str
    approver: str
    reason: str
    reason_code: str = ""
    via: str
    ruled_at: datetime = Field(sa_column=_moment(index=True))
    amount: int | None = None  # what may move, where a person changed it
    role: str = ""
    on_behalf_of: str = ""
    seconded_by: str = ""
    authority: str = ""
    covered: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class VoteRow(SQLModel, table=True):
    """One person's approval of a proposal that takes more than one."""

    __tablename__ = "votes"
    proposal: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    approver: str = Field(primary_key=True)
    amount: int | None = None
    role: str = ""
    on_behalf_of: str = ""
    reason: str
    reason_code: str = ""
    via: str
    at: datetime = Field(sa_column=_moment(index=True))


class ApproverRow(SQLModel, table=True):
    """One enrolled person; of the token only a hash is kept, and the secret of the codes sealed."""

    __tablename__ = "approvers"
    name: str = Field(primary_key=True)
    email: str = ""
    roles: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    customers: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    token_hash: str
    token_expires_at: datetime = Field(sa_column=_moment())
    code_secret: str = ""
    code_count: int = 0  # the time step of the last code used: no code is used twice
    wrong_codes: int = 0
    locked_until: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    enrolled_at: datetime = Field(sa_column=_moment())
    revoked_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    shops: list[str] = Field(default_factory=lambda: [ALL_SHOPS], sa_column=Column(JSON, nullable=False))


class SlackUserRow(SQLModel, table=True):
    """One Slack user, who is one approver."""

    __tablename__ = "slack_users"
    team: str = Field(primary_key=True)
    user: str = Field(primary_key=True)
    approver: str = Field(index=True)


class EffectRow(SQLModel, table=True):
    """One logical effect; the primary key makes it happen at most once."""

    __tablename__ = "effects"
    key: str = Field(primary_key=True)
    action: str
    order_id: str = Field(index=True)
    amount: int | None = None
    currency: str | None = None
    state: str = Field(index=True)
    store_reference: str = ""
    prior: dict[str, object] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    detail: str = ""
    holder: str = ""  # the run that acts, or acted last
    lane: str = Field(default="", index=True)
    shop: str = ""
    customer: str = Field(default="", index=True)
    approver: str = Field(default="", index=True)
    intended_at: datetime = Field(sa_column=_moment())
    changed_at: datetime = Field(sa_column=_moment())


class BreakerRow(SQLModel, table=True):
    """One time that a lane's hands were stopped, in one shop or in all, and by whom they were let go on."""

    __tablename__ = "breakers"
    id: int | None = Field(default=None, primary_key=True)
    lane: str = Field(index=True)
    why: str
    tripped_by: str = ""  # empty: it tripped by itself
    tripped_at: datetime = Field(sa_column=_moment())
    closed_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    closed_by: str = ""
    closed_why: str = ""
    shop: str = ""  # empty: in every shop


class RungRow(SQLModel, table=True):
    """One time that a lane came to stand on a rung; rows are only added, and the newest of a lane in a shop counts."""

    __tablename__ = "rungs"
    id: int | None = Field(default=None, primary_key=True)
    lane: str = Field(index=True)
    rung: str  # observe | route | recommend | act
    why: str
    by: str = ""  # empty: it fell by itself
    at: datetime = Field(sa_column=_moment())
    shop: str = ""  # the id of a shop of the tower's file; empty: the tower's one shop


class EventRow(SQLModel, table=True):
    """What happened to a case, a proposal, an effect or a lane, in order; rows are only added."""

    __tablename__ = "events"
    id: int | None = Field(default=None, primary_key=True)
    subject: str = Field(index=True)
    what: str
    detail: str
    at: datetime = Field(sa_column=_moment())


class ChainRow(SQLModel, table=True):
    """The head of one run's chain of records, so that a missing tail is seen."""

    __tablename__ = "chains"
    run: str = Field(primary_key=True)
    flow: str = ""  # the name of the flow that ran
    length: int
    head: str
    began_at: datetime = Field(sa_column=_moment(index=True))
    let_go: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # shelf to day: from then on files of this run on that shelf may be gone, by the retention policy


class LookRow(SQLModel, table=True):
    """One look of a lane at a shop, dry runs apart: how much was read and set aside, or which contract stopped it."""

    __tablename__ = "looks"
    run: str = Field(primary_key=True)
    lane: str = Field(index=True)
    source: str
    shop: str = ""  # empty where a breach came before the shop was known
    as_of: datetime = Field(sa_column=_moment())
    at: datetime = Field(sa_column=_moment(index=True))
    accepted: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    quarantined: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    breach: str = ""  # the contract and the rule that broke


class WatermarkRow(SQLModel, table=True):
    """How far a lane has looked at a source: what a look has to look at when only what changed is to be looked at."""

    __tablename__ = "watermarks"
    lane: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    run: str  # the look that wrote it
    as_of: datetime = Field(sa_column=_moment())
    whole_at: datetime = Field(sa_column=_moment())  # as of when everything was last looked at
    basis: str  # digest of what must be the same: code, policy and its numbers, tables, rung
    body: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class HoldRow(SQLModel, table=True):
    """One legal hold: what was kept about a case stays, until somebody releases it."""

    __tablename__ = "legal_holds"
    id: int | None = Field(default=None, primary_key=True)
    case_id: str = Field(index=True)
    why: str
    placed_by: str
    placed_at: datetime = Field(sa_column=_moment())
    released_by: str = ""
    released_why: str = ""
    released_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class ErasureRow(SQLModel, table=True):
    """One person who was struck out of what was kept, by a code of their customer id; nobody can read it back."""

    __tablename__ = "erasures"
    id: str = Field(primary_key=True)  # what stands in their place from then on
    person: str = Field(index=True)  # HMAC of the customer id under the tower's key
    why: str
    by: str
    at: datetime = Field(sa_column=_moment())
    files: int = 0
    rows: int = 0
    told: str = ""  # what they are known by, sealed, for as long as the erasure is under way
    ended_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class ErasedRow(SQLModel, table=True):
    """One kept file that held an erased person, and the file that stands in its place without them."""

    __tablename__ = "erased_files"
    shelf: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    suffix: str
    erasure: str = Field(index=True)
    instead: str  # the digest of the file in its place
    at: datetime = Field(sa_column=_moment())


class RestorationRow(SQLModel, table=True):
    """One time that the ledger was restored from a backup: which kept records it lost, and who answers for that."""

    __tablename__ = "restorations"
    id: int | None = Field(default=None, primary_key=True)
    by: str
    why: str
    at: datetime = Field(sa_column=_moment())
    since: datetime = Field(sa_column=_moment())  # when the first of those records was begun
    until: datetime = Field(sa_column=_moment())
    records: list[str] = Field(sa_column=Column(JSON, nullable=False))  # the digest of each


_ROWS: tuple[Any, ...] = (
    CaseRow,
    ProposalRow,
    RulingRow,
    VoteRow,
    ApproverRow,
    EffectRow,
    BreakerRow,
    RungRow,
    EventRow,
    ChainRow,
    LookRow,
    WatermarkRow,
    HoldRow,
    ErasureRow,
    ErasedRow,
    RestorationRow,
)
ALL = [row.__table__ for row in _ROWS]
SLACK_USERS = SlackUserRow.__table__  # type: ignore[attr-defined]
