"""Where lanes stand in the book, what is counted of them, and who may move them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from control_tower.errors import LedgerError, NoAuthority, NotProved
from control_tower.ledger import Ledger
from control_tower.ledger.approvers import enrol
from control_tower.ledger.authorised import Authorised, authorise
from control_tower.ledger.journal import faults
from control_tower.ledger.lane_records import lane_record
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import record_proposals
from control_tower.ledger.rungs import demote, fall, newest_rung, promote
from control_tower.nouns import Action
from policies.authority import authority
from tests.ledger.books import NOW, proposal
from tests.ledger.lanes import LANE, case, looked, ruled
from tests.postgres import new_database
from tests.thorough import up_to

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WINDOW = NOW - 28 * DAY


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        book = Ledger(new_database(request.getfixturevalue("postgres")))
    yield book
    book.engine.dispose()


def test_a_lane_that_never_moved_has_no_row_and_the_newest_row_counts(ledger: Ledger) -> None:
    assert newest_rung(ledger, LANE, "") is None
    assert fall(ledger, LANE, "recommend", "4 contract breaches", NOW, after=None, shop="")
    first = newest_rung(ledger, LANE, "")
    assert fall(ledger, LANE, "route", "more", NOW, after=first, shop="")
    assert newest_rung(ledger, LANE, "").rung == "route"  # type: ignore[union-attr]
    assert newest_rung(ledger, "returns", "") is None


def test_of_two_that_weigh_a_lane_by_the_same_record_one_lets_it_fall(ledger: Ledger) -> None:
    assert fall(ledger, LANE, "recommend", "why", NOW, after=None, shop="")
    assert not fall(ledger, LANE, "recommend", "why", NOW, after=None, shop="")


def test_a_person_with_the_role_promotes_and_any_enrolled_person_demotes(ledger: Ledger) -> None:
    lea, ana = (Token(n, enrol(ledger, n, NOW, roles=(r,)).token) for n, r in (("lea", "lead"), ("ana", "approver")))
    with pytest.raises(NoAuthority, match="ana may not promote a lane"):
        promote(ledger, LANE, "act", ana, authority(), "it is good", NOW, after=None, shop="")
    with pytest.raises(NotProved):
        promote(ledger, LANE, "act", Token("lea", "guessed"), authority(), "it is good", NOW, after=None, shop="")
    with pytest.raises(LedgerError, match="takes a reason"):
        promote(ledger, LANE, "act", lea, authority(), " ", NOW, after=None, shop="")
    assert newest_rung(ledger, LANE, "") is None
    promote(ledger, LANE, "act", lea, authority(), "it is good", NOW, after=None, shop="")
    promoted = newest_rung(ledger, LANE, "")
    assert promoted and (promoted.rung, promoted.by, promoted.why) == ("act", "lea", "lea: it is good")
    with pytest.raises(LedgerError, match="moved meanwhile"):
        demote(ledger, LANE, "recommend", ana, "wrong refunds", NOW, after=None, shop="")
    demote(ledger, LANE, "recommend", ana, "wrong refunds", NOW, after=promoted, shop="")
    assert newest_rung(ledger, LANE, "").by == "ana"  # type: ignore[union-attr]


def test_a_row_that_puts_a_lane_on_a_rung_behind_the_books_back_is_named(ledger: Ledger) -> None:
    fall(ledger, LANE, "route", "why", NOW, after=None, shop="")
    assert list(faults(ledger.engine)) == []
    with ledger.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO rungs (id, lane, rung, why, by, shop, at)"
                " VALUES (999, 'fulfilment', 'act', 'earned', 'lea', '', '2026-11-02 09:30:00+00')"
            )
        )
        connection.execute(text("UPDATE rungs SET rung = 'act' WHERE id = 1"))
    named = [str(fault) for fault in faults(ledger.engine)]
    assert "rungs 999 was not written by the tower" in named
    assert "rungs 1 is not what was written" in named


def test_looks_are_counted_and_a_breach_that_goes_on_is_one(ledger: Ledger) -> None:
    looked(ledger, WINDOW - HOUR, "orders@1: stale")
    for hour, breach in enumerate(["", "orders@1: stale", "orders@1: stale", "", "orders@1: stale", "orders@1: empty"]):
        looked(ledger, NOW - DAY + hour * HOUR, breach)
    looked(ledger, NOW - DAY + 4 * HOUR, "orders@1: stale", source="folder:/elsewhere")
    found = lane_record(ledger, LANE, WINDOW, None, NOW, "")
    assert (found.looks, found.breaches) == (2, 4)


def test_a_case_is_overdue_when_nobody_ruled_on_it_or_closed_it_in_time(ledger: Ledger) -> None:
    due = NOW - DAY
    case(ledger, NOW - 2 * DAY, due)
    case(ledger, NOW - 2 * DAY, due, closed=due + HOUR)
    case(ledger, NOW - 2 * DAY, due, closed=due - HOUR)
    case(ledger, NOW - 2 * DAY, NOW + HOUR)
    case(ledger, NOW - 90 * DAY, NOW - 80 * DAY, closed=NOW - 60 * DAY)
    case(ledger, NOW - 2 * DAY, due, lane="returns")
    answered = case(ledger, NOW - 2 * DAY, due)
    ruled(ledger, due - HOUR, on=answered)
    late = case(ledger, NOW - 2 * DAY, due)
    ruled(ledger, due + HOUR, on=late)
    found = lane_record(ledger, LANE, WINDOW, None, NOW, "")
    assert (found.cases, found.overdue) == (6, 3)


def test_approvals_of_the_full_amount_agree_and_what_was_undone_is_counted_of_what_was_done(ledger: Ledger) -> None:
    done = [ruled(ledger, NOW - DAY, effect="confirmed") for _ in range(3)]
    ruled(ledger, NOW - DAY, effect="refused")
    ruled(ledger, NOW - DAY, verdict="reject")
    ruled(ledger, NOW - DAY, amount=100)
    ruled(ledger, NOW - HOUR, undoes=done[0], effect="confirmed")
    ruled(ledger, NOW - HOUR, undoes=done[1], effect="refused")
    ruled(ledger, NOW - 40 * DAY, effect="confirmed")
    found = lane_record(ledger, LANE, WINDOW, None, NOW, "")
    assert (found.rulings, found.agreed) == (6, 4), "what is said of an undo is nothing about the lane's proposals"
    assert (found.effects, found.undone) == (3, 1)


def test_what_made_a_lane_fall_is_not_counted_again(ledger: Ledger) -> None:
    looked(ledger, NOW - DAY, "orders@1: stale")
    ruled(ledger, NOW - DAY, verdict="reject", effect="confirmed")
    case(ledger, NOW - 2 * DAY, NOW - DAY)
    found = lane_record(ledger, LANE, WINDOW, NOW - HOUR, NOW, "")
    assert (found.breaches, found.rulings, found.effects, found.overdue) == (0, 0, 0, 0)


@settings(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rung=st.sampled_from(["observe", "route", "recommend", "act"]),
    action=st.sampled_from([Action.refund, Action.reship, Action.hold]),
    order=st.integers(1, 9),
)
def test_on_every_rung_a_refund_a_reship_and_a_hold_wait_for_a_person(
    rung: str, action: Action, order: int, tmp_path: Path
) -> None:
    """There is no leave to act without a ruling in the ledger, wherever a lane stands and whoever put it there."""
    book = Ledger(f"sqlite:///{tmp_path / 'every.db'}")
    fall(book, LANE, rung, "for this test", NOW, after=newest_rung(book, LANE, ""), shop="")
    asked = proposal(str(order), 100 * order, action)
    record_proposals(book, [], [asked], NOW)
    with pytest.raises(NoAuthority, match="nobody has ruled on it"):
        authorise(book, asked.digest, authority(), NOW)
    with pytest.raises(NoAuthority, match="from a ruling in the ledger"):
        Authorised(asked, None)  # type: ignore[arg-type]
    book.engine.dispose()
