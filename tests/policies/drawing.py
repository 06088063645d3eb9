"""Records drawn from what a document declares of its facts, near the numbers that its conditions name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from policies.document import Document, Entitlement, Policy, expressions_of
from policies.examples import situations
from policies.terms import Example, Fact

UTC = UTC
DAY = date(2026, 1, 1)


def texts_of(document: Document) -> list[str]:
    """Every condition of a document, as text."""
    rows = [str(row.when) for table in document.tables.values() for row in table.rows]
    inner = [text for one in bound(document) for text in texts_of(one)]
    return [*rows, *(text for _, text in expressions_of(document)), *inner]


def bound(document: Document) -> list[Entitlement]:
    """The entitlements that a policy reads."""
    return [one for versions in document.bound.values() for one in versions] if isinstance(document, Policy) else []


def record(document: Document, *, whole: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """A value for each fact; None for missing, unless whole."""
    text = " ".join(texts_of(document))
    numbers = sorted({float(found) for found in re.findall(r"(?<![\w-])\d+(?:\.\d+)?(?![\w-])", text)} | {0.0, 1.0})
    for one in (document, *bound(document)):
        numbers += [float(dated.value) for t in one.thresholds.values() for dated in t.values]
    words = sorted(set(re.findall(r"[\"']([a-z_]+)[\"']", text)) | {"something else"})
    days = [date.fromisoformat(found) for found in set(re.findall(r"\d{4}-\d\d-\d\d", text))] or [DAY]
    drawn = {name: _value(fact, numbers, words, days) for name, fact in document.facts.items()}
    if "currency" in drawn:  # which a contract has seen to
        drawn["currency"] = st.sampled_from(["EUR", "BRL"])
    if whole:
        return st.fixed_dictionaries(drawn)
    return st.fixed_dictionaries({name: st.none() | value for name, value in drawn.items()})


def _value(fact: Fact, numbers: list[float], words: list[str], days: list[date]) -> st.SearchStrategy[Any]:
    if fact.type == "boolean":
        return st.booleans()
    if fact.type == "text":
        return st.sampled_from(fact.one_of or words)
    if fact.type == "date":
        return st.builds(lambda day, more: day + timedelta(days=more), st.sampled_from(days), st.integers(-40, 40))
    if fact.type == "timestamp":
        return st.integers(-1000, 1000).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
    low = fact.at_least if fact.at_least is not None else -1e6
    high = fact.at_most if fact.at_most is not None else 1e6
    steps = [-1, 0, 1] if fact.type == "integer" else [-1, -0.01, 0, 0.01, 1]
    near = st.builds(lambda number, step: number + step, st.sampled_from(numbers), st.sampled_from(steps))
    whole = near.map(lambda number: int(number) if fact.type == "integer" else float(number))
    return whole.filter(lambda number: low <= number <= high)


def frame(document: Document, records: list[dict[str, Any]]) -> Any:
    """The records as a frame of facts; of a policy, each a subject of its own."""
    given = [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in one.items()}
        for one in records
    ]
    facts = situations(
        document.model_copy(update={"ordinary": {}}), [Example(name="drawn", facts=one) for one in given]
    )
    if isinstance(document, Policy):
        facts[document.subject] = [f"{number:06}" for number in range(len(facts))]
    return facts
