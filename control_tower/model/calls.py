"""The record of tries: what may still be spent, whether a model is failing, and what was answered before."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import col

from control_tower.ledger import Ledger
from control_tower.model.tables import ModelCall
from control_tower.model.why import Why

FAILURES = 3
REST = timedelta(minutes=10)
DOLLAR = 1_000_000
SETTLED = ("answered", *(why.value for why in Why if why.lasts))


class Calls:
    """The tries of one tower."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def resting(self, model: str, now: datetime) -> bool:
        """Whether the breaker is open: the last tries all failed, the newest of them a short time ago.

        Once the rest is over one try is let through, and the breaker is open again if it fails.
        """
        with self.ledger.read() as session:
            rows = session.execute(
                select(col(ModelCall.outcome), col(ModelCall.at))
                .where(col(ModelCall.model) == model, col(ModelCall.outcome) != "asked")
                .order_by(col(ModelCall.id).desc())
                .limit(FAILURES)
            ).all()
        failed = [outcome for outcome, _ in rows if outcome != "answered"]
        return len(failed) == FAILURES and now - rows[0][1] < REST

    def reserve(self, call: ModelCall, day_limit: float, lane_limit: float) -> int | None:
        """Write a try down before it is made, with the most that it can cost; None when the budget does not hold it.

        Args:
            day_limit: dollars a UTC day for all lanes.
            lane_limit: dollars a UTC day for the call's lane.
        """
        begin = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
        day = (col(ModelCall.at) >= begin) & (col(ModelCall.at) < begin + timedelta(days=1))
        spent = func.coalesce(func.sum(col(ModelCall.cost)), 0)
        with self.ledger.write() as session:
            in_all = int(session.scalar(select(spent).where(day)) or 0)
            by_lane = int(session.scalar(select(spent).where(day, col(ModelCall.lane) == call.lane)) or 0)
            if in_all + call.cost > day_limit * DOLLAR or by_lane + call.cost > lane_limit * DOLLAR:
                return None
            session.add(call)
            session.flush()
            return call.id

    def settle(self, id: int, **found: Any) -> None:
        """Write down how a try ended."""
        with self.ledger.write() as session:
            session.execute(update(ModelCall).where(col(ModelCall.id) == id).values(**found))

    def settled(self, key: str) -> ModelCall | None:
        """The newest try of the very same question that was answered, or failed in a way that lasts."""
        with self.ledger.read() as session:
            return session.scalars(
                select(ModelCall)
                .where(col(ModelCall.key) == key, col(ModelCall.outcome).in_(SETTLED))
                .order_by(col(ModelCall.id).desc())
                .limit(1)
            ).first()

    def of_case(self, case: str) -> list[ModelCall]:
        """Every try about a case, oldest first."""
        with self.ledger.read() as session:
            found = select(ModelCall).where(col(ModelCall.case_id) == case).order_by(col(ModelCall.id))
            return list(session.scalars(found))

    def since(self, moment: datetime) -> list[tuple[str, str, int]]:
        """Lane, outcome and cost of every try since a moment."""
        with self.ledger.read() as session:
            found = select(col(ModelCall.lane), col(ModelCall.outcome), col(ModelCall.cost))
            return [(lane, why, cost) for lane, why, cost in session.execute(found.where(col(ModelCall.at) >= moment))]


def cost_of(tokens_in: int, tokens_out: int, price_in: float, price_out: float) -> int:
    """Millionths of a dollar, rounded up; prices are dollars a million tokens."""
    return int(-(-(tokens_in * price_in + tokens_out * price_out) // 1))


def forget_prompts(ledger: Ledger, before: datetime, held: Collection[str]) -> int:
    """Take away what was sent and received before a moment, but of held cases; that it was asked stays.

    Returns:
        How many tries it was taken away from.
    """
    with ledger.write() as session:
        old = select(ModelCall).where(col(ModelCall.at) < before, col(ModelCall.case_id).not_in(held))
        rows = [row for row in session.scalars(old) if row.sent or row.received]
        for row in rows:
            row.sent, row.received = [], ""
    return len(rows)
