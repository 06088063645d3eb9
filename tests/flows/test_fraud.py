"""The fraud lane on the embedded shop: what was planted is found, a burst is one case, and a hold is asked for once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pandas as pd
import pytest

from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import dossier
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import Action
from control_tower.pause import resume
from control_tower.stores.generator import Rates, parquet
from flows.watch_fraud import watch_fraud
from tests.flows.conftest import own_tower

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Any]:
    """A tower whose fraud lane has run live; the shop is like no other, as in `watched`."""
    with own_tower(tmp_path_factory.mktemp("seen"), deployed) as mine:
        mine.truth = mine.fill_now(1500, Rates(provider_high_risk=0.04))
        mine.report = watch_fraud()
        yield mine


@pytest.mark.parametrize("orders", [10_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_every_planted_kind_of_evidence_is_found_and_nothing_else(tower: Any, orders: int) -> None:
    truth = tower.fill(orders, seed=11, dirty=True)
    report = watch_fraud(as_of=AS_OF, dry_run=True)
    found = tower.kept(report, "judge")
    yes = found[found["answer"] == "yes"]
    assert set(yes[["subject", "kind"]].itertuples(index=False, name=None)) == set(
        truth.fraud_pairs.itertuples(index=False, name=None)
    )
    assert all(truth.planted["fraud"].values())
    unknown = found[found["answer"] == "unknown"]
    assert set(unknown["kind"]) == {"payment_checks_failed"}, "neither address nor code could be checked"
    assert set(unknown["subject"]) < set(truth.planted["fraud"]["provider_high_risk"])


def test_a_burst_is_one_case_with_all_its_orders(seen: Any) -> None:
    bursts = [row for row in queue(seen.ledger) if row.pivot.startswith("identity:")]
    assert len(bursts) == 1
    held = dossier(seen.ledger, bursts[0].id)
    assert held.case.subjects == seen.truth.planted["fraud"]["identity_burst"]
    assert bursts[0].team == "fraud-review" and bursts[0].severity == "sev1"


def burst(folder: Path, orders: int, within: timedelta) -> None:
    """Order the newest order of an export that is not fulfilled so many more times, within some minutes."""
    tables = {
        name: pd.read_parquet(folder / f"{name}.parquet")
        for name in ("orders", "order_lines", "payments", "promises", "risk_signals")
    }
    known = tables["orders"]
    again = known.loc[known["status"].eq("approved") & known["cancelled_at"].isna(), "order_id"].iloc[-1]
    later = pd.Series(pd.timedelta_range("1s", within - timedelta(seconds=1), orders))
    for name, table in tables.items():
        copies = table[table["order_id"] == again].merge(pd.DataFrame({"copy": range(orders)}), how="cross")
        for column in copies.columns:
            if column in ("order_id", "line_id", "payment_id", "promise_id", "signal_id", "source_id"):
                copies[column] = copies[column].astype("str") + "-" + copies["copy"].astype("str")
            if column in ("placed_at", "recorded_at"):
                copies[column] += copies["copy"].map(later)
        pd.concat([table, copies.drop(columns="copy")]).to_parquet(folder / f"{name}.parquet", index=False)


@pytest.mark.large
def test_two_hundred_orders_of_one_identity_in_ten_minutes_are_one_case(tower: Any, tmp_path: Path) -> None:
    parquet(tmp_path / "export", orders=300, seed=8, as_of=AS_OF, rates=Rates(identity_burst=0))
    burst(tmp_path / "export", 200, timedelta(minutes=10))
    report = watch_fraud(source=f"folder:{tmp_path / 'export'}", as_of=AS_OF, dry_run=True)
    assert report.quarantined == dict.fromkeys(report.quarantined, 0)
    cases = tower.kept(report, "score")
    (one,) = cases[cases["kinds"].map(lambda kinds: "identity_burst" in kinds)].to_dict("records")
    assert one["subject_count"] == 201, "the two hundred and the order that they repeat"
    assert one["pivot"].startswith("identity:")


def test_every_step_is_kept_and_so_are_the_links_and_their_pictures(seen: Any) -> None:
    records = seen.records(seen.report)
    assert records["judge"].versions["policy"] == "fraud@1"
    assert verify(open_archive(seen.settings.artifacts), seen.ledger, seen.report.run_id).records
    archive = open_archive(seen.settings.artifacts)
    drawn = [dossier(seen.ledger, row.id).case for row in queue(seen.ledger)]
    linked = [case for case in drawn if case.evidence.links]
    assert linked and all(bool(case.evidence.picture) == bool(case.evidence.links) for case in drawn)
    for case in linked:
        archive.verify("pictures", case.evidence.picture, "svg")
        picture = Xml.fromstring(Path(archive.path("pictures", case.evidence.picture, "svg")).read_bytes())
        told = {words.text for words in picture.iter("{http://www.w3.org/2000/svg}title")}
        assert set(case.orders[:1]) | {f"{one.shares} {one.value} ({one.orders})" for one in case.evidence.links} <= (
            told | set(case.orders)
        )


def test_an_order_that_shares_a_device_with_a_disputed_one_shows_it(seen: Any) -> None:
    cases = [dossier(seen.ledger, row.id).case for row in queue(seen.ledger)]
    linked = [case for case in cases if "linked_to_dispute" in case.kinds]
    assert linked
    for case in linked:
        assert {other for one in case.evidence.links if one.hop == 1 for other in one.others}


def test_the_case_of_a_link_is_shown_as_a_tree_with_its_picture_and_what_the_customer_may_be_told(
    seen: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from desk.cases import show_case

    case = next(
        held.case
        for held in (dossier(seen.ledger, row.id) for row in queue(seen.ledger))
        if held.case.kinds == ("linked_to_dispute",)
    )
    show_case(case.id, json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "What its orders shared with others" in told
    assert f"{case.evidence.picture}.svg" in told.replace(" ", "")
    assert f"your order {case.orders[0]}" in told


def test_the_review_says_whom_to_ask_for_what_is_missing(seen: Any) -> None:
    from tasks.brief import brief

    cases = [dossier(seen.ledger, row.id).case for row in queue(seen.ledger)]
    missing = [case for case in cases if any(finding.missing for finding in case.findings)]
    assert missing
    for case in missing:
        assert "Missing, and whom to ask:" in brief(case)
        assert "- payments: avs, cvv" in brief(case)


@pytest.mark.slow
def test_an_approved_hold_is_placed_once_with_a_handle_of_its_own(seen: Any) -> None:
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    proposal = seen.waiting(Action.hold)[0]
    assert "fraud" not in proposal.reason and "risk" not in proposal.reason
    seen.rule(proposal)
    for _ in range(2):
        resume(str(find_proposal(seen.ledger, proposal.digest).flow_run_id))
        seen.work()
    with sqlite3.connect(sqlite_file(seen.settings.shop)) as book:
        held = book.execute("SELECT handle FROM holds WHERE order_id = ?", (proposal.order_id,)).fetchall()
    assert held == [(f"tower:{proposal.digest}",)]
    assert find_proposal(seen.ledger, proposal.digest).standing == "done"


@pytest.mark.slow
def test_a_hold_is_void_when_the_evidence_turns_out_otherwise(seen: Any) -> None:
    """The source corrects itself after the approval."""
    import sqlite3

    from control_tower.stores.shop import sqlite_file

    proposal = seen.waiting(Action.hold)[0]
    seen.rule(proposal)
    with sqlite3.connect(sqlite_file(seen.settings.shop)) as book:
        book.execute("UPDATE risk_signals SET payment_attempts = 9 WHERE order_id = ?", (proposal.order_id,))
    resume(str(find_proposal(seen.ledger, proposal.digest).flow_run_id))
    seen.work()
    with sqlite3.connect(sqlite_file(seen.settings.shop)) as book:
        assert not book.execute("SELECT 1 FROM holds WHERE order_id = ?", (proposal.order_id,)).fetchall()
    row = find_proposal(seen.ledger, proposal.digest)
    assert row.standing == "void" and "payment_attempts was" in row.detail
