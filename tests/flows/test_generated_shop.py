"""The lane on the embedded shop: what was planted is found, nothing else is, and a second look changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.cases import queue
from control_tower.ledger.proposals import waiting_proposals
from control_tower.slack.tables import OutboxMessage
from control_tower.slack.untold import untold
from control_tower.stores.generator import Truth
from control_tower.stores.shop import sqlite_file
from tasks.report import LaneReport
from tests.flows.conftest import own_tower

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("orders", [10_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_every_planted_exception_is_found_and_nothing_else(tower: Any, orders: int) -> None:
    truth = tower.fill(orders, seed=11, dirty=True)
    report = tower.watch(dry_run=True)
    findings = tower.kept(report, "judge")
    found = findings[findings["answer"] == "yes"]
    planted = set(truth.pairs[["order_id", "kind"]].itertuples(index=False, name=None))
    assert set(found[["subject", "kind"]].itertuples(index=False, name=None)) == planted
    assert (findings["answer"] == "yes").all(), "the shop tells of everything, so nothing is unknown"
    cases = tower.kept(report, "score")
    pickups = cases[~cases["pivot"].str.startswith("order:")]
    assert len(pickups) == len(truth.missed_pickups)
    assert {frozenset(orders) for orders in pickups["orders"]} == {
        frozenset(each.orders) for each in truth.missed_pickups
    }
    assert set(pickups["team"]) == {"carrier-desk"}
    assert sum(report.quarantined.values()) == len(truth.dirty)


Book = tuple[dict[str, Any], dict[str, Any]]


def book_of(tower: Any) -> Book:
    """The open cases, and the run that asks about each proposal."""
    asked = {row.digest: row.flow_run_id for row in waiting_proposals(tower.ledger)}
    return {row.id: row.model_dump() for row in queue(tower.ledger)}, asked


@dataclass(frozen=True)
class Looks:
    """What three looks at one shop reported, and what the book held after each."""

    tower: Any
    truth: Truth
    dry: LaneReport
    after_the_dry_one: Book
    first: LaneReport
    after_the_first: Book
    second: LaneReport
    after_the_second: Book


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Looks]:
    """A shop that was looked at three times: once dry, and twice live. Whoever changes it looks at it last."""
    with own_tower(tmp_path_factory.mktemp("looks"), deployed) as tower:
        truth = tower.fill(700)
        dry, nothing = tower.watch(dry_run=True), book_of(tower)
        first, book = tower.watch(), book_of(tower)
        yield Looks(tower, truth, dry, nothing, first, book, tower.watch(), book_of(tower))


def test_running_twice_changes_nothing(looks: Looks) -> None:
    first, second = looks.first, looks.second
    book, asked = looks.after_the_first
    assert first.cases.opened == len(book) > 0
    assert second.cases.model_dump() == {"opened": 0, "updated": 0, "closed": 0}
    assert looks.after_the_second == (book, asked)
    assert all(asked.values())
    assert second.findings == first.findings
    for step in ("detect", "judge", "score", "recommend", "form-cases", "form-proposals"):
        again, before = looks.tower.records(second)[step], looks.tower.records(first)[step]
        assert again.outputs == before.outputs, f"{step} is not the same, byte for byte"


def test_a_look_back_opens_and_closes_nothing(looks: Looks) -> None:
    before = book_of(looks.tower)
    back = looks.tower.watch(as_of=AS_OF - timedelta(days=10))
    assert back.looked_back
    assert book_of(looks.tower) == before


def test_a_case_closes_itself_when_its_cause_is_gone(looks: Looks) -> None:
    tower, truth = looks.tower, looks.truth
    unpaid = sorted(truth.pairs.loc[truth.pairs["kind"] == "unpaid_order", "order_id"])[0]
    with sqlite3.connect(sqlite_file(tower.settings.shop)) as shop:
        shop.execute("UPDATE orders SET approved_at = placed_at WHERE order_id = ?", (unpaid,))
        shop.execute("UPDATE promises SET due_at = (SELECT max(due_at) FROM promises) WHERE order_id = ?", (unpaid,))
    report = tower.watch()
    assert report.cases.closed == 1
    (closed,) = queue(tower.ledger, standing="closed")
    assert closed.body["orders"] == [unpaid]
    assert closed.closed_reason == "its cause is gone from the evidence"


def test_a_dry_run_opens_nothing(looks: Looks) -> None:
    assert sum(answers.yes for answers in looks.dry.findings.values()) > 0
    assert looks.after_the_dry_one == ({}, {})


def test_every_step_is_kept_and_the_chain_holds(looks: Looks) -> None:
    tower, report = looks.tower, looks.first
    steps = tower.records(report)
    assert list(steps) == [
        "gather", "validate", "detect", "judge", "shadow", "score", "recommend",
        "form-cases", "form-proposals", "open-cases", "ask", "tell", "report",
    ]  # fmt: skip
    assert steps["judge"].versions["policy"] == "fulfilment@1"
    assert steps["validate"].versions["orders"] == "orders@1.0.0"
    assert verify(open_archive(tower.settings.artifacts), tower.ledger, report.run_id).records == len(steps)
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        shown = client._client.post(
            "/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [report.run_id]}}}
        ).json()
    mine = {artifact["key"] for artifact in shown if artifact["flow_run_id"] == report.run_id}
    assert mine == {f"step-{step}" for step in steps}


@pytest.mark.slow
def test_a_run_that_died_before_it_told_anybody_is_told_by_the_next(
    tower: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower.fill(300, seed=11)
    with monkeypatch.context() as dying:
        dying.setattr("flows.look.tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            tower.watch()
    opened = {f"case:{row.id}" for row in queue(tower.ledger)}
    assert opened, "the cases were opened before it died"
    told = tower.watch()
    assert told.cases.opened == 0, "to the book they are nothing new"
    with tower.ledger.read() as session:
        keys = set(session.scalars(select(OutboxMessage.key)))
    assert opened <= keys
    assert untold(tower.ledger, "fulfilment", tower.shop.shop.id) == []
