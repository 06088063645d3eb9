"""What the book takes for a ruling: a person who is proved, with written authority, once; of some, two of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pyotp
import pytest
from sqlalchemy import create_engine, select, text

from control_tower.errors import AlreadyRuled, AuthorityLost, LedgerError, NoAuthority, NotFound, NotProved
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import Credentials, enrol, revoke, rotate
from control_tower.ledger.authorised import authorise
from control_tower.ledger.cases import record_cases
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proofs import REST, WRONG_CODES, Code, Proof, Token
from control_tower.ledger.proposals import find_proposal, record_proposals
from control_tower.ledger.rulings import rule
from control_tower.ledger.tables import ApproverRow, EventRow, ProposalRow
from control_tower.ledger.waiting import ask_again
from control_tower.nouns import Proposal, Ruling, Verdict, Vote
from policies.authority import authority
from tests.ledger.test_rulings import refund

NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
SHIPPED = authority()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        yield Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
        return
    url = os.environ.get("TOWER_TEST_POSTGRES") or request.getfixturevalue("postgres")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    book = Ledger(url)
    yield book
    book.engine.dispose()


def waits(ledger: Ledger, **told: object) -> Proposal:
    proposal = refund(**told)  # type: ignore[arg-type]
    record_proposals(ledger, [], [proposal], NOW)
    return proposal


def code(given: Credentials, at: datetime = NOW) -> str:
    return pyotp.parse_uri(given.code_address).generate_otp(int(at.timestamp()) // 30)  # type: ignore[union-attr]


def say(
    ledger: Ledger,
    proposal: Proposal,
    by: Proof,
    verdict: Verdict = Verdict.approve,
    now: datetime = NOW,
    **told: object,
) -> Ruling | Vote:
    told = {"reason": "seen", "via": "form"} | told
    return rule(ledger, proposal.digest, verdict, by=by, authority=SHIPPED, now=now, **told)  # type: ignore[arg-type]


def events(ledger: Ledger, what: str) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(EventRow.detail).where(EventRow.what == what)))


# who it is


def test_a_one_time_code_is_good_once(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    given = code(ana)
    assert isinstance(say(ledger, typed, Code("ana", f" {given[:3]} {given[3:]} ")), Ruling)
    with pytest.raises(NotProved):
        say(ledger, waits(ledger, order="1002"), Code("ana", given))
    assert find_proposal(ledger, refund("1002").digest).standing == "waiting"
    assert events(ledger, "not proved") == ["code"]


def test_a_code_that_was_refused_for_another_reason_is_used_all_the_same(ledger: Ledger) -> None:
    ana = enrol(ledger, "ana", NOW)
    with pytest.raises(NoAuthority, match="over the limit"):
        say(ledger, waits(ledger, amount=100_001), Code("ana", code(ana)))
    with pytest.raises(NotProved):
        say(ledger, waits(ledger), Code("ana", code(ana)))
    assert len(events(ledger, "no authority")) == 1


@pytest.mark.parametrize("seconds", [-3600, -90, 90, 3600])
def test_a_code_of_another_time_is_none(ledger: Ledger, seconds: int) -> None:
    ana = enrol(ledger, "ana", NOW)
    with pytest.raises(NotProved):
        say(ledger, waits(ledger), Code("ana", code(ana, NOW + timedelta(seconds=seconds))))


def test_after_some_wrong_codes_the_name_rests(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    wrong = f"{(int(code(ana)) + 1) % 1_000_000:06d}"
    for _ in range(WRONG_CODES):
        with pytest.raises(NotProved):
            say(ledger, typed, Code("ana", wrong))
    with pytest.raises(NotProved):
        say(ledger, typed, Code("ana", code(ana)))
    later = NOW + REST
    assert isinstance(say(ledger, typed, Code("ana", code(ana, later)), now=later), Ruling)


def test_a_token_expires_is_renewed_and_the_old_one_ends(ledger: Ledger) -> None:
    old, typed = enrol(ledger, "ana", NOW), waits(ledger)
    new = rotate(ledger, "ana", NOW)
    for token in (old.token, "tower_forged", ""):
        with pytest.raises(NotProved):
            say(ledger, typed, Token("ana", token))
    with pytest.raises(NotProved):
        say(ledger, typed, Code("ana", code(old)))
    with pytest.raises(NotProved):
        say(ledger, typed, Token("ana", new.token), now=new.expires_at)
    assert isinstance(say(ledger, typed, Token("ana", new.token)), Ruling)


def test_whoever_was_revoked_can_neither_rule_nor_be_renewed(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    revoke(ledger, "ana", NOW)
    for by in (Token("ana", ana.token), Code("ana", code(ana))):
        with pytest.raises(NotProved):
            say(ledger, typed, by)
    with pytest.raises(NotFound):
        rotate(ledger, "ana", NOW)


def test_a_clock_set_back_revives_nothing(ledger: Ledger) -> None:
    ana = enrol(ledger, "ana", NOW)
    say(ledger, waits(ledger), Token("ana", ana.token))
    with pytest.raises(NotProved, match="clock is behind the book"):
        say(ledger, waits(ledger, order="1002"), Token("ana", ana.token), now=NOW - timedelta(days=1))


def test_neither_token_nor_secret_is_in_the_book(ledger: Ledger) -> None:
    ana = enrol(ledger, "ana", NOW)
    secret = pyotp.parse_uri(ana.code_address).secret
    with ledger.read() as session:
        row = session.get_one(ApproverRow, "ana")
    assert ana.token not in str(row.model_dump()) and secret not in str(row.model_dump())
    assert secret not in repr(ana) and ana.token not in repr(Token("ana", ana.token))


# how much


def test_an_approver_asks_for_less_and_the_edit_is_kept(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger, amount=4990)
    said = say(ledger, typed, Token("ana", ana.token), amount=2000, reason_code="goodwill", reason="half of it")
    assert isinstance(said, Ruling)
    assert (said.amount, said.reason, said.authority) == (2000, "Goodwill: half of it", "authority@1")
    leave = authorise(ledger, typed.digest, SHIPPED, NOW)
    assert str(leave.money) == "EUR 20.00" and str(leave.proposal.money) == "EUR 49.90"
    assert "EUR 20.00 of EUR 49.90" in events(ledger, "ruled")[0]


@pytest.mark.parametrize("amount", [0, -1, 4991, 10**12])
def test_no_amount_is_raised_or_made_nothing(ledger: Ledger, amount: int) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger, amount=4990)
    with pytest.raises(LedgerError, match=r"at most EUR 49.90"):
        say(ledger, typed, Token("ana", ana.token), amount=amount)


def test_an_amount_raised_in_the_book_after_the_ruling_never_moves(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger, amount=4990)
    say(ledger, typed, Token("ana", ana.token), amount=2000)
    with ledger.write() as session:
        session.execute(text("UPDATE rulings SET amount = 999900"))
    with pytest.raises(NoAuthority, match="not what was ruled on"):
        authorise(ledger, typed.digest, SHIPPED, NOW)


def test_a_reason_is_one_of_those_that_are_written(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    with pytest.raises(LedgerError, match="no reason 'because'"):
        say(ledger, typed, Token("ana", ana.token), reason_code="because")
    with pytest.raises(LedgerError, match="needs a reason"):
        say(ledger, typed, Token("ana", ana.token), Verdict.reject, reason_code="already_solved", reason=" ")


# two people


def test_a_large_refund_takes_two_different_people(ledger: Ledger) -> None:
    lea, fin = (enrol(ledger, name, NOW, roles=(role,)) for name, role in (("lea", "lead"), ("fin", "finance")))
    typed = waits(ledger, amount=250_000)
    first = say(ledger, typed, Token("lea", lea.token))
    assert isinstance(first, Vote) and first.needs == 1
    assert find_proposal(ledger, typed.digest).standing == "waiting"
    with pytest.raises(NoAuthority, match="nobody has ruled"):
        authorise(ledger, typed.digest, SHIPPED, NOW)
    with pytest.raises(NoAuthority, match="lea has approved it already"):
        say(ledger, typed, Token("lea", lea.token))
    second = say(ledger, typed, Token("fin", fin.token))
    assert isinstance(second, Ruling) and (second.approver, second.seconded_by) == ("fin", "lea")
    assert authorise(ledger, typed.digest, SHIPPED, NOW).ruling == second


def test_when_either_of_two_is_revoked_it_is_asked_again(ledger: Ledger) -> None:
    people = {name: enrol(ledger, name, NOW, roles=("finance",)) for name in ("one", "two", "three")}
    typed = waits(ledger, amount=250_000)
    for name in ("one", "two"):
        say(ledger, typed, Token(name, people[name].token))
    revoke(ledger, "one", NOW)
    with pytest.raises(AuthorityLost, match="one has no authority any more"):
        authorise(ledger, typed.digest, SHIPPED, NOW)
    ask_again(ledger, typed.digest, "one was revoked", NOW)
    ask_again(ledger, typed.digest, "told twice", NOW)
    assert find_proposal(ledger, typed.digest).round == 2, "what is told twice is asked again once"
    assert isinstance(say(ledger, typed, Token("two", people["two"].token)), Vote), "no vote of the last round counts"
    assert isinstance(say(ledger, typed, Token("three", people["three"].token)), Ruling)


def test_two_who_approve_different_amounts_have_approved_none(ledger: Ledger) -> None:
    one, two = (enrol(ledger, name, NOW, roles=("finance",)) for name in ("one", "two"))
    typed = waits(ledger, amount=250_000)
    say(ledger, typed, Token("one", one.token), amount=200_000)
    with pytest.raises(LedgerError, match="one approved 200000"):
        say(ledger, typed, Token("two", two.token))
    assert isinstance(say(ledger, typed, Token("two", two.token), amount=200_000), Ruling)


def test_one_of_two_may_reject_alone(ledger: Ledger) -> None:
    one, two = (enrol(ledger, name, NOW, roles=("finance",)) for name in ("one", "two"))
    typed = waits(ledger, amount=250_000)
    say(ledger, typed, Token("one", one.token))
    assert say(ledger, typed, Token("two", two.token), Verdict.reject, reason="found").verdict is Verdict.reject  # type: ignore[union-attr]


def test_an_authority_that_was_lowered_after_the_ruling_is_asked_again(ledger: Ledger, tmp_path: Path) -> None:
    from policies.authority import SHIPPED as FILE

    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    say(ledger, typed, Token("ana", ana.token))
    lowered = tmp_path / "authority.yaml"
    lowered.write_text(FILE.read_text().replace("each: {EUR: 100000", "each: {EUR: 4989", 1))
    with pytest.raises(AuthorityLost, match="over the limit of approver"):
        authorise(ledger, typed.digest, authority(lowered), NOW)


# one ruling


def test_what_waited_too_long_can_t_be_ruled_on_any_more(ledger: Ledger) -> None:
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    with pytest.raises(AlreadyRuled, match="has expired"):
        say(ledger, typed, Token("ana", ana.token), now=NOW + timedelta(days=30))


def test_of_fifty_people_at_one_instant_one_rules_and_forty_nine_are_told_who(ledger: Ledger) -> None:
    people = {f"person {number}": enrol(ledger, f"person {number}", NOW) for number in range(50)}
    typed, at_once = waits(ledger), Barrier(50)

    def rules(name: str) -> str:
        at_once.wait()
        verdict = Verdict.approve if int(name.split()[1]) % 2 else Verdict.reject
        try:
            return f"ruled {say(ledger, typed, Token(name, people[name].token), verdict).approver}"
        except AlreadyRuled as late:
            return late.what

    with ThreadPoolExecutor(50) as pool:
        said = list(pool.map(rules, people))
    (first,) = [one.removeprefix("ruled ") for one in said if one.startswith("ruled ")]
    late = [one for one in said if not one.startswith("ruled ")]
    assert len(late) == 49
    assert all(one.startswith(f"{first} ruled first: ") and ", by form, at 2026-11-03 09:30 UTC" in one for one in late)


def test_a_void_ruling_stays_in_the_book_beside_the_one_that_holds(ledger: Ledger) -> None:
    from tests.slack.cases import a_case

    case = a_case("c" * 16)
    record_cases(ledger, "fulfilment", "main", [case], (), NOW)
    ana, typed = enrol(ledger, "ana", NOW), waits(ledger)
    say(ledger, typed, Token("ana", ana.token))
    ask_again(ledger, typed.digest, "her role was changed", NOW)
    say(ledger, typed, Token("ana", ana.token), Verdict.reject, reason="found")
    held = dossier(ledger, typed.digest)
    assert held.rulings[typed.digest].verdict == "reject"
    with ledger.read() as session:
        assert session.execute(text("SELECT count(*) FROM rulings")).scalar() == 2
        assert session.get_one(ProposalRow, typed.digest).standing == "rejected"
