"""Examples: situations that the business wrote beside its rules, run as tests of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from policies.document import Policy
from policies.judgement import judge
from policies.remedies import proposals
from policies.terms import Example


def failing(policy: Policy) -> list[str]:
    """Run every example of a policy.

    Returns:
        A sentence for each part of an example that the policy does not keep; empty when it keeps all.
    """
    told: dict[int, list[str]] = {}
    days = [example.as_of or policy.as_of or policy.in_force.since for example in policy.examples]
    for day in sorted(set(days)):
        of_day = [number for number, each in enumerate(days) if each == day]
        facts = situations(policy, [policy.examples[number] for number in of_day])
        facts["order_id"] = [f"{number:06}" for number in range(len(facts))]
        findings = judge(policy, facts, day)
        proposed = proposals(policy, findings, facts, day)
        for number, order in zip(of_day, facts["order_id"], strict=True):
            of_order = findings[findings["order_id"] == order]
            actions = sorted(proposed.loc[proposed["order_id"] == order, "action"])
            told[number] = _differences(policy.examples[number], of_order, actions)
    return [sentence for number in sorted(told) for sentence in told[number]]


def _differences(example: Example, findings: pd.DataFrame, actions: list[str]) -> list[str]:
    wanted = {
        "yes": sorted(example.yes),
        "unknown": sorted(example.unknown),
        "proposes": sorted(action.value for action in example.proposes),
    }
    said = {
        "yes": sorted(findings.loc[findings["answer"] == "yes", "kind"]),
        "unknown": sorted(findings.loc[findings["answer"] == "unknown", "kind"]),
        "proposes": actions,
    }
    return [
        f"{example.name}: {part} should be {wanted[part] or 'nothing'} and is {said[part] or 'nothing'}"
        for part in wanted
        if wanted[part] != said[part]
    ]


def situations(policy: Policy, examples: Sequence[Example]) -> pd.DataFrame:
    """One order for each example: an ordinary order, but for the facts that the example names."""
    named = [policy.ordinary | example.facts for example in examples]
    return pd.DataFrame(
        {name: _column(fact.type, [facts.get(name) for facts in named]) for name, fact in policy.facts.items()}
    )


def _column(kind: str, values: Sequence[object]) -> pd.Series[Any]:
    if kind == "timestamp":
        moments = [datetime.fromisoformat(str(value)) if value is not None else None for value in values]
        return pd.Series(pd.to_datetime(pd.Series(moments, dtype=object), utc=True)).astype("datetime64[us, UTC]")
    dtypes = {"boolean": "boolean", "integer": "Int64", "number": "Float64", "text": "str"}
    return pd.Series(list(values), dtype=dtypes[kind])
