"""Slack is a desk: people press buttons, fill in a form, and the ledger takes one ruling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from control_tower.errors import LedgerError, NotProved
from control_tower.ledger.approvers import answer_for, revoke
from control_tower.ledger.proofs import Token
from control_tower.ledger.rulings import find_ruling, rule
from control_tower.ledger.slack_users import SlackUser, enrol_slack_user, prove_slack_user, read_slack_user
from control_tower.nouns import Action, Proposal, Verdict
from control_tower.slack.inbox import Inbox
from desk.slack_desk.following import put_right

on_both = pytest.mark.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)


@on_both
def test_a_press_a_form_and_one_ruling(desk: Any, workspace: Any, proposal: Proposal) -> None:
    with desk.listening():
        clicked = workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        assert form["title"]["text"] == "Approve refund"
        assert proposal.order_id in str(form["blocks"])
        assert workspace.submit("UANN", form, reason="evidence_holds") is None, "the form closes"
        assert workspace.waited(clicked) < 3
        assert desk.locked()
    ruling = find_ruling(desk.ledger, proposal.digest)
    assert ruling
    assert (ruling.approver, ruling.verdict, ruling.via) == ("ann", Verdict.approve, "slack")
    assert "approve by ann, by slack, " in desk.case_text()
    assert desk.woken == [proposal.digest]
    assert {row.state for row in desk.inbox()} == {"done"}


def test_a_rejection_needs_a_reason_from_the_list_and_words_and_is_asked_for_in_the_form(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UBOB", proposal.digest, "reject")
        form = workspace.form_of("UBOB")
        assert workspace.submit("UBOB", form) == {
            "response_action": "errors",
            "errors": {
                "reason": "Choose a reason from the list.",
                "words": "A rejection needs words: what should change, or why not.",
            },
        }
        assert find_ruling(desk.ledger, proposal.digest) is None
        assert workspace.submit("UBOB", form, reason="already_solved", words="found it") is None
        assert desk.locked()
    assert "reject by bob, by slack" in desk.case_text()
    assert "It is solved already: found it" in desk.case_text()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1000000000", "At most 129.90"),
        ("129.91", "At most 129.90"),
        ("NaN", "An amount is a number"),
        ("1e2", "An amount is a number"),
        ("-5", "An amount is a number"),
        ("٣", "An amount is a number"),
        ("0", "Nothing is no amount"),
        ("5.001", "BRL has 2 digits"),
        ("", "An amount is a number"),
    ],
)
def test_an_amount_only_goes_down(desk: Any, workspace: Any, proposal: Proposal, typed: str, said: str) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        answer = workspace.submit("UANN", workspace.form_of("UANN"), amount=typed)
        assert answer["response_action"] == "errors"
        assert said in answer["errors"]["amount"]
    assert find_ruling(desk.ledger, proposal.digest) is None


NOT_ALLOWED = {
    "a guest with an approver's e-mail": {"is_restricted": True, "profile": {"email": "ann@shop.example"}},
    "a single-channel guest": {"is_ultra_restricted": True},
    "a bot": {"is_bot": True},
    "somebody who has left": {"deleted": True},
    "somebody of another workspace": {"team_id": "T0ELSEWHERE"},
    "a stranger": {"is_stranger": True},
    "somebody of whom Slack does not say it": {"is_restricted": None},
}


@pytest.mark.parametrize("told", NOT_ALLOWED.values(), ids=NOT_ALLOWED.keys())
def test_who_is_no_full_member_is_refused_and_told_why(
    desk: Any, workspace: Any, workspaces: ModuleType, proposal: Proposal, told: dict[str, Any]
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        workspace.users["UANN"] = workspaces.member("UANN", **told)
        answer = workspace.submit("UANN", form)
        assert answer["response_action"] == "update", "the form was open already, and is of no use"
        workspace.click("UANN", proposal.digest)
        assert "Nothing was ruled" in desk.told("UANN")
    assert len(workspace.forms) == 1
    assert find_ruling(desk.ledger, proposal.digest) is None


def test_a_member_who_is_not_enrolled_rules_on_nothing(
    desk: Any, workspace: Any, workspaces: ModuleType, proposal: Proposal
) -> None:
    workspace.users["UCY"] = workspaces.member("UCY")
    with desk.listening():
        workspace.click("UCY", proposal.digest)
        assert "no approver is enrolled with your Slack user" in desk.told("UCY")
        assert "tower approver slack NAME T0SHOP/UCY" in desk.told("UCY")
    assert not workspace.forms
    assert find_ruling(desk.ledger, proposal.digest) is None


def test_an_approver_who_was_revoked_with_the_form_open_rules_on_nothing(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        revoke(desk.ledger, "ann", datetime.now(UTC))
        assert "no approver is enrolled with your Slack user" in str(workspace.submit("UANN", form)["view"])
    assert find_ruling(desk.ledger, proposal.digest) is None


def test_an_approver_of_another_shop_is_shown_nothing_and_told_why(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    answer_for(desk.ledger, "ann", ("elsewhere",), datetime.now(UTC))
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        assert f"ann decides in elsewhere, and not in {proposal.shop}" in desk.told("UANN")
    assert not workspace.forms
    assert find_ruling(desk.ledger, proposal.digest) is None


def test_whoever_was_moved_to_another_shop_with_the_form_open_rules_on_nothing(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        answer_for(desk.ledger, "ann", ("elsewhere",), datetime.now(UTC))
        assert "ann decides in elsewhere" in str(workspace.submit("UANN", form)["view"])
    assert find_ruling(desk.ledger, proposal.digest) is None


@on_both
def test_one_slack_user_is_one_approver(desk: Any) -> None:
    now = datetime.now(UTC)
    with pytest.raises(LedgerError, match="this Slack user is ann"):
        enrol_slack_user(desk.ledger, "bob", SlackUser("T0SHOP", "UANN"), now)
    enrol_slack_user(desk.ledger, "ann", SlackUser("T0SHOP", "UNEW"), now)
    assert prove_slack_user(desk.ledger, SlackUser("T0SHOP", "UNEW")).name == "ann"
    for gone in (SlackUser("T0SHOP", "UANN"), SlackUser("T0OTHER", "UNEW")):
        with pytest.raises(NotProved):
            prove_slack_user(desk.ledger, gone)
    for typed in ("ann", "T0SHOP", "t0shop/uann", "T0SHOP/UANN/1", "T0SHOP/<@UANN>"):
        with pytest.raises(LedgerError, match="is no Slack user"):
            read_slack_user(typed)


def test_above_the_limit_a_forged_click_and_a_forged_form_get_nowhere(
    desk: Any, workspace: Any, cases: ModuleType, proposal: Proposal
) -> None:
    large = cases.a_proposal(target="pay-2002", money={"amount": 20_001, "currency": "BRL"})
    desk.open(proposal, large)
    assert "Slack rules up to BRL 200.00" in desk.case_text()
    assert f"tower approve {large.id}" in desk.case_text()
    with desk.listening():
        workspace.click("UANN", large.digest)
        assert f"tower approve {large.id}" in desk.told("UANN")
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        form["private_metadata"] = form["private_metadata"].replace(proposal.digest, large.digest)
        answer = workspace.submit("UANN", form, amount="1")
        assert "Slack rules up to BRL 200.00" in str(answer["view"])
    assert find_ruling(desk.ledger, large.digest) is None


FORGED: dict[str, dict[str, Any]] = {
    "a digest that is none": {"action": {"value": "0" * 64}},
    "the beginning of a digest": {"action": {"value": "7142510"}},
    "a verdict that is none": {"action": {"action_id": "tower:pay"}},
    "a list": {"actions": []},
    "nobody": {"user": None},
    "another workspace": {"team": {"id": "T0EVIL"}},
    "a user of another workspace": {"user": {"id": "UANN", "team_id": "T0EVIL"}},
}


@pytest.mark.parametrize("changed", FORGED.values(), ids=FORGED.keys())
def test_a_forged_click_is_acknowledged_and_comes_to_nothing(
    desk: Any, workspace: Any, proposal: Proposal, changed: dict[str, Any]
) -> None:
    with desk.listening():
        envelope = workspace.click("UANN", proposal.digest, **{**changed})
        assert workspace.answer_to(envelope) is None
        for payload in (
            {},
            {"type": "block_actions"},
            {"type": "view_submission", "view": {"callback_id": "tower:ruling"}},
        ):
            assert workspace.answer_to(workspace.send(payload)) is None
        assert workspace.answer_to(workspace.send({"x": 1}, type="events_api")) is None
    assert not workspace.forms
    assert find_ruling(desk.ledger, proposal.digest) is None
    assert "response_url" not in str([row.body for row in desk.inbox()])


@on_both
def test_an_envelope_delivered_twice_counts_once_and_is_answered_twice(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening(), desk.listening():
        workspace.click("UANN", proposal.digest)
        said = workspace.fill("UANN", workspace.form_of("UANN"))
        first = workspace.send(said)
        workspace.send(said, envelope=first, to=1)
        workspace.send(said, envelope=first)
        assert workspace.until(lambda: len(workspace.acks.get(first, [])) == 3)
        assert desk.locked()
    assert len([row for row in desk.inbox() if row.kind == "submission"]) == 1
    assert desk.woken == [proposal.digest]


@on_both
def test_a_click_delivered_twice_under_other_names_opens_one_form(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        for _ in range(2):
            workspace.click("UANN", proposal.digest, action={"action_ts": "5.5"})
        workspace.form_of("UANN")
        desk.eventually(lambda: len(workspace.acks) == 2)
    assert len(workspace.forms) == 1


@on_both
def test_many_forms_sent_together_make_one_ruling_and_the_others_are_told_who_was_first(
    desk: Any, workspace: Any, workspaces: ModuleType, proposal: Proposal
) -> None:
    many = [f"U{number:03}" for number in range(20)]
    workspace.users |= {user: workspaces.member(user) for user in many}
    for user in many:
        desk.enrol(user.lower(), user)
    with desk.listening(), desk.listening():
        forms, envelopes, answers = {}, [], {}
        for user in many:  # one after the other: a form that is not shown within three seconds is not shown
            workspace.click(user, proposal.digest)
            forms[user] = workspace.fill(user, workspace.form_of(user))
        to_send = many
        while to_send:
            sent = {user: workspace.send(forms[user], to=number % 2) for number, user in enumerate(to_send)}
            answers |= {user: workspace.answer_to(envelope) for user, envelope in sent.items()}
            envelopes += sent.values()
            # On a slow machine some are asked to send it again, as nothing was written down in time.
            to_send = [user for user in sent if "Please send it again" in str(answers[user])]
        assert desk.locked()

        # Whoever could not be answered in time is told as soon as it is known.
        def told() -> int:
            said = [*map(str, answers.values()), *(one["text"] for one in workspace.ephemeral)]
            return sum(" ruled first: approve, by slack" in one for one in said)

        assert desk.eventually(lambda: told() == 19), answers
    assert list(answers.values()).count(None) <= 1
    assert max(workspace.waited(envelope) for envelope in envelopes) < 3


@on_both
def test_a_ruling_made_elsewhere_locks_the_message_and_a_late_click_is_told(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        rule(
            desk.ledger, proposal.digest, Verdict.approve,
            by=Token("bob", desk.tokens["bob"]), authority=desk.authority, reason="", via="command",
            now=datetime.now(UTC),
        )  # fmt: skip
        assert "bob ruled first: approve, by command" in str(workspace.submit("UANN", form))
        workspace.click("UANN", proposal.digest)
        assert "bob ruled first" in desk.told("UANN")
        assert desk.locked()


@on_both
def test_a_turn_locks_what_was_ruled_on_at_another_desk(desk: Any, workspace: Any, proposal: Proposal) -> None:
    desk.turn()
    assert "elements" in str(workspace.messages[-1]["blocks"])
    rule(
        desk.ledger, proposal.digest, Verdict.reject,
        by=Token("bob", desk.tokens["bob"]), authority=desk.authority, reason="no", via="form", now=datetime.now(UTC),
    )  # fmt: skip
    desk.turn()
    assert desk.locked()
    assert "reject by bob, by form" in desk.case_text()
    updates = workspace.called("chat.update")
    desk.turn()
    assert workspace.called("chat.update") == updates, "what says nothing new is not said again"


def test_a_run_that_could_not_be_woken_is_woken_at_the_next_turn(desk: Any, workspace: Any, proposal: Proposal) -> None:
    desk.asleep = True
    following = desk.following()
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        assert workspace.submit("UANN", workspace.form_of("UANN")) is None, "the ruling stands without Prefect"
        assert desk.locked()
    put_right(desk.desk(following), following)
    desk.asleep = False
    assert desk.eventually(lambda: put_right(desk.desk(following), following) or desk.woken)
    put_right(desk.desk(following), following)
    following.close()
    assert desk.woken == [proposal.digest]


@pytest.mark.slow
def test_a_slow_slack_does_not_keep_an_acknowledgement_waiting(
    desk: Any, workspace: Any, emulator: ModuleType, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        workspace.meet("users.info", emulator.Fault(accept=True, seconds=3.5))
        envelope = workspace.send(workspace.fill("UANN", form))
        assert "the message of the case will tell" in str(workspace.answer_to(envelope)).lower()
        assert workspace.waited(envelope) < 3
        assert desk.locked(), "it was ruled on all the same"
        workspace.meet("users.info", emulator.Fault(accept=True, seconds=3.5))
        assert workspace.answer_to(clicked := workspace.click("UBOB", proposal.digest)) is None
        assert workspace.waited(clicked) < 1


def test_a_ledger_that_is_locked_does_not_keep_an_acknowledgement_waiting_and_nothing_is_lost(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        form = workspace.form_of("UANN")
        with desk.ledger.write() as session:
            session.execute(text("SELECT 1"))  # takes the lock
            envelope = workspace.send(workspace.fill("UANN", form))
            answer = workspace.answer_to(envelope)
            assert "The ledger is busy. Please send it again" in str(answer)
            assert workspace.waited(envelope) < 3
        again = workspace.submit("UANN", form)
        assert again is None or "ann ruled first" in str(again)
        assert find_ruling(desk.ledger, proposal.digest)


@pytest.mark.slow
def test_a_trigger_that_has_died_is_told(desk: Any, workspace: Any, emulator: ModuleType, proposal: Proposal) -> None:
    with desk.listening():
        workspace.meet("users.info", emulator.Fault(accept=True, seconds=3.2))
        workspace.click("UANN", proposal.digest)
        assert "too slow to answer. Please click again" in desk.told("UANN")


@pytest.mark.slow
def test_the_listener_comes_back_after_every_sort_of_disconnection(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    with desk.listening():
        first = workspace.connections[0]
        workspace.ask_to_reconnect()
        assert desk.eventually(lambda: workspace.connections and first not in workspace.connections)
        second = workspace.connections[0]
        workspace.disconnect()
        assert desk.eventually(lambda: workspace.connections and second not in workspace.connections, 20)
        workspace.click("UANN", proposal.digest)
        assert workspace.submit("UANN", workspace.form_of("UANN")) is None


@pytest.mark.slow
def test_a_slack_that_is_down_at_first_is_waited_for(desk: Any, workspace: Any, proposal: Proposal) -> None:
    workspace.deaf = True
    with desk.listening(wait=False):
        assert desk.eventually(lambda: desk.lines)
        workspace.deaf = False
        assert desk.eventually(lambda: workspace.connections, 20)
        workspace.click("UANN", proposal.digest)
        workspace.form_of("UANN")
    assert "Slack can't be heard" in desk.lines[0]
    assert "SECRET" not in "".join(desk.lines)


def test_two_connections_are_told_of(desk: Any, workspace: Any) -> None:
    with desk.listening(), desk.listening():
        assert desk.eventually(lambda: any("2 connections" in line for line in desk.lines))


@on_both
def test_a_form_found_long_after_is_not_counted_and_its_sender_is_told(
    desk: Any, workspace: Any, proposal: Proposal
) -> None:
    desk.lease = timedelta(seconds=-1)
    with desk.listening():
        workspace.click("UANN", proposal.digest)
        given = workspace.fill("UANN", workspace.form_of("UANN"))
    from control_tower.slack.interactions import understood

    what = understood("env-late", given)
    assert what
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    Inbox(desk.ledger.engine, lease=timedelta(seconds=1), now=lambda: long_ago).receive(what)
    desk.turn()
    assert "too long ago to count" in desk.told("UANN")
    assert find_ruling(desk.ledger, proposal.digest) is None


def test_a_hold_has_no_amount_to_fill_in(desk: Any, workspace: Any, cases: ModuleType) -> None:
    hold = cases.a_proposal(action=Action.hold, money=None)
    desk.open(hold)
    with desk.listening():
        workspace.click("UANN", hold.digest)
        form = workspace.form_of("UANN")
        assert not any(block.get("block_id") == "amount" for block in form["blocks"])
        assert workspace.submit("UANN", form) is None
