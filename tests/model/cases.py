"""Cases made as the lanes make them: facts of a situation, concluded, judged and explained by the shipped policies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import policies
from control_tower.nouns import Action, Case, Evidence, Money, Proposal, Risk, Severity
from policies import Policy
from policies.judgement import plain
from policies.readings import entitle_one

AS_OF = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NAMES = {"return_id": "R-1001", "order_id": "order-1001", "customer_id": "customer-7"}


def a_case(lane: str = "returns", **given: Any) -> Case:
    """A case of one subject, with what every rule that does not say no has to say of it."""
    policy = policies.load(lane, AS_OF)
    facts = dict.fromkeys(policy.facts) | dict(policy.ordinary) | _names(policy) | given
    facts, _ = entitle_one(policy, facts, AS_OF)
    return case_of(policy, {name: plain(value) for name, value in facts.items()})


def _names(policy: Policy) -> dict[str, str]:
    return {policy.subject: "S-1001"} | {name: value for name, value in NAMES.items() if name in policy.facts}


def case_of(policy: Policy, facts: dict[str, Any]) -> Case:
    moments = {
        name: datetime.fromisoformat(str(facts[name]))
        for name, fact in policy.facts.items()
        if fact.type == "timestamp" and facts.get(name) is not None
    }
    said = [policies.explain(policy, kind, facts | moments, AS_OF) for kind in policy.kinds]
    findings = tuple(one for one in said if one.answer != "no")
    return Case(
        id=f"case-{facts[policy.subject]}", lane=policy.id, shop="main", pivot=f"order:{facts.get('order_id')}",
        kinds=tuple(one.kind for one in findings), about=policy.subject.removesuffix("_id"),
        subjects=(str(facts[policy.subject]),), orders=(str(facts.get("order_id")),), team="returns-desk", owner="",
        findings=findings, evidence=Evidence(as_of=AS_OF, facts=(facts,), tables={}),
        risk=Risk(severity=Severity.sev2, score=60, money=Money(amount=5000, currency="EUR"), due_at=AS_OF,
                  priority=1.0, policy=policy.reference),
    )  # fmt: skip


def a_refund(case: Case) -> Proposal:
    return Proposal(
        case_id=case.id, lane=case.lane, shop=case.shop, source="shop", action=Action.refund, order_id="order-1001",
        subject=case.subjects[0], target="pay-1", money=Money(amount=5000, currency="EUR"), rests_on={},
        evidence="e" * 64, policy=case.risk.policy, reason="inspected and not repaid", as_of=None,
    )  # fmt: skip


LATE = {"business_days_since_inspected": 6}
OPEN = {"inspected": False, "condition": None, "business_days_since_inspected": None,
        "business_days_since_received": 4, "status": "received"}  # fmt: skip
