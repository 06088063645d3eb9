"""The returns lane on the embedded shop: what was planted is found, and a late refund is paid once."""

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
from flows.watch_returns import watch_returns
from tests.flows.conftest import own_tower

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def returned(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower whose returns lane has run live; the shop is like no other, as in `watched`."""
    with own_tower(tmp_path_factory.mktemp("returned"), deployed) as mine:
        mine.fill_now(1500, Rates(late_refund=0.02))
        mine.report = watch_returns()
        yield mine


@pytest.mark.parametrize("orders", [10_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_every_planted_return_is_found_and_nothing_else(tower: Any, orders: int) -> None:
    truth = tower.fill(orders, seed=11, dirty=True)
    report = watch_returns(as_of=AS_OF, dry_run=True)
    found = tower.kept(report, "judge")
    yes = found[found["answer"] == "yes"]
    assert set(yes[["subject", "kind"]].itertuples(index=False, name=None)) == set(
        truth.return_pairs.itertuples(index=False, name=None)
    )
    assert not (found["answer"] == "unknown").any()


@pytest.mark.slow
def test_every_step_is_kept_with_the_versions_that_were_in_force(returned: Any) -> None:
    records = returned.records(returned.report)
    assert {"detect", "entitle", "judge", "score"} <= set(records)
    assert records["judge"].versions["policy"] == "returns@1"
    assert verify(open_archive(returned.settings.artifacts), returned.ledger, returned.report.run_id).records
    facts = returned.kept(returned.report, "entitle")
    assert facts["return_window_clause"].dropna().str.match(r"(return_policy|holiday_extension)@\d+ ").all()


def test_a_product_that_comes_back_is_one_case_at_the_desk_that_can_change_it(returned: Any) -> None:
    spikes = [row for row in queue(returned.ledger) if row.pivot.startswith("product:")]
    assert spikes
    teams = {row.pivot.rpartition("/")[2]: row.team for row in spikes}
    assert teams.get("size_too_small") == "merchandising"
    assert teams.get("damaged_in_transit") == "fulfilment"


def test_a_customer_who_sends_most_back_is_one_case_and_a_late_refund_of_theirs_is_another(returned: Any) -> None:
    cases = queue(returned.ledger)
    customers = [row for row in cases if row.pivot.startswith("customer:")]
    assert customers
    for row in customers:
        assert dossier(returned.ledger, row.id).case.kinds == ("repeat_returner",)
    for row in cases:
        if row.pivot.startswith("return:"):
            assert "repeat_returner" not in dossier(returned.ledger, row.id).case.kinds


def test_an_approved_late_refund_is_paid_once_and_its_return_is_closed(returned: Any) -> None:
    proposal = returned.waiting(Action.refund)[0]
    assert proposal.target == proposal.subject != proposal.order_id
    before = returned.refunds(proposal.order_id)
    returned.rule(proposal)
    for _ in range(2):
        resume(str(find_proposal(returned.ledger, proposal.digest).flow_run_id))
        returned.work()
    assert sorted(returned.refunds(proposal.order_id)) == sorted([*before, proposal.money.amount])
    assert find_proposal(returned.ledger, proposal.digest).standing == "done"
    assert watch_returns().findings["duplicate_refund"].yes == returned.report.findings["duplicate_refund"].yes
    held = dossier(returned.ledger, proposal.case_id)
    assert "late_refund" not in held.case.kinds or held.row.standing == "closed"
    assert not [each for each in returned.waiting(Action.refund) if each.subject == proposal.subject]


def test_what_is_owed_by_a_clause_is_void_when_the_return_turns_out_otherwise(returned: Any) -> None:
    """The parcel is inspected again, and what came back was used: the approval covered another amount."""
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    proposal = returned.waiting(Action.refund)[0]
    returned.rule(proposal)
    with sqlite3.connect(sqlite_file(returned.settings.shop)) as book:
        book.execute("UPDATE inspections SET condition = 'not_the_item' WHERE return_id = ?", (proposal.subject,))
    before = returned.refunds(proposal.order_id)
    resume(str(find_proposal(returned.ledger, proposal.digest).flow_run_id))
    returned.work()
    assert returned.refunds(proposal.order_id) == before
    row = find_proposal(returned.ledger, proposal.digest)
    assert row.standing == "void"
    assert "condition was" in row.detail
