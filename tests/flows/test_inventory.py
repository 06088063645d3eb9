"""The inventory lane on the embedded shop: what was planted is found, advised on, and an order is held once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action, Case, Measure
from control_tower.pause import resume
from control_tower.slack.case_message import case_message
from control_tower.stores.generator import Rates
from control_tower.stores.shop import sqlite_file
from desk.cases import show_case
from flows.watch_inventory import watch_inventory
from tasks.brief import brief
from tests.flows.conftest import own_tower

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower whose inventory lane has run live; the shop is like no other, as in `watched`."""
    with own_tower(tmp_path_factory.mktemp("stocked"), deployed) as mine:
        mine.truth = mine.fill_now(8000, Rates(oversell=5))
        mine.report = watch_inventory()
        yield mine


def cases(tower: Any) -> dict[str, Case]:
    """The open cases by product."""
    return {
        row.pivot.removeprefix("product:"): dossier(tower.ledger, row.id).case
        for row in queue(tower.ledger)
        if row.lane == "inventory"
    }


@pytest.mark.slow
@pytest.mark.parametrize("orders", [10_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_every_planted_promise_is_found_and_nothing_else(tower: Any, orders: int) -> None:
    truth = tower.fill(orders, seed=11, dirty=True)
    report = watch_inventory(as_of=AS_OF, dry_run=True)
    found = tower.kept(report, "judge")
    yes = found[found["answer"] == "yes"]
    assert all(truth.planted["inventory"].values())
    assert set(yes[["subject", "kind"]].itertuples(index=False, name=None)) == set(
        truth.stock_pairs.itertuples(index=False, name=None)
    )
    unknown = found[found["answer"] == "unknown"]
    assert set(unknown[["subject", "kind"]].itertuples(index=False, name=None)) == {
        (sku, kind) for sku in truth.unstocked for kind in ("cover_below_inbound", "oversell", "stock_mismatch")
    }


def test_every_finding_about_a_product_and_its_orders_is_one_case(stocked: Any) -> None:
    planted = stocked.truth.planted["inventory"]
    held = cases(stocked)
    products = {name.partition(" of order ")[0] for names in planted.values() for name in names}
    assert set(held) == products
    for sku, case in held.items():
        assert set(case.kinds) == {kind for kind, names in planted.items() if sku in names}
        assert set(case.subjects) == {n for names in planted.values() for n in names if f"{n} ".startswith(f"{sku} ")}
        assert len(case.subjects) == len(set(case.subjects)), "a product is told once, however much is found about it"


def test_what_nobody_counted_is_told_as_missing_and_advises_nothing(stocked: Any) -> None:
    case = next(case for sku, case in cases(stocked).items() if sku in stocked.truth.unstocked)
    unknown = {finding.kind: finding for finding in case.findings if finding.answer == "unknown"}
    assert set(unknown) == {"cover_below_inbound", "oversell", "stock_mismatch"}
    assert "ask inventory-control" in unknown["oversell"].sentence
    assert case.advice == ()
    assert "missing: " in brief(case)


def test_what_is_promoted_and_gone_is_advised_with_owner_expiry_and_the_way_back(stocked: Any) -> None:
    sku = stocked.truth.planted["inventory"]["stockout_while_promoted"][0]
    case = cases(stocked)[sku]
    advised = {each.action: each for each in case.advice}
    assert set(advised) >= {Measure.pause_ads, Measure.suppress_recommendations}
    gone = advised[Measure.suppress_recommendations]
    assert (gone.owner, gone.prior_of, gone.prior) == ("merchandising", "recommended", True)
    assert gone.counter == f"Recommend {sku} again, as before: yes."
    assert gone.evidence["available"] == 0 and gone.evidence["promoted"] is True
    assert gone.expires_at > case.evidence.as_of
    told = brief(case)
    assert "Advised, and theirs to do who own it" in told
    assert "suppress recommendations" in told and "to undo it: Recommend" in told
    spoken = case_message(case, (), "open")
    assert "suppress recommendations" in spoken.text and len(spoken.text) <= 4000


def test_advice_is_in_the_book_and_the_report(stocked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert stocked.report.advice["suppress_recommendations"] >= 2
    assert sum(stocked.report.advice.values()) == sum(len(case.advice) for case in cases(stocked).values())
    sku, case = next((sku, case) for sku, case in cases(stocked).items() if case.advice)
    show_case(case.id, json=True)
    told = json.loads(capsys.readouterr().out)["case"]["advice"][0]
    assert {"action", "owner", "evidence", "expires_at", "prior", "counter"} <= set(told)
    assert sku in told["counter"]
    assert verify(open_archive(stocked.settings.artifacts), stocked.ledger, stocked.report.run_id).records


@pytest.mark.slow
def test_a_second_look_changes_nothing(stocked: Any) -> None:
    again = watch_inventory()
    assert (again.cases.opened, again.cases.updated, again.cases.closed) == (0, 0, 0)


def test_a_hold_is_asked_for_every_order_that_cannot_be_kept_and_for_no_other(stocked: Any) -> None:
    short = {n.partition(" of order ")[2] for n in stocked.truth.planted["inventory"]["oversell"]} - {""}
    then = watch_inventory(as_of=stocked.truth.as_of, dry_run=True)  # minutes may have passed since the first look
    recommended = stocked.kept(then, "recommend")
    assert sorted(recommended.loc[recommended["action"] == "hold", "order_id"]) == sorted(short - on_hold(stocked))
    assert {hold.order_id for hold in stocked.waiting(Action.hold)} <= short - on_hold(stocked)
    assert not stocked.waiting(Action.refund) and not stocked.waiting(Action.reship)


def test_an_approved_hold_is_placed_once(stocked: Any) -> None:
    """The second look takes the whole shop: whether the order can be kept rests on those before it."""
    proposal = stocked.waiting(Action.hold)[0]
    assert proposal.order_id not in on_hold(stocked)
    stocked.rule(proposal)
    for _ in range(2):
        resume(str(find_proposal(stocked.ledger, proposal.digest).flow_run_id))
        stocked.work()
    row = find_proposal(stocked.ledger, proposal.digest)
    assert (row.standing, row.detail.partition(" ")[0]) == ("done", "hold")
    assert proposal.order_id in on_hold(stocked)
    watch_inventory()
    assert proposal.order_id not in {each.order_id for each in stocked.waiting(Action.hold)}


def test_a_hold_is_void_when_more_turns_out_to_be_there(stocked: Any) -> None:
    proposal = stocked.waiting(Action.hold)[0]
    stocked.rule(proposal)
    with sqlite3.connect(sqlite_file(stocked.settings.shop)) as book:
        sku = proposal.rests_on["sku"]
        book.execute("UPDATE inventory_levels SET available = available + 1000 WHERE sku = ?", (sku,))
    resume(str(find_proposal(stocked.ledger, proposal.digest).flow_run_id))
    stocked.work()
    assert proposal.order_id not in on_hold(stocked)
    assert find_proposal(stocked.ledger, proposal.digest).standing == "void"


def on_hold(tower: Any) -> set[str]:
    with sqlite3.connect(sqlite_file(tower.settings.shop)) as book:
        return {order for (order,) in book.execute("SELECT order_id FROM holds WHERE released_at IS NULL")}
