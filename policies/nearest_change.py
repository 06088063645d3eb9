"""Nearest change: what would have to be otherwise for a rule or a table to say something else.

The fewest facts that would do it, and of a number or a day the nearest value; each is evaluated before
it is told. What names somebody or something is left as it is, and so is the day of purchase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from policies.document import Document


@dataclass(frozen=True)
class Change:
    """Other values of some facts, what would be said then, and both in a sentence."""

    facts: dict[str, bool | int | float | str]
    outcome: str | float
    sentence: str


def nearest_changes(
    document: Document, facts: Mapping[str, Any], as_of: date, name: str, milliseconds: int = 2000
) -> list[Change]:
    """What would have to change for another answer of a rule, or another outcome of a table.

    Args:
        facts: one subject's facts, as plain values; those left out are missing. What is concluded from
            them may be there too and is concluded anew.
        as_of: the day whose numbers hold; of purchase, for an entitlement by itself.
        name: a kind of the policy, or a table of the document or of what customers were promised.
        milliseconds: how long the solver may think about one question.

    Returns:
        The most plausible first: what changes by itself with time, then what may still become known.
        Empty where nothing that may change makes a difference, or the solver ran out of time.

    Raises:
        PolicyError: there is no such rule or table, or a fact is of another type.
    """
    from policies.lint.nearest import Search

    return Search(document, facts, as_of, name, milliseconds).changes()
