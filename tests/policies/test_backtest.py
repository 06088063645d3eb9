"""A change to a policy is a thing that can be compared: what flips, what money and what work move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from control_tower.errors import PolicyError
from control_tower.nouns import Shop
from policies import Entitlement, Policy, entitle, judge, load, proposals, read, score
from policies.backtest import Flips, Sum, compare, in_place_of, outcomes, supposed, together
from policies.examples import situations
from policies.terms import Example
from tests.policies import drawing
from tests.thorough import up_to

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHOP = Shop(id="demo", time_zone="Europe/Berlin", country="DE", currency="EUR")
LATE = {"order_id": "A1", "currency": "EUR", "seller": "s1", "late": True, "hours": 12.0, "amount": 500}
DRAWN = settings(max_examples=up_to(6), deadline=None, suppress_health_check=list(HealthCheck))
HOUSE = Path(policies.__file__).parent
Read = Callable[..., Policy]


def frame(policy: Policy, *rows: dict[str, Any]) -> pd.DataFrame:
    """Facts of the small policy: late orders, each but for what is given."""
    return situations(policy, [Example(name="an order", facts=LATE | row) for row in rows])


def house_with(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A document of the house with pieces of it replaced, in a folder of its own."""
    text = (HOUSE / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new, 1)
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def stricter(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """The returns lane as if it had always been fourteen days, with another rule for late refunds."""
    folder = tmp_path_factory.mktemp("stricter")
    promise = read(
        house_with(folder, "return_policy", ("{from: 2009-01-01, value: 30}", "{from: 2009-01-01, value: 14}"))
    )
    assert isinstance(promise, Entitlement)
    lane = read(house_with(folder, "returns", ("business_days_since_inspected > refund_days", "refund_count > 1")))
    assert isinstance(lane, Policy)
    return in_place_of(lane, promise)


@pytest.fixture(scope="module")
def returns() -> Policy:
    return load("returns", AS_OF)


def test_what_a_shorter_grace_finds_and_asks_is_counted_by_hand(read_small: Read) -> None:
    before, after = read_small(), read_small(("value: 10", "value: 15"))
    facts = frame(
        before,
        {"order_id": "A1", "hours": 12.0, "amount": 500},  # slow no more, and no refund any more
        {"order_id": "A2", "hours": 40.0, "amount": 700},  # slow by both
        {"order_id": "A3", "hours": 60.0, "amount": 900},  # slow by both, very slow no more
        {"order_id": "A4", "hours": None, "amount": 100},  # nobody can say, by both
        {"order_id": "A5", "hours": 11.0, "amount": 300, "currency": "USD", "seller": None},
    )
    flips = compare(before, after, facts, AS_OF, SHOP)
    assert (flips.before, flips.after, flips.subjects, flips.changed) == (("small@3",), ("small@3",), 5, 3)
    slow, very_slow, owed = (flips.kinds[kind] for kind in ("slow", "very_slow", "owed"))
    assert (slow.found_before, slow.found_after, slow.no_longer_found, slow.flips) == (4, 2, 2, 2)
    assert slow.money == {"EUR": -500, "USD": -300}
    assert (very_slow.no_longer_found, very_slow.flips, very_slow.money) == (1, 1, {}), "it has no money of its own"
    assert owed.flips == 0
    assert flips.proposals["refund"].lost == Sum(count=2, amount={"EUR": 500, "USD": 300})
    assert flips.proposals["refund"].gained == Sum()
    assert flips.at_risk_before == flips.at_risk_after == {"EUR": 2200, "USD": 300}, "they are still owed"
    # A1 and A5 leave the seller desk and the warehouse for payments, which has them as owed, at five minutes.
    assert flips.teams["seller-desk"].model_dump() == {
        "cases_before": 3, "cases_after": 2, "minutes_before": 15 + 15 + 20, "minutes_after": 15 + 15,
    }  # fmt: skip
    assert flips.teams["warehouse"].model_dump() == {
        "cases_before": 1, "cases_after": 0, "minutes_before": 15, "minutes_after": 0,
    }  # fmt: skip
    assert flips.teams["payments"].model_dump() == {
        "cases_before": 1, "cases_after": 3, "minutes_before": 5, "minutes_after": 15,
    }  # fmt: skip


def test_missing_evidence_that_begins_to_matter_makes_answers_unknown(read_small: Read) -> None:
    before, after = read_small(), read_small(("late and amount > 0", "amount > 0"))
    facts = frame(
        before,
        {"late": None, "amount": None},
        {"order_id": "A2", "late": None},
        {"order_id": "A3", "late": False, "amount": None},
    )
    owed = compare(before, after, facts, AS_OF, SHOP).kinds["owed"]
    assert (owed.became_known, owed.became_unknown, owed.newly_found) == (1, 1, 0)
    assert owed.found_after == 1


def test_a_proposal_of_another_amount_is_amended(read_small: Read) -> None:
    before = read_small()
    after = read_small(
        ("rules:", "derived:\n  half: {type: integer, means: half of it, is: amount / 2}\nrules:"),
        ("amount: amount\n        reason", "amount: half\n        reason"),
    )
    facts = frame(before, {"amount": 501}, {"order_id": "A2", "amount": 1})
    refunds = compare(before, after, facts, AS_OF, SHOP).proposals["refund"]
    assert refunds.amended == Sum(count=1, amount={"EUR": -251})
    assert refunds.lost == Sum(count=1, amount={"EUR": 1}), "half a cent is nothing to refund"


def test_a_rule_that_only_one_version_has_says_no_by_the_other(read_small: Read) -> None:
    before, after = read_small(), read_small(("kind: very_slow", "kind: ancient"))
    flips = compare(before, after, frame(before, {"hours": 60.0}), AS_OF, SHOP)
    assert (flips.kinds["very_slow"].no_longer_found, flips.kinds["ancient"].newly_found) == (1, 1)
    (told,) = flips.counterexamples
    assert told.before.answers == {"very_slow": "yes", "ancient": "no"}
    assert told.after.answers == {"very_slow": "no", "ancient": "yes"}


def test_a_lower_rung_takes_its_proposals_back(read_small: Read) -> None:
    before, after = read_small(), read_small(("rung: recommend", "rung: route"))
    flips = compare(before, after, frame(before, {}), AS_OF, SHOP)
    assert flips.proposals["refund"].lost.count == 1
    assert flips.counterexamples[0].differences == ("refund: lost",)


def test_a_counterexample_tells_what_was_read_and_both_answers(read_small: Read) -> None:
    before, after = read_small(), read_small(("value: 10", "value: 15"))
    (told,) = compare(before, after, frame(before, {}), AS_OF, SHOP).counterexamples
    assert (told.subject, told.currency) == ("A1", "EUR")
    assert told.differences == ("slow: no longer found", "refund: lost")
    assert told.money_moved == 500
    assert told.facts == {"late": True, "hours": 12.0, "amount": 500, "seller": "s1"}
    assert (told.before.answers, told.after.answers) == ({"slow": "yes"}, {"slow": "no"})
    assert told.before.sentences == ("Late by 12 h with s1, owing EUR 5.00.",)
    assert told.before.proposes == ("refund of EUR 5.00 on A1",)
    assert (told.before.severity, told.before.team) == ("sev2", "seller-desk")
    assert (told.after.severity, told.after.team, told.after.proposes) == ("sev3", "payments", ())


def test_counterexamples_show_each_kind_of_flip_before_they_show_one_twice(read_small: Read) -> None:
    before, after = read_small(), read_small(("value: 10", "value: 15"))
    many = [{"order_id": f"A{number:02}", "hours": 12.0, "amount": 10_000 + number} for number in range(30)]
    facts = frame(before, *many, {"order_id": "B", "hours": 60.0, "amount": None}, {"order_id": "C", "hours": 60.0})
    told = compare(before, after, facts, AS_OF, SHOP).counterexamples
    assert len(told) == 10
    assert [each.differences[0] for each in told[:2]] == ["slow: no longer found", "very_slow: no longer found"]
    assert told[0].subject == "A29", "the most money first"
    assert [each.subject for each in told[2:5]] == ["A28", "A27", "A26"]


def test_returns_of_one_cause_are_one_case_in_the_queue(returns: Policy) -> None:
    spike = {"spike_q": 0.001, "spike_count": 9, "reason": "defective"}
    rows = [{"return_id": f"r-{n}", "sku": "lamp", "customer_id": f"c-{n}"} | spike for n in range(9)]
    rows.append({"return_id": "r-9", "sku": "sofa"} | spike)
    facts = situations(returns, [Example(name="a return", facts=row) for row in rows])
    calmer = returns.model_copy(update={"rules": tuple(r for r in returns.rules if r.kind != "reason_spike")})
    quality = compare(calmer, returns, facts, AS_OF, SHOP).teams["quality"]
    assert (quality.cases_before, quality.cases_after, quality.minutes_after) == (0, 2, 60)


def test_versions_about_different_things_are_not_compared(read_small: Read, returns: Policy) -> None:
    with pytest.raises(PolicyError, match="is about return_id, and small@3 about order_id"):
        compare(read_small(), returns, frame(read_small(), {}), AS_OF, SHOP)


def test_a_fact_that_nobody_kept_is_named(read_small: Read) -> None:
    small = read_small()
    with pytest.raises(PolicyError, match="small@3: reads seller, which the evidence does not have"):
        compare(small, small, frame(small, {}).drop(columns="seller"), AS_OF, SHOP)
    with pytest.raises(PolicyError, match="one row for each order_id"):
        compare(small, small, frame(small, {}, {}), AS_OF, SHOP)


def test_no_subjects_give_no_flips(read_small: Read) -> None:
    small = read_small()
    flips = compare(small, read_small(("value: 10", "value: 15")), frame(small, {}).head(0), AS_OF, SHOP)
    assert (flips.subjects, flips.changed, flips.counterexamples) == (0, 0, ())


def test_a_supposed_document_was_always_in_force_with_its_newest_numbers(read_small: Read) -> None:
    small = read_small()
    always = supposed(small)
    assert always.thresholds_on(date(2001, 1, 1)) == {"grace": 20.0}
    assert always.in_force.covers(date(1999, 1, 1))
    assert small.thresholds_on(AS_OF) == {"grace": 10.0}, "the document itself is as it was"


def test_a_changed_promise_is_read_whenever_it_was_bought(tmp_path: Path, returns: Policy) -> None:
    promise = read(
        house_with(tmp_path, "return_policy", ("value: 30", "value: 8"), ("from: 2009-01-01", "from: 2026-02-01"))
    )
    assert isinstance(promise, Entitlement)
    changed = in_place_of(returns, promise)
    facts = situations(returns, [Example(name="a return", facts={"bought_on": "2015-06-01"})])
    assert list(entitle(returns, facts, AS_OF)["return_window"]) == ["open"]
    assert list(entitle(changed, facts, AS_OF)["return_window"]) == ["closed"]
    assert list(entitle(changed, facts, AS_OF)["return_window_today"]) == ["closed"]


def test_an_extension_still_gives_more_beside_a_changed_promise(tmp_path: Path, returns: Policy) -> None:
    changed = in_place_of(returns, read(house_with(tmp_path, "return_policy", ("value: 30", "value: 8"))))  # type: ignore[arg-type]
    held = {"bought_on": "2025-12-01", "requested_on": "2026-01-20", "days_held": 45.0}
    facts = situations(returns, [Example(name="a return", facts=held)])
    assert list(entitle(changed, facts, AS_OF)["return_window_clause"]) == ["holiday_extension@1 H.1"]


def test_a_changed_extension_keeps_its_own_days(tmp_path: Path, returns: Policy) -> None:
    shorter = read(house_with(tmp_path, "holiday_extension", ("2026-01-31", "2026-01-10")))
    assert isinstance(shorter, Entitlement)
    changed = in_place_of(returns, shorter)
    held = {"requested_on": "2026-01-20", "days_held": 45.0}
    rows = [{"bought_on": "2025-12-01"}, {"bought_on": "2026-12-01", "requested_on": "2027-01-20"}]
    facts = situations(returns, [Example(name="a return", facts=held | row) for row in rows])
    assert list(entitle(returns, facts, AS_OF)["return_window"]) == ["open", "open"]
    assert list(entitle(changed, facts, AS_OF)["return_window"]) == ["closed", "open"]


def test_a_promise_that_the_lane_cannot_read_is_refused(tmp_path: Path, returns: Policy, fulfilment: Policy) -> None:
    asks = ("final_sale: {type", "weather: {type: text, means: the weather, owner: nobody}\n  final_sale: {type")
    with pytest.raises(PolicyError, match="reads the fact 'weather', which is not among these"):
        in_place_of(returns, read(house_with(tmp_path, "return_policy", asks)))  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="fulfilment@1: does not read return_policy"):
        in_place_of(fulfilment, read(HOUSE / "return_policy.yaml"))  # type: ignore[arg-type]


