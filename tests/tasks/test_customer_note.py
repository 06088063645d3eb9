"""A customer reads the same words whether an order is on hold or only late."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import load
from tasks.customer_note import RISK_WORDS, delay_note, visible

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
