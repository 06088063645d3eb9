"""Erasures in the book: who was struck out, by a code of their id; and striking them out of the book itself."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Table, inspect, select, update
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from control_tower.authority import Authority, must_answer_for
from control_tower.errors import LedgerError
from control_tower.ledger.database import Ledger
from control_tower.ledger.holds import by_a_keeper
from control_tower.ledger.proofs import Proof
from control_tower.ledger.sealed import journal_key, seal, unseal
from control_tower.ledger.tables import CaseRow, EffectRow, ErasureRow, EventRow, HoldRow, ProposalRow
from control_tower.nouns import EffectState, digest_of

PEOPLE = (
    "cases",
    "proposals",
    "rulings",
    "votes",
    "effects",
    "events",
    "outbox",
    "slack_inbox",
    "model_calls",
    "briefs",
)
"""The tables that can tell of a customer."""
UNSETTLED = (EffectState.intended.value, EffectState.sent.value, EffectState.unknown.value)


def code_of(customer: str, shop: str) -> str:
    """The code of a customer id under this tower's key: whoever has the id can find it, nobody can read it back."""
    named = f"customer {customer} of {shop}" if shop else f"customer {customer}"
    return hmac.digest(journal_key(), named.encode(), "sha256").hex()


@dataclass(frozen=True)
class KnownBy:
    """What a person is known by: their orders, values that say who they are, and what they wrote."""

    orders: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def __or__(self, other: KnownBy) -> KnownBy:
        """All that either says."""
        return KnownBy(self.orders | other.orders, self.names | other.names, self.words | other.words)


def begin_erasure(
    ledger: Ledger, customer: str, known: KnownBy, by: Proof, authority: Authority, why: str, now: datetime,
    shop: str,
) -> tuple[str, KnownBy]:  # fmt: skip
    """Write down that a person is to be struck out; what was begun and not ended goes on under the same name.

    Args:
        shop: whose customer they are, where the tower has several: one of the same id elsewhere is somebody else.

    Returns:
        What stands in their place; and what they are known by, with what was known when it was begun, for an
        erasure that was killed has taken some of that away.

    Raises:
        NotProved: the proof does not prove an enrolled person.
        NoAuthority: the person may not.
        LedgerError: something of theirs is open or held, or no reason was given.
    """
    code = code_of(customer, shop)
    name = f"erased-{code[:12]}"
    with by_a_keeper(ledger, by, authority, why, now) as (session, keeper):
        must_answer_for(keeper, shop)
        row = session.get(ErasureRow, name)
        if row and row.told:
            known |= _known(unseal(row.told))
        if open_business := _open_business(session, set(known.orders), shop):
            raise LedgerError(f"can't be erased yet: {'; '.join(open_business)}", remedy="settle or release that first")
        row = row or ErasureRow(id=name, person=code, why=why[:1000], by=keeper.name, at=now)
        row.ended_at, row.told = None, seal(json.dumps({name: sorted(some) for name, some in vars(known).items()}))
        session.add(row)
        session.add(EventRow(subject=f"erasure:{name}", what="begun", detail=f"{keeper.name}: {why}"[:1000], at=now))
    return name, known


def _known(text: str) -> KnownBy:
    return KnownBy(**{name: frozenset(some) for name, some in json.loads(text).items()})


def end_erasure(ledger: Ledger, name: str, files: int, rows: int, now: datetime) -> None:
    """Write down what it came to."""
    with ledger.write() as session:
        row = session.get_one(ErasureRow, name)
        row.files, row.rows, row.ended_at, row.told = row.files + files, row.rows + rows, now, ""
        session.add(EventRow(subject=f"erasure:{name}", what="ended", detail=f"{files} files, {rows} rows", at=now))


def _open_business(session: Session, orders: set[str], shop: str) -> list[str]:
    """What of theirs is not over: open cases, proposals, effects in the air, holds."""

    def theirs(order: str, of: object) -> bool:
        return order in orders and shop in ("", of)

    every = session.scalars(select(CaseRow))
    cases = [row for row in every if orders & set(_orders(row)) and shop in ("", row.shop)]
    ids = {case.id for case in cases}
    found = [f"case {row.id} is open" for row in cases if row.standing == "open"]
    held = session.scalars(select(HoldRow).where(col(HoldRow.released_at).is_(None)))
    found += [f"case {row.case_id} is held: {row.why}" for row in held if row.case_id in ids]
    asked = session.scalars(select(ProposalRow).where(col(ProposalRow.standing).in_(("waiting", "approved"))))
    waiting = [row for row in asked if theirs(row.order_id, row.body.get("shop"))]
    found += [f"proposal {row.digest[:12]} is {row.standing}" for row in waiting]
    effects = session.scalars(select(EffectRow).where(col(EffectRow.state).in_(UNSETTLED)))
    found += [f"effect {row.key[:12]} is {row.state}" for row in effects if theirs(row.order_id, row.shop)]
    return found