def returns_drawn(lane: Policy, most: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(drawing.record(lane), min_size=1, max_size=most)


@DRAWN
@given(drawn=st.data())
def test_a_policy_compared_with_itself_flips_nothing(returns: Policy, fulfilment: Policy, drawn: st.DataObject) -> None:
    lane = drawn.draw(st.sampled_from([returns, fulfilment]))
    flips = compare(lane, lane, drawing.frame(lane, drawn.draw(returns_drawn(lane))), AS_OF, SHOP)
    assert (flips.changed, flips.counterexamples, flips.proposals) == (0, (), {})
    assert all(each.flips == 0 and not each.money for each in flips.kinds.values())
    assert all(each.cases_before == each.cases_after for each in flips.teams.values())
    assert flips.at_risk_before == flips.at_risk_after


def mirrored(flips: Flips) -> dict[str, Any]:
    """What the same comparison must say with the versions swapped."""
    swapped = {"newly_found": "no_longer_found", "became_unknown": "became_known", "found_before": "found_after"}
    swapped |= {after: before for before, after in swapped.items()}
    kinds = {}
    for kind, each in flips.kinds.items():
        counts = each.model_dump()
        kinds[kind] = {name: counts[swapped.get(name, name)] for name in counts}
        kinds[kind]["money"] = {currency: -amount for currency, amount in each.money.items()}
    asked = {
        action: {
            "gained": each.lost.model_dump(),
            "lost": each.gained.model_dump(),
            "amended": {"count": each.amended.count, "amount": {c: -a for c, a in each.amended.amount.items()}},
        }
        for action, each in flips.proposals.items()
    }
    teams = {
        team: {name: getattr(each, name.replace("before", "x").replace("after", "before").replace("x", "after"))
               for name in type(each).model_fields}
        for team, each in flips.teams.items()
    }  # fmt: skip
    return {"kinds": kinds, "proposals": asked, "teams": teams, "changed": flips.changed}


@DRAWN
@given(drawn=st.data())
def test_two_versions_swapped_give_the_mirror_image(returns: Policy, stricter: Policy, drawn: st.DataObject) -> None:
    facts = drawing.frame(returns, drawn.draw(returns_drawn(returns)))
    there, back = compare(returns, stricter, facts, AS_OF, SHOP), compare(stricter, returns, facts, AS_OF, SHOP)
    said = back.model_dump(include={"kinds", "proposals", "teams", "changed"})
    assert said == mirrored(there)
    assert (back.at_risk_before, back.at_risk_after) == (there.at_risk_after, there.at_risk_before)
    assert {(each.subject, each.money_moved) for each in there.counterexamples} == {
        (each.subject, each.money_moved) for each in back.counterexamples
    }
    swapped = {each.subject: each for each in back.counterexamples}
    for one in there.counterexamples:
        other = swapped[one.subject]
        assert (one.before, one.after, one.facts) == (other.after, other.before, other.facts)


@DRAWN
@given(drawn=st.data())
def test_outcomes_in_codes_are_what_the_lane_would_judge_score_and_propose(
    returns: Policy, fulfilment: Policy, drawn: st.DataObject
) -> None:
    lane = drawn.draw(st.sampled_from([returns, fulfilment]))
    facts = drawing.frame(lane, drawn.draw(returns_drawn(lane)))
    coded = outcomes(lane, facts, AS_OF, SHOP)
    known = entitle(lane, facts, AS_OF)
    findings = judge(lane, known, AS_OF)
    answers = np.array(["no", "unknown", "yes"])
    for kind in lane.kinds:
        said = dict(zip(*(findings.loc[findings["kind"] == kind, name] for name in ("row", "answer")), strict=True))
        assert list(answers[coded.answers(kind)]) == [said.get(row, "no") for row in range(len(facts))]
    scored = score(lane, findings, known, AS_OF, SHOP).set_index("subject")
    for row, subject in enumerate(facts[lane.subject]):
        if subject not in scored.index:
            assert (coded.severity[row], coded.team[row], coded.money[row]) == (3, -1, 0)
            continue
        weighed = scored.loc[subject]
        assert f"sev{coded.severity[row] + 1}" == weighed["severity"]
        assert coded.teams[coded.team[row]] == weighed["team"]
        assert coded.money[row] == (0 if pd.isna(weighed["money_amount"]) else weighed["money_amount"])
    proposed = proposals(lane, findings, known, AS_OF)
    mine = coded.asked.assign(subject=facts[lane.subject].take(coded.asked["row"]).to_numpy())
    assert sorted(zip(mine["subject"], mine["action"], mine["target"], mine["amount"], strict=True)) == sorted(
        zip(proposed["subject"], proposed["action"], proposed["target"], proposed["amount"].fillna(0), strict=True)
    )


@DRAWN
@given(drawn=st.data(), size=st.integers(1, 3))
def test_a_frame_decided_in_slices_is_decided_as_a_whole(
    returns: Policy, stricter: Policy, drawn: st.DataObject, size: int
) -> None:
    facts = drawing.frame(returns, drawn.draw(returns_drawn(returns, 8)))
    whole = compare(returns, stricter, facts, AS_OF, SHOP)
    with pytest.MonkeyPatch.context() as slicing:
        slicing.setattr(import_module("policies.backtest.outcomes"), "SLICE", size)
        assert compare(returns, stricter, facts, AS_OF, SHOP) == whole


@pytest.mark.slow
@DRAWN
@given(drawn=st.data())
def test_views_add_up(returns: Policy, stricter: Policy, drawn: st.DataObject) -> None:
    facts = drawing.frame(returns, drawn.draw(st.lists(drawing.record(returns), min_size=2, max_size=6)))
    facts = facts.assign(customer_id=[f"c-{n}" for n in range(len(facts))], sku=[f"s-{n}" for n in range(len(facts))])
    facts = facts.astype({"customer_id": "str", "sku": "str"})
    at = drawn.draw(st.integers(1, len(facts) - 1))
    parts = [compare(returns, stricter, part, AS_OF, SHOP) for part in (facts.head(at), facts.iloc[at:])]
    added, whole = together(parts), compare(returns, stricter, facts, AS_OF, SHOP)
    assert added.model_dump(exclude={"counterexamples"}) == whole.model_dump(exclude={"counterexamples"})
    assert {each.subject for each in added.counterexamples} == {each.subject for each in whole.counterexamples}
