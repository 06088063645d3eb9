"""A ruling is one person's, on one proposal, once; and nothing else gives leave to act."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_tower.errors import AlreadyRuled, LedgerError, NoAuthority, NotFound, NotProved
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol, revoke
from control_tower.ledger.authorised import Authorised, authorise
from control_tower.ledger.proofs import Token, proved
from control_tower.ledger.proposals import find_proposal, record_proposals
from control_tower.ledger.rulings import rule
from control_tower.ledger.tables import ProposalRow
from control_tower.nouns import Action, Money, Proposal, Ruling, Verdict, digest_of
from policies.authority import authority

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SHIPPED = authority()


def refund(order: str = "1001", amount: int = 4990) -> Proposal:
    rests_on = {"refundable_amount": amount}
    return Proposal(
        case_id="c" * 16,
        lane="fulfilment",
        shop="shop",
        source="shop",
        action=Action.refund,
        order_id=order,
        subject=order,
        target=order,
        money=Money(amount=amount, currency="EUR"),
        rests_on=rests_on,
        evidence=digest_of(rests_on),
        policy="fulfilment@1",
        reason="paid, cancelled and never handed over",
        as_of=None,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def waiting(ledger: Ledger) -> Proposal:
    proposal = refund()
    record_proposals(ledger, [], [proposal], NOW)
    return proposal


def prove(ledger: Ledger, name: str, token: str) -> str:
    with ledger.write() as session:
        return proved(session, Token(name, token), NOW).name


def say(
    ledger: Ledger,
    proposal: Proposal,
    name: str,
    token: str,
    verdict: Verdict = Verdict.approve,
    reason: str = "",
) -> Ruling:
    said = rule(
        ledger, proposal.id, verdict, by=Token(name, token), authority=SHIPPED, reason=reason, via="command", now=NOW
    )
    assert isinstance(said, Ruling)
    return said


def test_an_approved_proposal_gives_leave_to_act(ledger: Ledger, waiting: Proposal) -> None:
    say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token)
    leave = authorise(ledger, waiting.digest, SHIPPED, NOW)
    assert leave.proposal == waiting
    assert leave.ruling.approver == "ana"


def test_nobody_acts_before_a_ruling(ledger: Ledger, waiting: Proposal) -> None:
    with pytest.raises(NoAuthority, match="nobody has ruled"):
        authorise(ledger, waiting.digest, SHIPPED, NOW)


def test_leave_to_act_cannot_be_made_by_hand(waiting: Proposal) -> None:
    forged = Ruling(
        proposal=waiting.digest, verdict=Verdict.approve, approver="ana", reason="", via="page", ruled_at=NOW
    )
    with pytest.raises(NoAuthority):
        Authorised(waiting, forged)
    with pytest.raises(NoAuthority):
        Authorised(waiting, forged, object())


def test_a_rejected_proposal_never_acts(ledger: Ledger, waiting: Proposal) -> None:
    say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token, Verdict.reject, "the parcel was found")
    with pytest.raises(NoAuthority, match="ana rejected it"):
        authorise(ledger, waiting.digest, SHIPPED, NOW)


def test_a_rejection_without_a_reason_is_refused(ledger: Ledger, waiting: Proposal) -> None:
    with pytest.raises(LedgerError, match="needs a reason"):
        say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token, Verdict.reject, "  ")


def test_a_wrong_token_an_unknown_name_and_a_revoked_approver_are_told_the_same(ledger: Ledger) -> None:
    token = enrol(ledger, "ana", NOW).token
    assert prove(ledger, "ana", token) == "ana"
    said = []
    for name, tried in (("ana", "tower_wrong"), ("bo", token)):
        with pytest.raises(NotProved) as refusal:
            prove(ledger, name, tried)
        said.append(str(refusal.value))
    revoke(ledger, "ana", NOW)
    with pytest.raises(NotProved) as refusal:
        prove(ledger, "ana", token)
    assert set(said) == {str(refusal.value)}
    assert token not in str(refusal.value)


def test_a_token_is_not_in_the_book(ledger: Ledger, tmp_path: Path) -> None:
    token = enrol(ledger, "ana", NOW).token
    ledger.engine.dispose()
    for file in tmp_path.iterdir():
        assert token.encode() not in file.read_bytes()


def test_the_second_person_is_told_who_was_first(ledger: Ledger, waiting: Proposal) -> None:
    say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token)
    with pytest.raises(AlreadyRuled, match="ana ruled first: approve, by command"):
        say(ledger, waiting, "bo", enrol(ledger, "bo", NOW).token, Verdict.reject, "no")


def test_of_twenty_people_at_once_one_rules(ledger: Ledger, waiting: Proposal) -> None:
    people = {f"person {n}": enrol(ledger, f"person {n}", NOW).token for n in range(20)}

    def try_it(name: str) -> str:
        try:
            return say(ledger, waiting, name, people[name]).approver
        except AlreadyRuled:
            return ""

    with ThreadPoolExecutor(20) as pool:
        ruled = [name for name in pool.map(try_it, people) if name]
    assert len(ruled) == 1
    assert authorise(ledger, waiting.digest, SHIPPED, NOW).ruling.approver == ruled[0]


def test_authority_ends_when_the_approver_is_revoked(ledger: Ledger, waiting: Proposal) -> None:
    say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token)
    revoke(ledger, "ana", NOW)
    with pytest.raises(NoAuthority, match="no authority any more"):
        authorise(ledger, waiting.digest, SHIPPED, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"money": {"amount": 499000, "currency": "EUR"}},
        {"money": {"amount": 4990, "currency": "USD"}},
        {"order_id": "2002"},
        {"target": "another payment"},
        {"action": "hold"},
        {"policy": "fulfilment@2"},
    ],
)
def test_a_proposal_changed_after_the_ruling_never_acts(
    ledger: Ledger, waiting: Proposal, change: dict[str, object]
) -> None:
    say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token)
    with ledger.write() as session:
        row = session.get_one(ProposalRow, waiting.digest)
        row.body = row.body | change
    with pytest.raises(NoAuthority, match="not what was ruled on"):
        authorise(ledger, waiting.digest, SHIPPED, NOW)


def test_a_handle_that_is_too_short_or_hostile_names_nothing(ledger: Ledger, waiting: Proposal) -> None:
    for handle in ("", waiting.digest[:4], "%", "________", "' or 1=1 --"):
        with pytest.raises(NotFound):
            find_proposal(ledger, handle)


def test_a_withdrawn_proposal_takes_no_ruling(ledger: Ledger, waiting: Proposal) -> None:
    record_proposals(ledger, [], [refund(amount=3000)], NOW)
    with pytest.raises(AlreadyRuled, match="no longer waits"):
        say(ledger, waiting, "ana", enrol(ledger, "ana", NOW).token)


def test_the_same_proposal_found_again_is_one_proposal(ledger: Ledger, waiting: Proposal) -> None:
    again = record_proposals(ledger, [], [refund()], NOW)
    assert [p.digest for p in again] == [waiting.digest]
    with ledger.read() as session:
        assert session.query(ProposalRow).count() == 1