def _orders(row: CaseRow) -> list[str]:
    orders: Any = row.body.get("orders", [])
    return [str(order) for order in orders]


def orders_of(ledger: Ledger, customer: str, shop: str) -> set[str]:
    """The orders that the book knows to be a customer's, in a shop where one is named."""
    with ledger.read() as session:
        rows = session.scalars(select(ProposalRow))
        return {
            row.order_id for row in rows if row.body.get("customer") == customer and shop in ("", row.body.get("shop"))
        }


def about(ledger: Ledger, orders: set[str], shop: str) -> tuple[set[str], set[str], set[str]]:
    """The ids of the cases, proposals and paused runs that are about some orders, in a shop where one is named."""
    with ledger.read() as session:
        every = session.scalars(select(CaseRow))
        cases = {row.id for row in every if orders & set(_orders(row)) and shop in ("", row.shop)}
        asked = session.scalars(select(ProposalRow))
        rows = [row for row in asked if row.order_id in orders and shop in ("", row.body.get("shop"))]
    return cases, {row.digest for row in rows}, {row.flow_run_id for row in rows if row.flow_run_id}


def strike_rows(
    ledger: Ledger, mentions: Callable[[str], bool], struck: Callable[[Any], Any], changed: Callable[[str], object],
    shop: str,
) -> int:  # fmt: skip
    """Strike a person out of every row of the book that mentions them; as the tower's own change, in the journal.

    Args:
        mentions: whether a row's text is about them.
        struck: a value without them.
        changed: called with the table's name for each row that was changed.
        shop: whose rows alone, where one is named; a row that says of no shop is everybody's.

    Returns:
        How many rows were changed.
    """
    import control_tower.model.tables
    import control_tower.slack.tables  # noqa: F401 - two that nobody may have loaded yet

    count, others = 0, names_of_others(ledger, shop) if shop else frozenset[str]()
    for name in PEOPLE:
        if not inspect(ledger.engine).has_table(name):
            continue
        table = SQLModel.metadata.tables[name]
        with ledger.write() as session:
            for row in list(session.connection().execute(select(table)).mappings()):
                if not mentions(json.dumps(dict(row), default=str, ensure_ascii=False)):
                    continue
                if shop and _is_of_another(dict(row), shop, others):
                    continue
                after = {key: struck(value) for key, value in row.items() if _may_change(table, key, value)}
                fresh = {key: value for key, value in after.items() if value != row[key]}
                if fresh and name == "outbox":  # what was posted is changed where it was posted, too
                    said = {key: after.get(key, row[key]) for key in ("key", "text", "blocks")}
                    fresh |= {"revision": digest_of(list(said.values())), "state": "pending"}
                if fresh:
                    keys = (column == row[column.name] for column in table.primary_key.columns)
                    session.execute(update(table).where(*keys).values(**fresh))
                    changed(name)
                    count += 1
    return count


def names_of_others(ledger: Ledger, shop: str) -> frozenset[str]:
    """The ids of the cases and the digests of the proposals of every other shop."""
    with ledger.read() as session:
        cases = session.scalars(select(col(CaseRow.id)).where(col(CaseRow.shop) != shop)).all()
        asked = [row.digest for row in session.scalars(select(ProposalRow)) if row.body.get("shop") != shop]
    return frozenset([*cases, *asked])


def _is_of_another(row: dict[str, Any], shop: str, others: frozenset[str]) -> bool:
    """Whether a row says that it is another shop's, or is about a case or a proposal of one."""
    body = row.get("body")
    said = row.get("shop") or (body.get("shop") if isinstance(body, dict) else None)
    if said:
        return bool(said != shop)
    about = [row.get(name) for name in ("proposal", "case_id", "key", "subject", "digest")]
    about += [body.get("proposal")] if isinstance(body, dict) else []
    return any(str(name).rpartition(":")[2] in others for name in about if name)


def _may_change(table: Table, key: str, value: Any) -> bool:
    column = table.c[key]
    return not column.primary_key and (isinstance(column.type, JSON) or isinstance(value, str))
