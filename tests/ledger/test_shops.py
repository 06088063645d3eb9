"""In one book, what is one shop's counts for that shop alone, and so does whoever decides there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from control_tower.authority import Authority
from control_tower.caps import Breaker, Cap, Caps
from control_tower.errors import CapReached, HandsStopped, NoAuthority, NotFound, OutcomeUnknown
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import answer_for, enrol
from control_tower.ledger.authorised import Authorised, authorise
from control_tower.ledger.caps import close_breaker, open_breakers, trip_by_hand, watch_lanes
from control_tower.ledger.effects import intend, move
from control_tower.ledger.lane_records import lane_record
from control_tower.ledger.looks import record_look
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.rulings import rule
from control_tower.ledger.rungs import demote, fall, newest_rung, promote
from control_tower.ledger.turns import turn
from control_tower.ledger.undo import propose_undo
from control_tower.nouns import Action, EffectState, Proposal, Ruling, Verdict, digest_of
from policies.authority import authority
from tests.ledger.books import NOW, proposal
from tests.ledger.lanes import case

SHOPS = ("berlin", "rio")
LANE = "fulfilment"
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "sqlite":
        return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    from tests.postgres import new_database

    return Ledger(new_database(request.getfixturevalue("postgres")))


def of(shop: str, order: str = "1001", **given: object) -> Proposal:
    """The very same proposal but for the shop: order, customer, amount and target are alike."""
    asked = proposal(order, **given)  # type: ignore[arg-type]
    case_id = digest_of([shop, order])[:12]
    return asked.model_copy(update={"shop": shop, "source": f"shop:{shop}", "customer": "c1", "case_id": case_id})


def ruled(ledger: Ledger, asked: Proposal, by: Token, verdict: Verdict = Verdict.approve) -> Ruling:
    record_proposals(ledger, [], [asked], NOW)
    said = rule(ledger, asked.digest, verdict, by=by, authority=authority(), reason="seen", via="command", now=NOW)
    assert isinstance(said, Ruling)
    return said


def person(ledger: Ledger, name: str, *shops: str, role: str = "finance") -> Token:
    shops_given = {"shops": shops} if shops else {}
    return Token(name, enrol(ledger, name, NOW, roles=(role,), **shops_given).token)


@pytest.fixture
def leave(ledger: Ledger) -> Callable[..., Authorised]:
    lea = person(ledger, "lea")

    def leave(shop: str, order: str = "1001", **given: object) -> Authorised:
        asked = of(shop, order, **given)
        ruled(ledger, asked, lea)
        return authorise(ledger, asked.digest, authority(), NOW)

    return leave


def test_the_same_proposal_of_two_shops_is_two(ledger: Ledger) -> None:
    one, other = (of(shop) for shop in SHOPS)
    assert one.digest != other.digest
    # Even where every id is alike, a ruling covers the shop.
    same = other.model_copy(update={"case_id": one.case_id})
    assert same.model_copy().digest != one.digest


@pytest.mark.parametrize("cap", [
    Cap("order", Action.refund, effects=1), Cap("customer", Action.refund, effects=1),
    Cap("approver", Action.refund, effects=1), Cap("lane", Action.refund, most={"EUR": 1200}),
])  # fmt: skip
def test_what_was_done_in_one_shop_is_under_no_cap_of_another(
    ledger: Ledger, leave: Callable[..., Authorised], cap: Cap
) -> None:
    caps = Caps("test", (cap,))
    done = intend(ledger, leave("berlin"), "run", NOW, caps)
    move(ledger, done.key, EffectState.confirmed, holder="run", now=NOW)
    assert intend(ledger, leave("rio"), "run", NOW, caps).state is EffectState.intended
    with pytest.raises(CapReached):
        intend(ledger, leave("berlin", amount=1199), "run", NOW, caps)


def test_a_cap_of_the_tower_is_over_all_shops(ledger: Ledger, leave: Callable[..., Authorised]) -> None:
    caps = Caps("test", (Cap("tower", Action.refund, effects=1),))
    intend(ledger, leave("berlin"), "run", NOW, caps)
    with pytest.raises(CapReached):
        intend(ledger, leave("rio"), "run", NOW, caps)


def test_an_effect_in_the_air_keeps_no_order_of_another_shop_waiting(
    ledger: Ledger, leave: Callable[..., Authorised]
) -> None:
    sent = intend(ledger, leave("berlin"), "run", NOW)
    move(ledger, sent.key, EffectState.sent, holder="run", now=NOW)
    assert intend(ledger, leave("rio"), "run", NOW).state is EffectState.intended
    with pytest.raises(OutcomeUnknown, match="it goes first"):
        intend(ledger, leave("berlin", amount=1199), "run", NOW)
    with turn(ledger, "1001", "berlin"), turn(ledger, "1001", "rio", patience=0):
        pass


def test_a_breaker_that_trips_in_one_shop_stops_nobody_in_another(
    ledger: Ledger, leave: Callable[..., Authorised]
) -> None:
    caps = Caps("test", breakers=(Breaker("begun", 1, DAY),))
    intend(ledger, leave("berlin"), "run", NOW)
    watch_lanes(ledger, lambda _: caps, NOW)
    assert [(row.lane, row.shop) for row in open_breakers(ledger)] == [(LANE, "berlin")]
    with pytest.raises(HandsStopped):
        intend(ledger, leave("berlin", "1002"), "run", NOW)
    assert intend(ledger, leave("rio"), "run", NOW).state is EffectState.intended


def test_a_person_of_all_shops_stops_them_all_and_one_of_a_shop_that_shop(
    ledger: Ledger, leave: Callable[..., Authorised]
) -> None:
    ann, bo = person(ledger, "ann"), person(ledger, "bo", "rio")
    with pytest.raises(NoAuthority, match="not in every shop at once"):
        trip_by_hand(ledger, LANE, bo, "it looks wrong", NOW, "")
    with pytest.raises(NoAuthority, match="not in berlin"):
        trip_by_hand(ledger, LANE, bo, "it looks wrong", NOW, "berlin")
    trip_by_hand(ledger, LANE, bo, "it looks wrong", NOW, "rio")
    trip_by_hand(ledger, LANE, ann, "everything looks wrong", NOW, "")
    for shop in SHOPS:
        with pytest.raises(HandsStopped):
            intend(ledger, leave(shop), "run", NOW)
    with pytest.raises(NotFound, match="say which"):
        close_breaker(ledger, LANE, ann, authority(), "it is over", NOW)
    with pytest.raises(NoAuthority):
        close_breaker(ledger, LANE, bo, authority(), "it is over", NOW, "")
    close_breaker(ledger, LANE, ann, authority(), "it is over", NOW, "")
    assert intend(ledger, leave("berlin", "1003"), "run", NOW).state is EffectState.intended
    with pytest.raises(HandsStopped):
        intend(ledger, leave("rio", "1003"), "run", NOW)


def test_where_a_lane_stands_in_one_shop_says_nothing_about_another(ledger: Ledger) -> None:
    bo = person(ledger, "bo", "rio")
    assert fall(ledger, LANE, "recommend", "it was wrong", NOW, after=None, shop="berlin")
    assert newest_rung(ledger, LANE, "rio") is None and newest_rung(ledger, LANE, "") is None
    for shop in ("berlin", ""):
        after = newest_rung(ledger, LANE, shop)
        with pytest.raises(NoAuthority):
            demote(ledger, LANE, "route", bo, "I say so", NOW, after=after, shop=shop)
        with pytest.raises(NoAuthority):
            promote(ledger, LANE, "act", bo, _allows(), "I say so", NOW, after=after, shop=shop)
    demote(ledger, LANE, "route", bo, "I say so", NOW, after=None, shop="rio")
    found = {shop: newest_rung(ledger, LANE, shop) for shop in SHOPS}
    assert {shop: row and row.rung for shop, row in found.items()} == {"berlin": "recommend", "rio": "route"}


def _allows() -> Authority:
    return authority()


def test_a_lane_s_record_is_of_the_shop_that_it_was_made_in(ledger: Ledger) -> None:
    for number, source in enumerate(("shop:berlin", "shop:berlin", "shop:rio", "folder:elsewhere")):
        record_look(
            ledger, f"run-{number}", lane=LANE, source=source, as_of=NOW, now=NOW,
            breach="orders: r" if number == 2 else "",
            shop=source.removeprefix("shop:") if source.startswith("shop:") else "olist",
        )  # fmt: skip
    case(ledger, NOW - DAY, NOW + DAY)
    found = {shop: lane_record(ledger, LANE, NOW - DAY, None, NOW, shop) for shop in (*SHOPS, "")}
    assert {shop: (one.looks, one.breaches, one.cases) for shop, one in found.items()} == {
        "berlin": (2, 0, 0), "rio": (0, 1, 0), "": (1, 0, 1),
    }  # fmt: skip


def test_whoever_rules_for_one_shop_rules_in_no_other(ledger: Ledger) -> None:
    bo = person(ledger, "bo", "rio")
    for verdict in Verdict:
        with pytest.raises(NoAuthority, match="bo decides in rio, and not in berlin"):
            ruled(ledger, of("berlin", f"{verdict}"), bo, verdict)
        assert ruled(ledger, of("rio", f"{verdict}"), bo, verdict).approver == "bo"
    with pytest.raises(NoAuthority, match="not in shop"):
        ruled(ledger, proposal("1009"), bo)


def test_who_no_longer_answers_for_a_shop_has_approved_nothing_there(ledger: Ledger) -> None:
    bo, asked = person(ledger, "bo", "rio"), of("rio")
    ruled(ledger, asked, bo)
    answer_for(ledger, "bo", ("berlin",), NOW)
    with pytest.raises(NoAuthority, match="bo has no authority any more: bo decides in berlin"):
        authorise(ledger, asked.digest, authority(), NOW)


def test_nobody_asks_to_take_back_what_another_shop_did(ledger: Ledger, leave: Callable[..., Authorised]) -> None:
    held = intend(ledger, leave("berlin", action=Action.hold), "run", NOW)
    move(ledger, held.key, EffectState.confirmed, holder="run", now=NOW, reference="H1")
    with pytest.raises(NoAuthority, match="not in berlin"):
        propose_undo(ledger, held.key, person(ledger, "bo", "rio"), "it was wrong", NOW)
    undo = propose_undo(ledger, held.key, person(ledger, "al", "berlin"), "it was wrong", NOW)
    assert (undo.shop, undo.source) == ("berlin", "shop:berlin")


@pytest.mark.slow
def test_what_was_spent_in_one_shop_is_in_no_day_s_limit_of_another(ledger: Ledger) -> None:
    bo = person(ledger, "bo", role="approver")
    for number in range(200):
        ruled(ledger, of("berlin", f"{number}", action=Action.reship), bo)
    with pytest.raises(NoAuthority, match="200 a day"):
        ruled(ledger, of("berlin", "200", action=Action.reship), bo)
    assert ruled(ledger, of("rio", "0", action=Action.reship), bo)


def test_a_proposal_that_was_turned_to_another_shop_s_store_acts_nowhere(ledger: Ledger) -> None:
    from sqlalchemy import update
    from sqlmodel import col

    from control_tower.ledger.tables import ProposalRow

    asked = of("berlin")
    ruled(ledger, asked, person(ledger, "lea"))
    for change in ({"source": "shop:rio"}, {"source": "shop"}, {"shop": "rio", "source": "shop:rio"}, {"shop": "rio"}):
        body = asked.model_dump(mode="json") | change
        with ledger.write() as session:
            session.execute(update(ProposalRow).where(col(ProposalRow.digest) == asked.digest).values(body=body))
        with pytest.raises(NoAuthority):
            authorise(ledger, asked.digest, authority(), NOW)
