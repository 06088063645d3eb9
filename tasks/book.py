"""The book as frames: what the ledger holds on cases, proposals, rulings and effects, as it was at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlmodel import SQLModel

from control_tower.keeping import Kept
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.tables import CaseRow, EffectRow, ProposalRow, RulingRow
from control_tower.nouns import Noun
from control_tower.settings import settings
from policies.measures import measures

if TYPE_CHECKING:
    import pandas as pd

TEXT: Any = "string[pyarrow]"


class Book(Noun):
    """A kept frame for each table of the book, of one shop."""

    frames: dict[str, Kept]

    @property
    def markdown(self) -> str:
        """Rows by table, for the artifact."""
        return ", ".join(f"{name} {kept.rows:,}" for name, kept in self.frames.items())


@step(touches="the ledger")
def read_book(shop: str, as_of: datetime) -> Book:
    """Cases, their orders, proposals, rulings and effects of one shop; nothing that happened after `as_of`."""
    tower = settings()
    archive, ledger = open_archive(tower.artifacts), open_ledger(tower.ledger)
    return Book(frames={name: archive.keep_frame(name, frame) for name, frame in _frames(ledger, shop, as_of).items()})


def _frames(ledger: Ledger, shop: str, as_of: datetime) -> dict[str, pd.DataFrame]:
    import pandas as pd

    cases = _read(
        ledger, CaseRow, ["id", "lane", "shop", "team", "owner", "currency", "opened_at", "closed_at", "body"], shop
    )
    cases = cases[cases["opened_at"] <= as_of]
    orders = [(id, order) for id, body in zip(cases["id"], cases["body"], strict=True) for order in body["orders"]]
    kinds = pd.Series(["|".join(body["kinds"]) for body in cases["body"]], index=cases.index, dtype=TEXT)
    held = measures().holdout
    cases = cases.drop(columns=["body", "shop"]).assign(
        kinds=kinds, held_out=pd.Series([held.holds(id) for id in cases["id"]], index=cases.index, dtype="boolean")
    )
    cases["closed_at"] = cases["closed_at"].where(cases["closed_at"] <= as_of)
    proposals = _read(ledger, ProposalRow, ["digest", "case_id", "order_id", "standing", "opened_at", "body"])
    proposals = proposals[proposals["case_id"].isin(cases["id"]) & (proposals["opened_at"] <= as_of)]
    action = pd.Series([body["action"] for body in proposals["body"]], index=proposals.index, dtype=TEXT)
    rulings = _read(ledger, RulingRow, ["proposal", "round", "verdict", "approver", "ruled_at", "amount"])
    rulings = rulings[rulings["proposal"].isin(proposals["digest"]) & (rulings["ruled_at"] <= as_of)]
    effects = _read(
        ledger, EffectRow, ["key", "action", "order_id", "amount", "currency", "state", "lane", "shop", "changed_at"],
        shop,
    )  # fmt: skip
    return {
        "cases": cases,
        "case_orders": pd.DataFrame(orders, columns=["id", "order_id"], dtype=TEXT),
        "proposals": proposals.drop(columns="body").assign(action=action),
        "rulings": rulings,
        "effects": effects[effects["changed_at"] <= as_of].drop(columns="shop"),
    }


def _read(ledger: Ledger, row: type[SQLModel], columns: Sequence[str], shop: str = "") -> pd.DataFrame:
    import pandas as pd

    table: Any = SQLModel.metadata.tables[str(row.__tablename__)]
    query = select(*(table.c[name] for name in columns)).order_by(*table.primary_key.columns)
    if shop:
        query = query.where(table.c.shop == shop)
    with ledger.read() as session:
        rows = session.connection().execute(query).all()
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in columns:
        if name.endswith("_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        elif name in ("amount", "round"):
            frame[name] = frame[name].astype("Int64")
        elif name != "body":
            frame[name] = frame[name].astype(TEXT)
    return frame
