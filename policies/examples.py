"""Examples: situations that the business wrote beside its documents, run as tests of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from control_tower.errors import PolicyError
from policies.advising import advice
from policies.document import Document, Entitlement, Policy
from policies.entitlements import entitle, in_force, ruled
from policies.judgement import judge
from policies.remedies import proposals
from policies.terms import Example, Value
from policies.verdict import is_missing


def failing(document: Document, family: Sequence[Entitlement] = ()) -> list[str]:
    """Run every example of a document.

    Args:
        family: for an entitlement, the versions and extensions that may be in force beside it; an
            example is decided by those in force on its day of purchase.

    Returns:
        A sentence for each part of an example that is not kept; empty when all are.
    """
    told: dict[int, list[str]] = {}
    days = [day_of(document, example) for example in document.examples]
    for day in sorted(set(days)):
        of_day = [number for number, each in enumerate(days) if each == day]
        examples = [document.examples[number] for number in of_day]
        for number, said in zip(of_day, said_of(document, examples, day, family), strict=True):
            told[number] = _differences(document.examples[number], said)
    return [sentence for number in sorted(told) for sentence in told[number]]


def day_of(document: Document, example: Example) -> date:
    """The day whose policy decides an example."""
    return example.as_of or getattr(document, "as_of", None) or document.in_force.since


def said_of(
    document: Document, examples: Sequence[Example], day: date, family: Sequence[Entitlement] = ()
) -> list[dict[str, Any]]:
    """What a document says of each situation: `yes`, `unknown`, `proposes`, `advises`, and `gives` by name."""
    facts = situations(document, examples)
    if not isinstance(document, Policy):
        ruler = in_force(list(family) or _alone(document), day)
        if ruler is None:
            raise PolicyError(f"no version is in force on {day}", where=document.reference, remedy="date the example")
        concluded = ruled(ruler, facts)
        return [{"gives": _plain(row)} for row in concluded.to_dict("records")]
    facts[document.subject] = [f"{number:06}" for number in range(len(facts))]
    facts = entitle(document, facts, day)
    findings = judge(document, facts, day)
    proposed = proposals(document, findings, facts, day)
    advised = advice(document, findings, facts, day)
    said = []
    for row in facts.to_dict("records"):
        mine = findings[findings["subject"] == row[document.subject]]
        said.append(
            {
                "yes": sorted(mine.loc[mine["answer"] == "yes", "kind"]),
                "unknown": sorted(mine.loc[mine["answer"] == "unknown", "kind"]),
                "proposes": sorted(proposed.loc[proposed["subject"] == row[document.subject], "action"]),
                "advises": sorted(advised.loc[advised["subject"] == row[document.subject], "action"]),
                "gives": _plain(row),
            }
        )
    return said


def _alone(document: Document) -> list[Entitlement]:
    return [document] if isinstance(document, Entitlement) else []


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): None if is_missing(value) else value for name, value in row.items()}


def _differences(example: Example, said: Mapping[str, Any]) -> list[str]:
    wanted: dict[str, Any] = {}
    if "yes" in said:
        wanted = {
            "yes": sorted(example.yes),
            "unknown": sorted(example.unknown),
            "proposes": sorted(action.value for action in example.proposes),
            "advises": sorted(action.value for action in example.advises),
        }
    told = [
        f"{example.name}: {part} should be {wanted[part] or 'nothing'} and is {said[part] or 'nothing'}"
        for part in wanted
        if wanted[part] != said[part]
    ]
    for name, value in example.gives.items():
        if not _same(value, given := said["gives"].get(name)):
            told.append(f"{example.name}: {name} should be {_word(value)} and is {_word(given)}")
    return told


def _same(wanted: Value | None, given: Value | None) -> bool:
    if wanted is None or given is None:
        return wanted is given
    return str(wanted) == given if isinstance(given, str) else wanted == given


def _word(value: Value | None) -> str:
    return "unknown" if value is None else str(value)


def situations(document: Document, examples: Sequence[Example]) -> pd.DataFrame:
    """One row for each example: an ordinary case, but for the facts that the example names."""
    named = [document.ordinary | example.facts for example in examples]
    return pd.DataFrame(
        {name: _column(fact.type, [facts.get(name) for facts in named]) for name, fact in document.facts.items()}
    )


def _column(kind: str, values: Sequence[object]) -> pd.Series[Any]:
    if kind == "timestamp":
        moments = [datetime.fromisoformat(str(value)) if value is not None else None for value in values]
        return pd.Series(pd.to_datetime(pd.Series(moments, dtype=object), utc=True)).astype("datetime64[us, UTC]")
    dtypes = {"boolean": "boolean", "integer": "Int64", "number": "Float64", "text": "str", "date": "datetime64[s]"}
    return pd.Series(list(values), dtype=dtypes[kind])
