"""Tables: decide an outcome by ranges of facts, over a frame or over one row, with the same answer.

Rows answer yes, no or unknown. Missing evidence never makes an outcome more generous: where a row that
may or may not hold is stricter than what is known to hold, the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from control_tower.nouns import Answer
from policies.expressions import Expression
from policies.terms import Fact, Table
from policies.truth import Columns, evaluate
from policies.verdict import Value, verdict

Places = npt.NDArray[np.int16]
UNKNOWN, GAP = -1, -2  # no outcome: evidence is missing; no row speaks of it


class Decided(NamedTuple):
    """For each row of facts: the place of the outcome, or UNKNOWN or GAP, and of the row that decided, or -1."""

    outcome: Places
    row: Places


def decide(table: Table, conditions: Sequence[Expression], columns: Columns) -> Decided:
    """Decide every row of facts.

    Args:
        conditions: of each row of the table, in order.
    """
    size = len(columns)
    truths = [evaluate(condition, columns) for condition in conditions]
    ranks = [table.rank(row.then) for row in table.rows]
    outcome = np.full(size, GAP, dtype=np.int16)
    deciding = np.full(size, -1, dtype=np.int16)
    if table.hit == "first":
        undecided = np.ones(size, dtype=bool)
        for number, (truth, rank) in enumerate(zip(truths, ranks, strict=True)):
            outcome[undecided & truth.yes], deciding[undecided & truth.yes] = rank, number
            outcome[undecided & truth.unknown] = UNKNOWN
            undecided &= truth.no
    else:
        perhaps = np.full(size, -1, dtype=np.int16)  # the strictest outcome of a row that is unknown
        for number, (truth, rank) in enumerate(zip(truths, ranks, strict=True)):
            stricter = truth.yes & (rank > outcome)
            outcome[stricter], deciding[stricter] = rank, number
            perhaps[truth.unknown & (rank > perhaps)] = rank
        doubtful = (perhaps >= 0) & (perhaps > outcome)
        outcome[doubtful], deciding[doubtful] = UNKNOWN, -1
    if table.otherwise is not None:
        outcome[outcome == GAP] = table.rank(table.otherwise)
    return Decided(outcome, deciding)


@dataclass(frozen=True)
class Decision:
    """One row's outcome, None if unknown; the row that decided; what was lacking; every row's answer."""

    outcome: str | float | None
    row: int | None
    gap: bool
    missing: tuple[str, ...]
    answers: tuple[Answer, ...]
    values: dict[str, Value]


def decide_one(
    table: Table,
    conditions: Sequence[Expression],
    facts: Mapping[str, Any],
    catalogue: Mapping[str, str],
    declared: Mapping[str, Fact] | None = None,
) -> Decision:
    """Decide one row of facts; the answer is `decide`'s."""
    verdicts = [verdict(condition, facts, catalogue, declared) for condition in conditions]
    answers = tuple(said.answer for said in verdicts)
    ranks = [table.rank(row.then) for row in table.rows]
    values = {name: value for said in verdicts for name, value in said.values.items()}
    place, doubtful = _first(answers) if table.hit == "first" else _strictest(answers, ranks)
    lacking = {name for number in doubtful for name in verdicts[number].missing}
    outcome: str | float | None = None
    if place is not None:
        outcome = table.rows[place].then
    elif not doubtful:
        outcome = table.otherwise
    gap = place is None and not doubtful and table.otherwise is None
    return Decision(outcome, place, gap, tuple(sorted(lacking)), answers, values)


def _first(answers: Sequence[Answer]) -> tuple[int | None, list[int]]:
    for number, answer in enumerate(answers):
        if answer is Answer.yes:
            return number, []
        if answer is Answer.unknown:
            return None, [number]
    return None, []


def _strictest(answers: Sequence[Answer], ranks: Sequence[int]) -> tuple[int | None, list[int]]:
    """The row that decides, or the rows that may hold and would be stricter."""
    best = max((rank for rank, answer in zip(ranks, answers, strict=True) if answer is Answer.yes), default=-1)
    doubtful = [n for n, answer in enumerate(answers) if answer is Answer.unknown and ranks[n] > best]
    if doubtful or best < 0:
        return None, doubtful
    return next(n for n, answer in enumerate(answers) if answer is Answer.yes and ranks[n] == best), []
