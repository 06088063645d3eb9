"""Cases and proposals to tell Slack about, said in the least words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from control_tower.nouns import Action, Answer, Case, Evidence, Finding, Money, Proposal, Risk, Severity

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def a_finding(sentence: str, **told: Any) -> Finding:
    return Finding(
        **{"kind": "late_shipment", "subject": "1001", "answer": Answer.yes, "values": {}, **told},
        sentence=sentence,
    )


def a_case(case_id: str = "case-1001", **told: Any) -> Case:
    risk = {
        "severity": Severity.sev2,
        "score": 60,
        "money": Money(amount=12_990, currency="BRL"),
        "due_at": datetime(2026, 1, 6, 20, 0, tzinfo=UTC),
        "priority": 10.0,
        "policy": "fulfilment@1",
    }
    case = {
        "id": case_id,
        "lane": "fulfilment",
        "shop": "main",
        "pivot": f"order:{case_id.removeprefix('case-')}",
        "kinds": ("late_shipment",),
        "orders": (case_id.removeprefix("case-"),),
        "subjects": told.get("orders", (case_id.removeprefix("case-"),)),
        "team": "warehouse",
        "owner": "W1",
        "findings": (a_finding("Paid on 2 January and not shipped by the 4th."),),
        "evidence": Evidence(as_of=NOW, facts=(), tables={}),
    }
    risk |= {name: told.pop(name) for name in list(told) if name in risk}
    return Case(**{**case, **told}, risk=Risk(**risk))


def a_proposal(order_id: str = "1001", **told: Any) -> Proposal:
    proposal = {
        "case_id": f"case-{order_id}",
        "lane": "fulfilment",
        "shop": "main",
        "source": "shop",
        "action": Action.refund,
        "order_id": order_id,
        "subject": order_id,
        "target": f"pay-{order_id}",
        "money": Money(amount=12_990, currency="BRL"),
        "rests_on": {},
        "evidence": "e" * 64,
        "policy": "fulfilment@1",
        "reason": "the order was paid and never shipped",
        "as_of": None,
    }
    return Proposal(**{**proposal, **told})
