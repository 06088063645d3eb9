"""The subscriptions lane on the embedded shop: what was planted is found, and an unpaid box is held once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action
from control_tower.pause import resume
from control_tower.stores.generator import Rates
from flows.watch_subscriptions import watch_subscriptions
from tests.flows.conftest import own_tower

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def subscribed(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower whose subscriptions lane has run live; the shop is like no other, as in `watched`."""
    with own_tower(tmp_path_factory.mktemp("subscribed"), deployed) as mine:
        mine.truth = mine.fill_now(2000, Rates(shipment_unpaid=0.006))
        mine.report = watch_subscriptions()
        yield mine


def holds(tower: Any, order: str) -> int:
    """How many holds the shop's own book has on an order."""
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    with sqlite3.connect(sqlite_file(tower.settings.shop)) as book:
        return int(book.execute("SELECT count(*) FROM holds WHERE order_id = ?", (order,)).fetchone()[0])


@pytest.mark.slow
@pytest.mark.parametrize("orders", [10_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_every_planted_subscription_is_found_and_nothing_else(tower: Any, orders: int) -> None:
    truth = tower.fill(orders, seed=11, dirty=True)
    report = watch_subscriptions(as_of=AS_OF, dry_run=True)
    found = tower.kept(report, "judge")
    yes = found[found["answer"] == "yes"]
    assert set(yes[["subject", "kind"]].itertuples(index=False, name=None)) == set(
        truth.subscription_pairs.itertuples(index=False, name=None)
    )
    assert not (found["answer"] == "unknown").any()


@pytest.mark.slow
def test_every_step_is_kept_with_the_versions_that_were_in_force(subscribed: Any) -> None:
    records = subscribed.records(subscribed.report)
    assert {"detect", "entitle", "judge", "score"} <= set(records)
    assert records["judge"].versions["policy"] == "subscriptions@1"
    assert verify(open_archive(subscribed.settings.artifacts), subscribed.ledger, subscribed.report.run_id).records
    facts = subscribed.kept(subscribed.report, "entitle")
    assert set(facts["decline"].dropna()) == {"soft", "hard"}


def test_what_is_refused_for_good_is_told_with_what_to_do_and_moves_nothing(subscribed: Any) -> None:
    refused = [
        dossier(subscribed.ledger, row.id).case
        for row in queue(subscribed.ledger)
        if row.pivot.startswith("subscription:")
    ]
    hard = [case for case in refused if case.kinds == ("hard_decline",)]
    assert hard
    for case in hard:
        assert case.team == "billing"
        (advice,) = case.advice
        assert (advice.action, advice.owner) == ("ask_for_method", "support"), "it has to be asked for, and by whom"
        assert advice.counter == "" and "only the customer can name another method" in advice.reason
    assert {action.value for action in Action if subscribed.waiting(action)} == {"hold"}


def test_only_what_ships_unpaid_is_proposed_to_be_held(subscribed: Any) -> None:
    proposed = {proposal.subject for proposal in subscribed.waiting(Action.hold)}
    assert proposed == set(subscribed.truth.planted["subscriptions"]["shipment_unpaid"])


def test_an_approved_hold_is_placed_once_and_the_shipment_is_no_finding_any_more(subscribed: Any) -> None:
    proposal = subscribed.waiting(Action.hold)[0]
    assert proposal.target == proposal.order_id != proposal.subject
    subscribed.rule(proposal)
    for _ in range(2):
        resume(str(find_proposal(subscribed.ledger, proposal.digest).flow_run_id))
        subscribed.work()
    assert holds(subscribed, proposal.order_id) == 1
    assert find_proposal(subscribed.ledger, proposal.digest).standing == "done"
    watch_subscriptions()
    held = dossier(subscribed.ledger, proposal.case_id)
    assert "shipment_unpaid" not in held.case.kinds or held.row.standing == "closed"


def test_a_hold_is_void_when_the_invoice_of_an_earlier_box_is_paid_meanwhile(subscribed: Any) -> None:
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    proposal = subscribed.waiting(Action.hold)[0]
    subscribed.rule(proposal)
    with sqlite3.connect(sqlite_file(subscribed.settings.shop)) as book:
        book.execute(
            "UPDATE invoices SET paid_at = last_attempt_at, status = 'paid'"
            " WHERE subscription_id = ? AND paid_at IS NULL",
            (proposal.subject,),
        )
    resume(str(find_proposal(subscribed.ledger, proposal.digest).flow_run_id))
    subscribed.work()
    assert holds(subscribed, proposal.order_id) == 0
    row = find_proposal(subscribed.ledger, proposal.digest)
    assert row.standing == "void"
    assert "failed was True, is False" in row.detail
