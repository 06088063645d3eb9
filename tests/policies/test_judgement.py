import json
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from control_tower.nouns import Answer
from policies import explain, holds, judge, proposals, score
from tests.thorough import up_to

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)  # Monday, 10:00 in Berlin
LATE = {"order_id": "A1", "currency": "EUR", "seller": "s1", "late": True, "hours": 12.0, "amount": 500}


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    """Facts of the small policy, typed as they come out of Parquet."""
    kinds = {
        "order_id": "string[pyarrow]",
        "currency": "string[pyarrow]",
        "seller": "string[pyarrow]",
        "late": "boolean",
        "hours": "Float64",
        "amount": "Int64",
    }
    columns = {name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns)


def answers(findings: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(findings["subject"], findings["kind"], findings["answer"], strict=True))


def test_every_rule_answers_and_none_hides_another(small):
    found = judge(small, frame(LATE | {"hours": 60.0}), AS_OF)
    assert answers(found) == [("A1", "owed", "yes"), ("A1", "slow", "yes"), ("A1", "very_slow", "yes")]


def test_a_no_is_left_out_and_an_unknown_is_not(small):
    found = judge(small, frame(LATE | {"hours": None}, LATE | {"order_id": "A0", "late": False, "hours": 0.0}), AS_OF)
    assert answers(found) == [
        ("A1", "owed", "yes"),
        ("A1", "slow", "unknown"),
        ("A1", "very_slow", "unknown"),
    ]
    assert list(found["row"]) == [0, 0, 0]


def test_a_severity_that_may_apply_applies(small):
    found = judge(small, frame(LATE | {"hours": None}, LATE | {"order_id": "A2", "hours": 1.0}), AS_OF)
    owed = found[found["kind"] == "owed"]
    assert list(owed["severity"]) == ["sev1", "sev3"], "missing evidence lowers no risk"


def test_findings_are_sorted_by_order_and_kind_whatever_the_order_of_the_facts(small):
    rows = [LATE | {"order_id": name} for name in ("B2", "A1", "C3", "A10")]
    found = judge(small, frame(*rows), AS_OF)
    assert answers(found) == sorted(answers(found))
    assert [frame(*rows)["order_id"][row] for row in found["row"]] == list(found["subject"])


def test_the_threshold_of_the_moment_decides(small):
    facts = frame(LATE | {"hours": 15.0})
    assert "slow" in set(judge(small, facts, date(2026, 5, 31))["kind"])
    assert "slow" not in set(judge(small, facts, date(2026, 6, 1))["kind"])


def test_an_order_has_one_row_and_a_name(small):
    with pytest.raises(PolicyError, match="one row for each order"):
        judge(small, frame(LATE, LATE), AS_OF)
    with pytest.raises(PolicyError, match="one row for each order"):
        judge(small, frame(LATE | {"order_id": None}), AS_OF)


def test_a_declared_fact_that_the_frame_lacks_is_refused(small):
    with pytest.raises(PolicyError, match="the facts have no 'seller'"):
        judge(small, frame(LATE).drop(columns="seller"), AS_OF)


def test_no_orders_give_no_findings_no_scores_and_no_proposals(small, shop):
    facts = frame(LATE).head(0)
    found = judge(small, facts, AS_OF)
    assert len(found) == len(score(small, found, facts, AS_OF, shop)) == len(proposals(small, found, facts)) == 0
    assert list(score(small, found, facts, AS_OF, shop)) == list(score(small, *seen(small, LATE), AS_OF, shop))
    assert list(proposals(small, found, facts)) == list(proposals(small, *seen(small, LATE)))


def seen(policy, *rows):
    facts = frame(*rows)
    return judge(policy, facts, AS_OF), facts


@settings(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    several=st.lists(
        st.fixed_dictionaries(
            {
                "seller": st.sampled_from([None, "s1"]),
                "late": st.sampled_from([None, True, False]),
                "hours": st.sampled_from([None, 0.0, 10.0, 10.5, 51.0, 101.0]),
                "amount": st.sampled_from([None, 0, 1, 500]),
            }
        ),
        max_size=5,
    )
)
def test_judging_many_orders_and_explaining_one_agree(small, several):
    rows = [{"order_id": f"A{n}", "currency": "EUR"} | row for n, row in enumerate(several)]
    found = {(order, kind): answer for order, kind, answer in answers(judge(small, frame(*rows), AS_OF))}
    for row in rows:
        for kind in small.kinds:
            told = explain(small, kind, row, AS_OF)
            assert told.answer.value == found.get((row["order_id"], kind), "no")
            assert bool(told.missing) == (told.answer is Answer.unknown)


def test_a_finding_tells_its_sentence_and_the_values_it_read(small):
    told = explain(small, "slow", LATE | {"hours": 12.25}, AS_OF)
    assert told.sentence == "Late by 12.2 h with s1, owing EUR 5.00."
    assert told.values == {"amount": 500, "grace": 10.0, "hours": 12.25, "late": True, "seller": "s1"}


def test_an_unknown_finding_says_what_is_missing_and_who_has_it(small):
    told = explain(small, "slow", LATE | {"hours": None}, AS_OF)
    assert (told.answer, told.missing) == (Answer.unknown, ("hours",))
    assert told.sentence == "Perhaps slow; evidence is missing: hours it is late (ask warehouse)."


def test_what_a_sentence_shows_and_does_not_know_it_says(small):
    told = explain(small, "slow", LATE | {"seller": float("nan"), "amount": pd.NA}, AS_OF)
    assert told.sentence == "Late by 12 h with unknown, owing an unknown amount."
    json.dumps(told.model_dump(mode="json"), allow_nan=False)


def test_text_from_outside_is_shortened_and_loses_what_cannot_be_printed(small):
    told = explain(small, "slow", LATE | {"seller": "x\n\u202e{amount}\x1b[2J" + "y" * 500}, AS_OF)
    assert "\n" not in told.sentence and "\u202e" not in told.sentence and "\x1b" not in told.sentence
    assert "{amount}" in told.sentence, "what fills a slot is no template"
    assert len(told.sentence) < 140


def test_a_kind_that_is_not_there_is_refused_with_the_nearest(small):
    with pytest.raises(PolicyError, match="did you mean 'owed'"):
        explain(small, "owd", LATE, AS_OF)


def test_a_condition_holds_where_it_is_yes_and_keeps_the_index(small):
    facts = frame(LATE, LATE | {"order_id": "A2", "hours": None}, LATE | {"order_id": "A3", "hours": 1.0})
    facts.index = pd.Index([7, 8, 9])
    assert holds(small, "hours > grace", facts).to_dict() == {7: True, 8: False, 9: False}
    assert holds(small, None, facts).all()
