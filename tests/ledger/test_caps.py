"""Caps and breakers: the most that hands may do, counted in the book, whoever approved it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.caps import Breaker, Cap, Caps, Owner
from control_tower.errors import AlreadyRuled, CapReached, HandsStopped, LedgerError, NoAuthority, NotFound, NotProved
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import authorise
from control_tower.ledger.caps import close_breaker, open_breakers, trip_by_hand, watch_lanes
from control_tower.ledger.effects import intend, list_effects, move
from control_tower.ledger.proofs import Token
from control_tower.nouns import Action, EffectState, Proposal
from policies.authority import authority
from tests.ledger.books import NOW, approved, proposal
from tests.postgres import new_database
from tests.thorough import up_to


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        book = Ledger(new_database(request.getfixturevalue("postgres")))
    yield book
    book.engine.dispose()


def refund(order: str, amount: int = 1200, customer: str = "C1", lane: str = "fulfilment") -> Proposal:
    told = proposal(order, amount).model_dump() | {"customer": customer, "lane": lane}
    return Proposal.model_validate(told)


def act(
    ledger: Ledger, asked: Proposal, caps: Caps, at: datetime = NOW, to: EffectState = EffectState.confirmed,
    by: str = "ana",
) -> None:  # fmt: skip
    try:
        leave = approved(ledger, asked, by)
    except AlreadyRuled:
        leave = authorise(ledger, asked.digest, authority(), NOW)
    intend(ledger, leave, "me", at, caps)
    move(ledger, asked.digest, to, holder="me", now=at)


def capped(of: Owner, **rest: Any) -> Caps:
    return Caps("authority@1", (Cap(of, Action.refund, **rest),))


def test_a_customer_is_paid_up_to_the_cap_and_no_cent_more(ledger: Ledger) -> None:
    caps = capped("customer", most={"EUR": 3000}, within=timedelta(days=30))
    act(ledger, refund("1001", 1200), caps)
    act(ledger, refund("1002", 1800), caps)
    with pytest.raises(CapReached, match=r"of this customer within 30 days.* are capped at EUR 30.00, and EUR 30.00"):
        act(ledger, refund("1003", 1), caps)
    act(ledger, refund("1004", 1, customer="C2"), caps)
    act(ledger, refund("1003", 1), caps, at=NOW + timedelta(days=31))
    assert len(list_effects(ledger)) == 4


def test_what_may_have_happened_counts_and_what_was_refused_does_not(ledger: Ledger) -> None:
    caps = capped("customer", effects=2)
    act(ledger, refund("1001"), caps, to=EffectState.refused)
    act(ledger, refund("1002"), caps, to=EffectState.unknown)
    act(ledger, refund("1003"), caps)
    with pytest.raises(CapReached, match="capped at 2, and 2 were made before"):
        act(ledger, refund("1004"), caps)


def of_nobody(told: dict[str, Any]) -> Proposal:
    return refund(**({"customer": ""} | {name: value for name, value in told.items() if name != "by"}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of", "same", "other"),
    [
        ("order", {"order": "1001", "amount": 5}, {"order": "1009"}),
        ("approver", {"order": "1002", "by": "ana"}, {"order": "1009", "by": "bo"}),
        ("lane", {"order": "1002"}, {"order": "1009", "lane": "returns"}),
    ],
)
def test_each_cap_counts_its_own(ledger: Ledger, of: Owner, same: dict[str, Any], other: dict[str, Any]) -> None:
    caps = capped(of, effects=1)
    act(ledger, refund("1001", customer=""), caps)
    with pytest.raises(CapReached):
        act(ledger, of_nobody(same), caps, by=same.get("by", "ana"))
    act(ledger, of_nobody(other), caps, by=other.get("by", "ana"))


def test_a_customer_nobody_names_is_not_everybody(ledger: Ledger) -> None:
    caps = capped("customer", effects=1)
    act(ledger, refund("1001", customer=""), caps)
    act(ledger, refund("1002", customer=""), caps)


def test_of_many_at_once_only_as_many_as_the_cap_allows_begin(ledger: Ledger) -> None:
    caps = capped("tower", most={"EUR": 3600})
    leaves = [approved(ledger, refund(f"{1000 + number}")) for number in range(12)]
    begun: list[str] = []
    start = threading.Barrier(len(leaves))

    def one(number: int) -> None:
        start.wait()
        try:
            intend(ledger, leaves[number], f"run {number}", NOW, caps)
        except CapReached:
            return
        begun.append(leaves[number].proposal.order_id)

    together = [threading.Thread(target=one, args=(number,)) for number in range(len(leaves))]
    for each in together:
        each.start()
    for each in together:
        each.join()
    assert len(begun) == len(list_effects(ledger)) == 3


BREAKS = Caps("authority@1", (), (Breaker("unknown", 2, timedelta(hours=1)),))


def test_unknown_outcomes_stop_the_hands_of_their_lane_and_of_no_other(ledger: Ledger) -> None:
    for order in ("1001", "1002"):
        act(ledger, refund(order), BREAKS, to=EffectState.unknown)
    with pytest.raises(HandsStopped, match="the hands of fulfilment are stopped: 2 effects came to be unknown"):
        act(ledger, refund("1003"), BREAKS)
    assert [row.lane for row in open_breakers(ledger)] == ["fulfilment"], "that it tripped is written down"
    with pytest.raises(HandsStopped):
        act(ledger, refund("1003"), BREAKS, at=NOW + timedelta(days=9))
    act(ledger, refund("1004", lane="returns"), BREAKS)
    assert len(open_breakers(ledger)) == 1
    assert [each.order_id for each in list_effects(ledger)] == ["1001", "1002", "1004"]


def test_a_person_with_authority_closes_it_and_what_tripped_it_counts_no_more(ledger: Ledger) -> None:
    for order in ("1001", "1002"):
        act(ledger, refund(order), BREAKS, to=EffectState.unknown)
    watch_lanes(ledger, lambda _: BREAKS, NOW)
    assert len(open_breakers(ledger)) == 1
    bo, lea = (
        Token(name, enrol(ledger, name, NOW, roles=(role,)).token)
        for name, role in (("bo", "approver"), ("lea", "lead"))
    )
    close = [ledger, "fulfilment"]
    with pytest.raises(NoAuthority, match="bo may not close a breaker"):
        close_breaker(*close, bo, authority(), "I want to", NOW)
    with pytest.raises(NotProved):
        close_breaker(*close, Token("lea", "guessed"), authority(), "it is over", NOW)
    with pytest.raises(LedgerError, match="takes a reason"):
        close_breaker(*close, lea, authority(), " ", NOW)
    close_breaker(*close, lea, authority(), "the store answers again", NOW + timedelta(minutes=5))
    with pytest.raises(NotFound):
        close_breaker(*close, lea, authority(), "again", NOW)
    act(ledger, refund("1003"), BREAKS, at=NOW + timedelta(minutes=6))
    for order in ("1005", "1006"):
        act(ledger, refund(order), BREAKS, at=NOW + timedelta(minutes=7), to=EffectState.unknown)
    with pytest.raises(HandsStopped):
        act(ledger, refund("1007"), BREAKS, at=NOW + timedelta(minutes=8))


def test_anybody_enrolled_stops_a_lane_by_hand_once(ledger: Ledger) -> None:
    bo = Token("bo", enrol(ledger, "bo", NOW).token)
    trip_by_hand(ledger, "fulfilment", bo, "refunds look wrong", NOW, "")
    with pytest.raises(LedgerError, match="stopped already"):
        trip_by_hand(ledger, "fulfilment", bo, "again", NOW, "")
    with pytest.raises(HandsStopped, match="bo: refunds look wrong"):
        act(ledger, refund("1001"), Caps())


@pytest.mark.slow
@settings(max_examples=up_to(40), deadline=None)
@given(
    amounts=st.lists(st.integers(1, 900), min_size=1, max_size=12),
    most=st.integers(1, 2500),
    number=st.integers(1, 8),
)
def test_whatever_is_approved_no_cap_is_ever_passed(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[int], most: int, number: int
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('caps') / 'ledger.db'}")
    caps = capped("tower", most={"EUR": most}, effects=number)
    done: list[int] = []
    for at, amount in enumerate(amounts):
        fits = sum(done) + amount <= most and len(done) < number
        try:
            act(ledger, refund(f"{at}", amount), caps)
        except CapReached:
            assert not fits
        else:
            assert fits
            done.append(amount)
    assert sum(each.money.amount for each in list_effects(ledger) if each.money) == sum(done) <= most
    ledger.engine.dispose()


def test_the_shipped_caps_are_read_as_they_are_written() -> None:
    caps = authority().caps
    assert {cap.of for cap in caps.caps} == {"order", "customer", "approver", "lane", "tower"}
    assert {breaker.when for breaker in caps.breakers} == {"begun", "refused", "unknown"}
    assert caps.caps[0].most["EUR"] == 5_000_000
    assert datetime(2026, 1, 1, tzinfo=UTC) - caps.breakers[2].within == datetime(2025, 12, 31, 23, 50, tzinfo=UTC)
