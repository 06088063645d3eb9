"""A message holds what a person needs to rule, in a form that Slack takes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as setting
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from control_tower.errors import SettingError
from control_tower.nouns import Action, Answer, Money, Severity
from control_tower.slack.case_message import BUTTONS, case_message
from control_tower.slack.escape import length
from control_tower.slack.messages import digest_message
from control_tower.slack.parts import Message
from tests.thorough import up_to


def test_a_case_says_what_it_is_whose_it_is_and_what_a_person_can_type(cases: ModuleType) -> None:
    proposal = cases.a_proposal()
    said = case_message(cases.a_case(), [proposal], "waiting for a person").text
    for fact in (
        "late shipment · 1001",
        "sev2 · warehouse / W1 · due 2026-01-06 20:00 UTC · BRL 129.90 at risk",
        "Standing: waiting for a person",
        "Paid on 2 January and not shipped by the 4th.",
        "refund BRL 129.90 · can't be undone · order 1001, pay-1001",
        f"tower approve {proposal.id}\n",
        f"tower reject {proposal.id} --reason ...",
    ):
        assert fact in said
    assert case_message(cases.a_case(), [proposal], "open").key == "case:case-1001"


def test_blocks_and_text_tell_the_same_facts(cases: ModuleType) -> None:
    message = case_message(cases.a_case(), [cases.a_proposal()], "open", ["found", "told Slack"])
    blocks = "\n".join(block["text"]["text"] for block in message.blocks if block["type"] == "section")
    assert blocks.replace("*", "").replace("`", "") == message.text
    assert all(block["text"]["verbatim"] for block in message.blocks)


def test_what_is_proved_comes_before_what_is_unknown(cases: ModuleType) -> None:
    findings = (
        cases.a_finding("No carrier scan is known.", answer=Answer.unknown, missing=("scan", "carrier")),
        cases.a_finding("It is late."),
    )
    said = case_message(cases.a_case(findings=findings), [], "open").text
    assert said.index("It is late.") < said.index("No carrier scan is known. (needs evidence: scan, carrier)")


def test_a_case_of_many_orders_says_once_what_holds_for_all_and_counts_them(cases: ModuleType) -> None:
    orders = tuple(f"{number}" for number in range(5000))
    findings = tuple(cases.a_finding("No scan since pick-up.", subject=order) for order in orders)
    said = case_message(cases.a_case(orders=orders, findings=findings), [], "open").text
    assert "• 0, 1, 2 and 4,997 more: No scan since pick-up." in said


def test_a_case_of_many_different_findings_shows_the_first_and_counts_the_rest(cases: ModuleType) -> None:
    orders = tuple(f"{number}" for number in range(5000))
    findings = tuple(cases.a_finding(f"No scan since pick-up {order}.", subject=order) for order in orders)
    said = case_message(cases.a_case(orders=orders, findings=findings), [], "open").text
    assert "• 0: No scan since pick-up 0." in said
    assert "and 4,990 more: tower case case-1001" in said


def test_many_proposals_leave_whole_ones_and_a_count(cases: ModuleType) -> None:
    proposals = [cases.a_proposal(str(number), reason="late " * 40) for number in range(30)]
    said = case_message(cases.a_case(), proposals, "waiting for a person").text
    shown = said.count("tower approve")
    assert 0 < shown < 30
    assert said.count("tower reject") == shown
    assert f"and {30 - shown} more: tower case case-1001" in said


def test_a_settled_proposal_says_who_ruled_and_offers_no_command(cases: ModuleType) -> None:
    ruled, waits = cases.a_proposal("1001"), cases.a_proposal("1002")
    rejected = {ruled.digest: "rejected by Ann: already <sent>"}
    said = case_message(cases.a_case(), [ruled, waits], "waiting for a person", settled=rejected).text
    assert "rejected by Ann: already &lt;sent&gt;" in said
    assert f"tower approve {ruled.id}" not in said
    assert said.index(f"tower approve {waits.id}") < said.index(f"{ruled.id}:")


def buttons(message: Message) -> list[dict[str, Any]]:
    return [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]


def test_buttons_carry_the_digest_of_their_proposal_and_nothing_else(cases: ModuleType) -> None:
    asked = [cases.a_proposal("1001"), cases.a_proposal("1002", action=Action.hold, money=None)]
    message = case_message(cases.a_case(), asked, "waiting for a person", elsewhere=lambda _: "")
    assert [(one["text"]["text"], one["action_id"], one["value"]) for one in buttons(message)] == [
        ("Approve refund", "tower:approve", asked[0].digest),
        ("Reject refund", "tower:reject", asked[0].digest),
        ("Approve hold", "tower:approve", asked[1].digest),
        ("Reject hold", "tower:reject", asked[1].digest),
    ]
    assert "1001" not in str(buttons(message)), "neither the order nor the amount can be changed in a button"
    above = [block["text"]["text"] for block in message.blocks if block["type"] == "section"]
    assert asked[0].id in above[-2]
    assert asked[1].id in above[-1]


def test_where_nobody_listens_there_are_no_buttons(cases: ModuleType) -> None:
    assert not buttons(case_message(cases.a_case(), [cases.a_proposal()], "waiting for a person"))


def test_after_a_ruling_the_buttons_are_gone_and_the_others_stay(cases: ModuleType) -> None:
    ruled, waits = cases.a_proposal("1001"), cases.a_proposal("1002")
    settled = {ruled.digest: "approve by Ann by command at 2026-01-05 12:00 UTC"}
    message = case_message(cases.a_case(), [ruled, waits], "waiting", settled=settled, elsewhere=lambda _: "")
    assert {one["value"] for one in buttons(message)} == {waits.digest}
    assert "approve by Ann by command at 2026-01-05 12:00 UTC" in message.text
    closed = case_message(cases.a_case(), [waits], "closed: it was shipped", elsewhere=lambda _: "")
    assert not buttons(closed)


def test_above_its_limit_slack_shows_the_case_and_names_the_stronger_desk(cases: ModuleType) -> None:
    large = cases.a_proposal()
    message = case_message(cases.a_case(), [large], "waiting", elsewhere=lambda one: f"too large <for> {one.money}")
    assert not buttons(message)
    assert "too large &lt;for&gt; BRL 129.90" in message.text
    assert f"tower approve {large.id}" in message.text


def test_of_many_proposals_the_first_have_buttons(cases: ModuleType) -> None:
    many = [cases.a_proposal(str(number), reason="late") for number in range(9)]
    message = case_message(cases.a_case(), many, "waiting", elsewhere=lambda _: "")
    assert [one["value"] for one in buttons(message)][::2] == [one.digest for one in many[:BUTTONS]]


def test_a_closed_case_offers_no_command(cases: ModuleType) -> None:
    said = case_message(cases.a_case(), [cases.a_proposal()], "closed: it was shipped").text
    assert "Standing: closed: it was shipped" in said
    assert "tower approve" not in said


def test_due_times_are_told_in_the_shops_zone_when_it_is_given(cases: ModuleType) -> None:
    said = case_message(cases.a_case(), [], "open", time_zone="America/Sao_Paulo").text
    assert "due 2026-01-06 17:00 America/Sao_Paulo" in said
    for nowhere in ("Mars/Olympus", "Europe", "../etc", ""):
        with pytest.raises(SettingError, match="no time zone"):
            case_message(cases.a_case(), [], "open", time_zone=nowhere)


def test_history_shows_the_latest(cases: ModuleType) -> None:
    said = case_message(cases.a_case(), [], "open", [f"event {number}" for number in range(40)]).text
    assert said.index("event 39") < said.index("event 30")
    assert "event 29" not in said
    assert "and 30 more: tower case" in said


def test_the_same_case_is_the_same_message(cases: ModuleType) -> None:
    first, later = (cases.a_case(evidence={"as_of": at, "facts": (), "tables": {}}) for at in _two_moments(cases.NOW))
    assert case_message(first, [], "open").digest == case_message(later, [], "open").digest
    assert case_message(first, [], "open").digest != case_message(first, [], "closed: shipped").digest


def _two_moments(now: datetime) -> list[datetime]:
    return [now, now + timedelta(hours=1)]


def test_a_digest_counts_what_a_team_has_open(cases: ModuleType) -> None:
    opened = [
        cases.a_case(f"case-{number}", priority=float(number), due_at=datetime(2026, 1, 1 + number, tzinfo=UTC))
        for number in range(12)
    ]
    opened.append(
        cases.a_case("case-eur", kinds=("no_scan",), severity=Severity.sev1, money=Money(amount=500, currency="EUR"))
    )
    message = digest_message(
        "fulfilment", "main", "warehouse", opened, run="2026-01-05", opened=3, updated=2, closed=1, waiting=4
    )
    assert message.key == "digest:fulfilment:main:warehouse:2026-01-05"
    for fact in (
        "fulfilment at main · warehouse · 2026-01-05",
        "13 open: 3 opened, 2 updated, 1 closed by this run",
        "waiting for a person: 4 (tower queue)",
        "Severity: sev1 1 · sev2 12",
        "Kind: late shipment 12 · no scan 1",
        "At risk: BRL 1,558.80 · EUR 5.00",
        "Oldest: late shipment · 0 · due 2026-01-01 00:00 UTC",
        "and 3 more: tower queue",
    ):
        assert fact in message.text
    assert message.text.index("late shipment · 11 ") < message.text.index("late shipment · 10 ")
    assert "late shipment · 1 ·" not in message.text


def test_a_team_with_nothing_open_is_told_so(cases: ModuleType) -> None:
    message = digest_message("fulfilment", "main", "warehouse", [], run="2026-01-05", opened=0, updated=0, closed=2)
    assert "0 open: 0 opened, 0 updated, 2 closed by this run" in message.text
    assert "no proposal waits" in message.text


hostile = st.one_of(
    st.text(max_size=400),
    st.sampled_from(["&" * 20_000, '"' * 20_000, "😀" * 20_000, "\\" * 20_000, "<!channel>", "\x00", "_", "`*"]),
)


@setting(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(hostile, min_size=8, max_size=8), many=st.integers(1, 40))
def test_whatever_the_evidence_says_slack_takes_the_message(cases: ModuleType, told: list[str], many: int) -> None:
    for message in _messages(cases, told, many):
        assert_slack_takes(message)


def _messages(cases: ModuleType, told: list[str], many: int) -> list[Message]:
    sentence, owner, pivot, order, reason, standing, target, kind = told
    findings = tuple(
        cases.a_finding(f"{number}{sentence}", subject=order, missing=(kind, reason)) for number in range(many)
    )
    case = cases.a_case(
        findings=findings,
        owner=owner,
        pivot=f"order:{pivot}",
        orders=(order, "2"),
        team=owner,
        kinds=(kind, kind),
        lane=kind,
    )
    proposals = [cases.a_proposal(f"{number}{order}", reason=reason, target=target) for number in range(many)]
    return [
        case_message(case, proposals, standing, [reason] * many, settled={proposals[0].id: reason}),
        case_message(case, proposals, standing, elsewhere=lambda one: reason if one is proposals[-1] else ""),
        digest_message(kind, order, owner, [case] * many, run=pivot, opened=1, updated=2, closed=3, waiting=4),
    ]


def assert_slack_takes(message: Message) -> None:
    assert 0 < length(message.text) <= 4000
    assert "<" not in message.text
    assert len(message.blocks) <= 45
    assert length(json.dumps(message.blocks, ensure_ascii=False)) <= 12_000
    for block in message.blocks:
        assert block["type"] == "actions" or 0 < length(block["text"]["text"]) <= 3000
        parsed = Block.parse(block)
        assert parsed is not None
        assert parsed.to_dict() == block


def test_blocks_are_of_the_shape_that_slack_documents(cases: ModuleType) -> None:
    folder = Path(os.environ.get("TOWER_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = folder / "slack_known_block.schema.json"
    if not path.is_file():
        pytest.skip("the schema of Slack's blocks is not here; TOWER_DATA names its folder")
    from jsonschema import Draft7Validator

    shape: Any = Draft7Validator(json.loads(path.read_text("utf-8")))
    assert list(shape.iter_errors({"type": "section", "txet": "misspelt"}))
    for message in _messages(cases, ["<late> & *gone*"] * 8, 3):
        for block in message.blocks:
            assert not list(shape.iter_errors(block))
