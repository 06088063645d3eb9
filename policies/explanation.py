"""Explanation: what every rule and every table said of one subject, from which values, under which version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import JsonValue

from control_tower.nouns import Answer, Finding, Noun
from policies.document import Policy
from policies.judgement import explain, plain
from policies.readings import Reading, entitle_one
from policies.sentences import render


class Read(Noun):
    """How one table was read: the version in force at purchase, the clause, and what today's version would say."""

    table: str
    means: str
    version: str
    outcome: JsonValue
    clause: str
    because: str
    today: JsonValue = None
    values: dict[str, JsonValue]
    missing: tuple[str, ...] = ()


class Explained(Noun):
    """One subject under one version of a policy: what was promised, and what every rule answered."""

    subject: str
    policy: str
    promised: tuple[Read, ...]
    findings: tuple[Finding, ...]
    concluded: dict[str, JsonValue]

    def answered(self, answer: Answer) -> list[Finding]:
        """The findings with one answer."""
        return [finding for finding in self.findings if finding.answer is answer]


def explained(policy: Policy, facts: Mapping[str, Any], as_of: date) -> Explained:
    """Explain one row of facts.

    Args:
        facts: as they were kept, what was concluded from them included or not; it is concluded anew.
        as_of: the moment of the look.

    Raises:
        PolicyError: a fact is absent or of another type.
    """
    concluded, readings = entitle_one(policy, {name: facts.get(name) for name in policy.facts}, as_of)
    return Explained(
        subject=str(facts[policy.subject]),
        policy=policy.reference,
        promised=tuple(_read(reading, concluded) for reading in readings),
        findings=tuple(explain(policy, kind, concluded, as_of) for kind in policy.kinds),
        concluded={name: plain(concluded[name]) for name in policy.conclusions},
    )


def _read(reading: Reading, concluded: Mapping[str, Any]) -> Read:
    document, decision = reading.document, reading.decision
    table = document.tables[reading.table]
    because = ""
    if decision.row is not None and table.rows[decision.row].because:
        numbers = document.thresholds_on(reading.day)
        because = render(table.rows[decision.row].because, {**concluded, **numbers})
    values = {name: plain(concluded.get(name, value)) for name, value in decision.values.items()}
    return Read(
        table=reading.table,
        means=table.means,
        version=document.reference,
        outcome=plain(decision.outcome),
        clause=reading.clause,
        because=because,
        today=plain(concluded.get(f"{reading.table}_today", decision.outcome)),
        values=values,
        missing=decision.missing,
    )
