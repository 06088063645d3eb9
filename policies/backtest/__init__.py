"""Backtest: what another version of a policy would have decided about the facts that were kept."""

from policies.backtest.counterexamples import Counterexample, Side
from policies.backtest.flips import Amounts, Asked, Flips, Load, Sum, Turned, compare, together
from policies.backtest.outcomes import Outcomes, outcomes
from policies.backtest.supposing import in_place_of, supposed

__all__ = [
    "Amounts",
    "Asked",
    "Counterexample",
    "Flips",
    "Load",
    "Outcomes",
    "Side",
    "Sum",
    "Turned",
    "compare",
    "in_place_of",
    "outcomes",
    "supposed",
    "together",
]
