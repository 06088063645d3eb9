"""The form holds what a person needs, in a form that Slack takes, whatever the evidence says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as setting
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from control_tower.nouns import Action, Money, Proposal, Verdict
from control_tower.slack.case_message import case_message
from control_tower.slack.escape import length
from control_tower.slack.form import MOST_WORDS, Objections, major, read_form, ruling_form, told_in_form
from control_tower.slack.interactions import About, Clicker, Submission, understood
from policies.authority import authority
from tests.thorough import up_to

ANN = Clicker(team="T0SHOP", user="UANN", home="T0SHOP")
HOSTILE = [
    "<!channel> <!here> @everyone",
    "<https://evil.example|approve here>",
    "x" * 20_000,
    '"' * 20_000,
    "&" * 20_000,
    "\u202eBRL 0.01\u202c \u200f\u2066",
    "Z" + "\u0301" * 500,
    "\u0301\u0301\u202e\u0301",
    "```*approved*```",
    "\x00\x1b[31m",
    "",
]
hostile = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=300))


def about(proposal: Proposal, verdict: Verdict = Verdict.approve) -> About:
    return About(proposal=proposal.digest, verdict=verdict, channel="C0TOWER0001", thread="1767614400.000001")


def the_form(cases: ModuleType, said: str, verdict: Verdict, action: Action = Action.refund) -> dict[str, Any]:
    case = cases.a_case(findings=tuple(cases.a_finding(f"{said}{number}") for number in range(9)))
    proposal = cases.a_proposal(said or "1001", target=said, reason=said, action=action)
    return ruling_form(about(proposal, verdict), case, proposal, authority().reasons(verdict))


def assert_slack_takes(view: dict[str, Any]) -> None:
    View(**view).to_dict()
    for block in view["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        assert parsed.to_dict() == block
        if block["type"] == "section":
            said = block["text"]["text"]
            assert 0 < length(said) <= 3000
            assert not {"<", ">"} & set(said)
            assert "\u202e" not in said
            assert "://" not in said
    ids = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    assert len(ids) == len(set(ids))
    assert length(json.dumps(view, ensure_ascii=False)) <= 12_000


@setting(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=hostile, verdict=st.sampled_from(Verdict), action=st.sampled_from(Action))
def test_whatever_the_evidence_says_slack_takes_the_form(
    cases: ModuleType, said: str, verdict: Verdict, action: Action
) -> None:
    assert_slack_takes(the_form(cases, said, verdict, action))
    assert_slack_takes({**told_in_form(said[:40] or "x", [said or "x"] * 3)})


@pytest.mark.parametrize("said", HOSTILE)
def test_forms_and_messages_are_of_the_shape_that_slack_documents(cases: ModuleType, said: str) -> None:
    folder = Path(os.environ.get("TOWER_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = folder / "slack_known_block.schema.json"
    if not path.is_file():
        pytest.skip("the schema of Slack's blocks is not here; TOWER_DATA names its folder")
    from jsonschema import Draft7Validator

    shape: Any = Draft7Validator(json.loads(path.read_text("utf-8")))
    assert list(shape.iter_errors({"type": "actions", "elements": [{"type": "buton"}]}))
    asked = [cases.a_proposal(said or "1"), cases.a_proposal("2", reason=said, target=said)]
    message = case_message(
        cases.a_case(owner=said), asked, said, [said], elsewhere=lambda one: said * (one is asked[1])
    )
    forms = [the_form(cases, said, verdict) for verdict in Verdict]
    for block in [*message.blocks, *(block for form in forms for block in form["blocks"])]:
        assert not list(shape.iter_errors(block))
    told = told_in_form("Nothing was ruled", [said or "x"])
    assert not [error for block in told["blocks"] for error in shape.iter_errors(block)]


def test_the_form_says_what_can_not_be_undone_and_shows_the_evidence(cases: ModuleType) -> None:
    form = the_form(cases, "It is late. ", Verdict.approve)
    said = "\n".join(block["text"]["text"] for block in form["blocks"] if block["type"] == "section")
    assert "refund* BRL 129.90 · *can't be undone*" in said
    assert "It is late. 4" in said
    assert "and 4 more" in said
    (amount,) = [block for block in form["blocks"] if block.get("block_id") == "amount"]
    assert (amount["element"]["initial_value"], amount["element"]["max_value"]) == ("129.90", "129.90")


def submission(proposal: Proposal, verdict: Verdict = Verdict.approve, **typed: Any) -> Submission:
    return Submission(key="form:1", by=ANN, **about(proposal, verdict).model_dump(), **typed)


CURRENCIES = st.sampled_from(["EUR", "BRL", "JPY", "KWD", "CLP", "USD"])


@setting(deadline=None)
@given(currency=CURRENCIES, proposed=st.integers(1, 10**11), less=st.integers(1, 10**11))
def test_any_amount_up_to_what_was_proposed_is_read_to_the_smallest_unit(
    cases: ModuleType, currency: str, proposed: int, less: int
) -> None:
    assume(less <= proposed)
    proposal = cases.a_proposal(money=Money(amount=proposed, currency=currency))
    typed = Money(amount=less, currency=currency)
    filled = read_form(submission(proposal, amount=major(typed)), proposal, {})
    assert filled.amount == (typed if less < proposed else None), "what was proposed is no edit"


@given(
    typed=st.one_of(st.text(max_size=30), st.from_regex(r"[-+]?[0-9]{0,14}[.,]?[0-9]{0,4}(e[0-9])?", fullmatch=True))
)
def test_no_text_makes_an_amount_above_what_was_proposed_or_nothing(cases: ModuleType, typed: str) -> None:
    proposal = cases.a_proposal()
    try:
        filled = read_form(submission(proposal, amount=typed), proposal, {})
    except Objections as wrong:
        assert set(wrong.by_block) == {"amount"}
        assert 0 < len(wrong.by_block["amount"]) <= 250
        return
    assert filled.amount is None or 0 < filled.amount.amount < proposal.money.amount


def test_every_wrong_field_is_told_at_once(cases: ModuleType) -> None:
    proposal = cases.a_proposal()
    with pytest.raises(Objections) as wrong:
        read_form(submission(proposal, Verdict.reject, reason="because", words="\u200b "), proposal, {"other": "Other"})
    assert set(wrong.value.by_block) == {"reason", "words"}
    with pytest.raises(Objections, match="At most 1,000"):
        read_form(
            submission(proposal, Verdict.reject, reason="other", words="x" * (MOST_WORDS + 1)), proposal, {"other": "O"}
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
FIELDS = ("type", "user", "team", "actions", "container", "view", "message", "trigger_id")


@given(
    payload=st.dictionaries(st.sampled_from(FIELDS), json_values),
    kind=st.sampled_from(["block_actions", "view_submission"]),
)
def test_no_payload_breaks_the_reading_of_it(payload: dict[str, Any], kind: str) -> None:
    assert understood("env-1", {**payload, "type": kind}) is None
