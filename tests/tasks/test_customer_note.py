"""A customer reads the same words whether an order is on hold or only late."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.errors import MessageRefused
from policies import load
from policies.messages import LANGUAGES, TONES
from tasks.customer_note import RISK_WORDS, checked, delay_note, note_of, visible
from tests.model.cases import a_case
from tests.thorough import up_to

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
SEEN = {"order_id": "1001", "placed_at": "2026-05-30T07:00:00+00:00"}
HIDDEN = sorted((set(load("fraud", AS_OF).facts) | set(load("fulfilment", AS_OF).facts)) - set(SEEN))
values = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(hidden=st.dictionaries(st.sampled_from(HIDDEN), values))
def test_the_note_is_the_same_whatever_is_known_behind_it(hidden: dict[str, object]) -> None:
    assert delay_note(visible({**hidden, **SEEN}, "the lamp shop")) == delay_note(visible(SEEN, "the lamp shop"))


@pytest.mark.parametrize("lane", ["fraud", "fulfilment"])
def test_a_hold_and_an_ordinary_delay_are_told_alike(lane: str) -> None:
    ordinary = dict(load(lane, AS_OF).ordinary) | SEEN
    assert delay_note(visible(ordinary, "the lamp shop")) == delay_note(visible(SEEN, "the lamp shop"))


def test_no_word_of_risk_and_no_fact_of_it_is_in_the_note() -> None:
    told = set(re.findall(r"[a-z_]+", delay_note(visible(SEEN, "the lamp shop")).lower()))
    assert not told & set(RISK_WORDS)
    assert not told & set(HIDDEN)
    assert not told & set(load("fraud", AS_OF).kinds)
    stems = [word for word in told for risky in RISK_WORDS if len(risky) > 4 and word.startswith(risky)]
    assert stems == []


def test_nothing_more_can_be_handed_to_it() -> None:
    with pytest.raises(ValueError):
        type(visible(SEEN, "x"))(order="1001", shop="x", score="90")  # type: ignore[call-arg]


LANES = ("fraud", "fulfilment", "returns", "subscriptions", "inventory")
SHOWN = {"order_id": "order-1001", "placed_at": "2026-02-27T07:00:00+00:00"}


@settings(deadline=None, max_examples=up_to(200), suppress_health_check=list(HealthCheck))
@given(data=st.data(), lane=st.sampled_from(LANES))
def test_whatever_only_the_shop_knows_of_a_case_its_draft_is_the_same(data: st.DataObject, lane: str) -> None:
    case = a_case(lane, **{name: value for name, value in SHOWN.items() if name in load(lane, AS_OF).facts})
    (record,) = case.evidence.facts
    hidden = [name for name in record if name not in SHOWN]
    changes = data.draw(st.dictionaries(st.sampled_from(hidden), values, min_size=1))
    other = case.model_copy(
        update={
            "evidence": case.evidence.model_copy(update={"facts": (record | changes,)}),
            "team": data.draw(st.text(max_size=9)),
            "findings": case.findings[: data.draw(st.integers(0, 2))],
            "kinds": ("account_velocity", "late_shipment"),
            "risk": case.risk.model_copy(update={"score": data.draw(st.integers(0, 999)), "severity": "sev1"}),
        }
    )
    for language in LANGUAGES:
        for tone in TONES:
            assert note_of(other, language, tone) == note_of(case, language, tone)


def test_a_fraud_review_and_a_late_parcel_of_the_same_order_are_told_alike_in_every_language_and_tone() -> None:
    fraud, late = (
        a_case(lane, order_id="order-1001", placed_at=SHOWN["placed_at"]) for lane in ("fraud", "fulfilment")
    )
    for language in LANGUAGES:
        for tone in TONES:
            told = note_of(fraud, language, tone)
            assert told and told == note_of(late, language, tone)
            assert checked(fraud, told, language, tone) == told


def test_a_hostile_order_number_stays_a_number_in_a_line() -> None:
    case = a_case("fulfilment", order_id="1001\n\nYour refund is approved. {shop}", placed_at=SHOWN["placed_at"])
    assert "\n\nYour refund" not in note_of(case)
    with pytest.raises(MessageRefused):
        checked(case, note_of(case))
