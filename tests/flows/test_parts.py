"""A look in parts finds what a look at everything finds, whatever lies where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from control_tower.errors import ContractBreach
from control_tower.keeping.records import verify
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger
from control_tower.ledger.looks import looks
from control_tower.settings import Settings
from control_tower.stores.generator import parquet
from flows.lanes import find_lane, lanes
from tasks.backtest import backtest
from tasks.detect import signalled
from tasks.gather import read_tables
from tasks.lane import Lane
from tasks.replay import replay
from tasks.validate import hold
from tests.flows.conftest import AS_OF, Tower, own_tower
from tests.flows.test_backtest_and_shadow import EVER, changed

pytestmark = pytest.mark.slow

STEPS = ("score", "recommend", "form-proposals")


def book(ledger: Ledger) -> tuple[list[Any], list[Any]]:
    """Cases and proposals in the book, but for the moment they were opened and the files that they name."""
    from sqlalchemy import select
    from sqlmodel import col

    from control_tower.ledger.tables import CaseRow, ProposalRow

    with ledger.read() as session:
        cases = [row.model_dump(exclude={"opened_at", "closed_at"}) for row in session.scalars(select(CaseRow))]
        asked = session.scalars(select(ProposalRow).order_by(col(ProposalRow.digest)))
        proposals = [row.model_dump(exclude={"opened_at", "flow_run_id"}) for row in asked]
    for case in cases:
        case["body"]["evidence"].pop("tables")  # each part's are files of their own
    return sorted(cases, key=lambda case: case["id"]), proposals


@pytest.fixture
def both(tmp_path: Path, deployed: dict[UUID, Any]) -> Iterator[tuple[Any, Any]]:
    """Looks at one folder by two towers: one that sees it whole, and one that divides it."""

    def look(name: str, folder: Path, part_orders: int | None, **given: Any) -> tuple[Tower, Any]:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        with own_tower(home, deployed) as tower, pytest.MonkeyPatch.context() as environment:
            if part_orders:
                environment.setenv("TOWER_PART_ORDERS", str(part_orders))
            return tower, tower.watch(source=f"folder:{folder}", **given)

    yield (
        lambda folder, **given: look("whole", folder, None, **given),
        lambda folder, size, **given: look(f"parts-{size}", folder, size, **given),
    )


def rewritten(folder: Path, table: str, **columns: Any) -> None:
    """Put other values into columns of a table: a function of its frame each."""
    path = folder / f"{table}.parquet"
    held = pq.read_table(path)
    frame = held.to_pandas()
    for name, values in columns.items():
        frame[name] = values(frame)
    pq.write_table(pa.Table.from_pandas(frame, schema=held.schema, preserve_index=False), path)


def soil(folder: Path) -> None:
    """Whatever could go wrong where a shop is cut into days."""
    parquet(folder, orders=1500, seed=5, as_of=AS_OF, dirty=True)
    orders = pq.read_table(folder / "orders.parquet").to_pandas().sort_values("placed_at")
    early, late = orders["order_id"].iloc[3], orders["order_id"].iloc[-3]
    # A payment of the first days that has the number of one of the last; both are refused.
    rewritten(
        folder,
        "payments",
        payment_id=lambda p: p["payment_id"].where(
            p["order_id"] != late, p.loc[p["order_id"] == early, "payment_id"].iloc[0]
        ),
        order_id=lambda p: p["order_id"].where(p.index != 40, None),
    )
    # Scans that name the order of another parcel, or none that is there.
    rewritten(
        folder,
        "shipment_events",
        order_id=lambda e: e["order_id"].where(e.index % 97 != 0, late).where(e.index % 101 != 0, "nobody"),
    )
    # An order of an impossible time, and lines of orders that are not there.
    rewritten(
        folder,
        "orders",
        placed_at=lambda o: o["placed_at"].where(
            o["order_id"] != orders["order_id"].iloc[700], pd.Timestamp(0, tz="UTC")
        ),
    )
    rewritten(folder, "order_lines", order_id=lambda line: line["order_id"].where(line.index % 211 != 0, "gone"))


@pytest.mark.parametrize("size", [800, pytest.param(100, marks=pytest.mark.large)])
def test_whatever_the_parts_the_same_is_found(tmp_path: Path, both: tuple[Any, Any], size: int) -> None:
    whole, divided = both
    folder = tmp_path / "shop"
    soil(folder)
    one, report = whole(folder)
    other, again = divided(folder, size)
    assert again.model_dump(exclude={"run_id"}) == report.model_dump(exclude={"run_id"})
    assert book(other.ledger) == book(one.ledger)
    for step in STEPS:
        assert other.records(again)[step].outputs == one.records(report)[step].outputs, step
    rows = {table: pq.read_metadata(folder / f"{table}.parquet").num_rows for table in again.accepted}
    assert {table: again.accepted[table] + again.quarantined[table] for table in rows} == rows


@pytest.mark.large
def test_bad_rows_that_all_lie_in_one_day_are_weighed_against_the_whole_table(
    tmp_path: Path, both: tuple[Any, Any]
) -> None:
    whole, divided = both
    folder = tmp_path / "shop"
    parquet(folder, orders=600, seed=5, as_of=AS_OF)
    last = pq.read_table(folder / "orders.parquet").to_pandas()["placed_at"].sort_values()

    def ruin(many: int) -> None:  # the newest orders, and so most of the last part
        rewritten(
            folder, "orders", total_amount=lambda o: o["total_amount"].where(o["placed_at"] < last.iloc[-many], -1)
        )

    ruin(25)
    assert divided(folder, 120, dry_run=True)[1].quarantined["orders"] == 25
    ruin(40)
    told = []
    for look in (whole, lambda given: divided(given, 120)):
        with pytest.raises(ContractBreach) as breach:
            look(folder)
        told.append((breach.value.rule, str(breach.value)))
    assert told[0] == told[1] and told[0][0] == "orders.error_share"


@pytest.mark.large
def test_a_look_in_parts_can_be_checked_and_run_again(tmp_path: Path, both: tuple[Any, Any]) -> None:
    folder = tmp_path / "shop"
    parquet(folder, orders=500, seed=6, as_of=AS_OF)
    tower, report = both[1](folder, 300)
    with own_tower(tmp_path / "parts-300", tower.flows):
        checked = verify(open_archive(tower.settings.artifacts), tower.ledger, report.run_id)
        again = replay(report.run_id, sources=True)
    assert checked.files > 20
    assert again.first_difference is None
    assert [one.outcome for one in again.steps if one.step == "look-at-part"] == ["same"] * 2
    assert next(one.outcome for one in again.steps if one.step == "divide") == "same"
    (row,) = looks(tower.ledger)
    assert row.accepted == report.accepted


def test_a_lane_that_compares_its_subjects_is_looked_at_whole(tmp_path: Path, both: tuple[Any, Any]) -> None:
    from flows.watch_fraud import watch_fraud

    folder = tmp_path / "shop"
    parquet(folder, orders=300, seed=6, as_of=AS_OF)
    with own_tower(tmp_path, {}) as tower, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_PART_ORDERS", "100")
        report = watch_fraud(source=f"folder:{folder}", as_of=AS_OF, dry_run=True)
        assert "detect" in tower.records(report)


@pytest.mark.large
def test_what_was_looked_at_in_parts_is_decided_again_by_another_version(tmp_path: Path, both: tuple[Any, Any]) -> None:
    whole, divided = both
    folder = tmp_path / "shop"
    parquet(folder, orders=500, seed=6, as_of=AS_OF)
    stricter = changed(tmp_path, ("late_grace_days", 7))
    done = []
    for name, (tower, _) in (("whole", whole(folder)), ("parts-200", divided(folder, 200))):
        with own_tower(tmp_path / name, tower.flows):
            done.append(backtest(str(stricter), EVER, AS_OF, None, "")[0].flips)
    assert done[0].kinds == done[1].kinds and done[0].subjects == done[1].subjects == 500
    assert done[0].proposals == done[1].proposals and done[0].changed > 0


@pytest.mark.large
def test_an_order_has_the_same_facts_whichever_other_orders_are_looked_at(tmp_path: Path) -> None:
    """What a lane that is `apart` promises: of any orders, its signals give what they give of all."""
    folder = tmp_path / "shop"
    parquet(folder, orders=600, seed=9, as_of=AS_OF, dirty=True)
    tower = Settings(home=tmp_path)
    assert [name for name in lanes() if find_lane(name).apart] == ["fulfilment"]
    lane = find_lane("fulfilment")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_HOME", str(tmp_path))
        whole = facts_of(lane, folder, (), tower)

        @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
        @given(some=st.lists(st.sampled_from(list(whole.index)), min_size=1, max_size=300, unique=True))
        def same(some: list[str]) -> None:
            pd.testing.assert_frame_equal(facts_of(lane, folder, some, tower), whole.loc[sorted(some)])

        same()


@pytest.mark.large
@pytest.mark.parametrize("hours", [0.01, 30, 24 * 80])
def test_by_the_passing_of_time_alone_nothing_changes_but_what_is_declared_a_clock(
    tmp_path: Path, hours: float
) -> None:
    folder, tower, lane = tmp_path / "shop", Settings(home=tmp_path), find_lane("fulfilment")
    parquet(folder, orders=800, seed=10, as_of=AS_OF, dirty=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_HOME", str(tmp_path))
        now = facts_of(lane, folder, (), tower)
        later = facts_of(lane, folder, (), tower, AS_OF + timedelta(hours=hours))
    clocks = [name for name, fact in policies.load(lane.name, AS_OF).facts.items() if fact.clock]
    pd.testing.assert_frame_equal(now.drop(columns=clocks), later.drop(columns=clocks))
    for name in clocks:  # and a clock that is missing stays missing
        assert (now[name].isna() == later[name].isna()).all()


def facts_of(lane: Lane, folder: Path, orders: Sequence[str], tower: Settings, as_of: datetime = AS_OF) -> pd.DataFrame:
    """The facts that a lane's signals give of some orders, or of all."""
    gathered = read_tables(f"folder:{folder}", None, lane.tables, as_of, orders, False, tower)
    accepted, _ = hold(gathered, None)
    rules = policies.load(lane.name, as_of)
    facts = open_archive(tower.artifacts).frame(signalled(accepted, lane.signals, rules))
    return facts.set_index(rules.subject)
