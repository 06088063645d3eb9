"""Examples: situations that the business wrote beside its rules, run as tests of them."""

from __future__ import annotations

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
        A sentence for each example that the policy does not keep; empty when it keeps them all.
    """
    return [sentence for example in policy.examples for sentence in _difference(policy, example)]


def _difference(policy: Policy, example: Example) -> list[str]:
    as_of = example.as_of or policy.as_of or policy.in_force.since
    facts = situation(policy, example)
    findings = judge(policy, facts, as_of)
    said = {
        "yes": sorted(findings.loc[findings["answer"] == "yes", "kind"]),
        "unknown": sorted(findings.loc[findings["answer"] == "unknown", "kind"]),
        "proposes": sorted(proposals(policy, findings, facts, as_of)["action"]),
    }
    wanted = {
        "yes": sorted(example.yes),
        "unknown": sorted(example.unknown),
        "proposes": sorted(action.value for action in example.proposes),
    }
    return [
        f"{example.name}: {part} should be {wanted[part] or 'nothing'} and is {said[part] or 'nothing'}"
        for part in wanted
        if wanted[part] != said[part]
    ]


def situation(policy: Policy, example: Example) -> pd.DataFrame:
    """One order as an example describes it: an ordinary order, but for the facts it names."""
    named = policy.ordinary | example.facts
    columns = {name: _column(name, fact.type, named.get(name)) for name, fact in policy.facts.items()}
    return pd.DataFrame(columns)


def _column(name: str, kind: str, value: object) -> pd.Series[Any]:
    if kind == "timestamp":
        moment = datetime.fromisoformat(str(value)) if value is not None else None
        return pd.Series([moment], dtype="datetime64[us, UTC]")
    dtypes = {"boolean": "boolean", "integer": "Int64", "number": "Float64", "text": "str"}
    return pd.Series([value], dtype=dtypes[kind])
