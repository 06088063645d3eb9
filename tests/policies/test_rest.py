"""What is at rest stays as it is at any later moment: clocks may say what they like."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.nouns import Shop
from policies import judge, proposals, score
from policies.rest import at_rest
from tests.policies.drawing import frame, record
from tests.thorough import up_to

AS_OF = datetime(2026, 1, 7, 10, tzinfo=UTC)
SHOP = Shop(id="shop", time_zone="Europe/Berlin", country="DE", currency="EUR")
WORTH = ["subject", "kinds", "severity", "team", "member", "money_amount", "currency", "score"]


@settings(max_examples=up_to(150), deadline=None)
@given(data=st.data())
def test_what_is_at_rest_is_answered_the_same_whatever_the_clocks_say(fulfilment: Any, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(record(fulfilment), min_size=1, max_size=6))
    later = data.draw(st.lists(record(fulfilment, whole=True), min_size=len(drawn), max_size=len(drawn)))
    clocks = [name for name, fact in fulfilment.facts.items() if fact.clock]
    moved = [
        {**now, **{n: then[n] for n in clocks if now[n] is not None}} for now, then in zip(drawn, later, strict=True)
    ]
    facts, after = frame(fulfilment, drawn), frame(fulfilment, moved)
    rest = at_rest(fulfilment, facts, AS_OF)
    resting = set(facts.loc[rest, "order_id"])
    assert told(fulfilment, facts, resting) == told(fulfilment, after, resting)


def told(policy: Any, facts: Any, of: set[str]) -> list[Any]:
    """All that is made of some subjects: answers, what they are worth telling for, and what is proposed."""
    found = judge(policy, facts, AS_OF)
    scored = score(policy, found, facts, AS_OF, SHOP)
    asked = proposals(policy, found, facts, AS_OF)
    frames = (found[["subject", "kind", "answer", "severity"]], scored[WORTH], asked)
    return [
        each[each["subject"].isin(of)].astype(object).where(lambda f: f.notna(), None).values.tolist()
        for each in frames
    ]


def test_most_of_an_ordinary_shop_is_at_rest(fulfilment: Any) -> None:
    delivered = {
        "approved": True, "cancelled": False, "handed_over": True, "on_its_way": True, "delivered": True,
        "delivered_reported": True, "labelled": True, "first_scan": True, "days_late": 0, "contradictions": 0,
        "shipped_on_hold": False, "scans_out_of_order": False, "said_not_received": False, "refundable_amount": 10,
        "hours_past_ship_by": 40.0, "hours_past_deliver_by": 3.0, "business_days_since_label": 4.0,
        "hours_since_placed": 90.0, "hours_since_handed_over": 60.0, "business_days_since_last_scan": 1.0,
    }  # fmt: skip
    nothing = dict.fromkeys(fulfilment.facts)
    late, under_way = {"days_late": 9}, {"delivered": False, "delivered_reported": False}
    facts = frame(fulfilment, [nothing | delivered, nothing | delivered | late, nothing | delivered | under_way])
    np.testing.assert_array_equal(at_rest(fulfilment, facts, AS_OF), [True, True, False])
