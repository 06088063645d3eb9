"""The lane itself, in many shops from one run: each finds what it finds alone, whatever becomes of the others."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from distributed import Client, LocalCluster
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from sqlalchemy import select

from control_tower.keeping.records import chain_of, verify
from control_tower.keeping.step import open_archive
from control_tower.server import Server
from control_tower.settings import settings
from control_tower.slack.tables import OutboxMessage
from control_tower.stores.generator import generate
from desk.command import main
from desk.deploy import deploy
from tasks import look_in_shop as looking
from tests.faults.test_killed import KILLED, workers
from tests.flows.conftest import AS_OF, Tower, own_tower
from tests.flows.test_on_dask import kill_a_worker_at_work
from tests.flows.test_parts import STEPS, book
from tests.shops.towers import BERLIN, RECIFE, TwoShops, two_shops

pytestmark = [pytest.mark.large, pytest.mark.timeout(1200)]
WHEN = ("--as-of", AS_OF.isoformat())
MORE = """
  gone: {source: "folder:nowhere", slack_channel: "#gone"}
  lyon: {source: shop, database: lyon.db, policies: lyon, slack_channel: "#lyon"}
  milan: {source: shop, database: milan.db, slack_channel: "#milan"}
"""
MISSPELT = """
inherits: fulfilment
version: 1
owner: head of Lyon
in_force: {from: 2020-01-01}
threshold: {unpaid_hours: 1}
"""


@pytest.fixture
def shops(tmp_path: Path, deployed: dict[UUID, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoShops]:
    """Two shops that are alike, and nobody has looked at them."""
    monkeypatch.setattr(looking, "POLL", 0.5)
    (tmp_path / "together").mkdir()
    with two_shops(tmp_path / "together", deployed) as both:
        both.fill(240, seed=8, as_of=AS_OF)
        yield both
    deploy(settings(), tidy=True)  # the session's server has its one shop again


@contextmanager
def another_tower(shops: TwoShops, folder: Path, **environment: str) -> Iterator[Tower]:
    """A tower of the same shops, whose book is empty."""
    folder.mkdir()
    with own_tower(folder, shops.tower.flows) as tower, pytest.MonkeyPatch.context() as other:
        for name in ("TOWER_DASK", "TOWER_PART_ORDERS"):
            other.delenv(name, raising=False)
        for name, value in environment.items():
            other.setenv(name, value)
        tower.settings = settings()
        yield tower


def found_alone(shops: TwoShops, folder: Path) -> tuple[Any, dict[str, dict[str, Any]]]:
    """The book, and what each step kept, where each shop is looked at by itself, in one process."""
    with another_tower(shops, folder) as alone:
        kept = {}
        for shop in (BERLIN, RECIFE):
            records = alone.records(alone.watch(source=f"shop:{shop}"))
            kept[shop] = {step: records[step].outputs for step in STEPS}
        return book(alone.ledger), kept


def kept_by(tower: Tower, runs: dict[str, str]) -> dict[str, dict[str, Any]]:
    archive = open_archive(tower.settings.artifacts)
    found = {}
    for shop, run in runs.items():
        assert verify(archive, tower.ledger, run).records >= 12
        records = {record.step: record for record in chain_of(archive, tower.ledger, run)}
        found[shop] = {step: records[step].outputs for step in STEPS}
    return found


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """What `tower run` ends with: its exit code, each shop's look, and what it says of faults."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["run", "fulfilment", *words, "--json"])
    said = capsys.readouterr()
    return int(ended.value.code or 0), {each["shop"]: each for each in json.loads(said.out)["looks"]}, said.err


def test_each_shop_finds_what_it_finds_alone_and_three_that_are_broken_in_three_ways_are_named(
    shops: TwoShops, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shops.folder
    with (folder / "shops.yaml").open("a") as file:
        file.write(MORE)
    (folder / "lyon").mkdir()
    (folder / "lyon" / "fulfilment.yaml").write_text(MISSPELT)
    shutil.copy(folder / "berlin.db", folder / "lyon.db")
    generate(f"sqlite:///{folder / 'milan.db'}", orders=60, seed=9, as_of=AS_OF - timedelta(days=40))  # it is stale

    code, looks, fault = run(capsys, "--all-shops", *WHEN)

    assert code == 2
    assert {shop: each["state"] for shop, each in looks.items()} == {
        BERLIN: "Completed", RECIFE: "Completed", "gone": "Failed", "lyon": "Failed", "milan": "Failed",
    }, looks  # fmt: skip
    assert "did not look at gone, lyon, milan" in " ".join(fault.split())
    assert looks["gone"]["why"].startswith("SourceError: ") and "nowhere" in looks["gone"]["why"]
    assert "PolicyError" in looks["lyon"]["why"] and "'threshold'" in looks["lyon"]["why"]
    assert looks["milan"]["why"].startswith("ContractBreach: ")
    with shops.tower.ledger.read() as session:
        told = {(row.key.partition(":")[0], row.channel) for row in session.scalars(select(OutboxMessage))}
    assert ("breach", "#milan") in told
    assert {channel for kind, channel in told if kind != "breach"} == {"#berlin", "#recife"}, "and nowhere else"

    alone, kept = found_alone(shops, tmp_path / "alone")
    assert kept_by(shops.tower, {shop: looks[shop]["run_id"] for shop in (BERLIN, RECIFE)}) == kept
    assert book(shops.tower.ledger) == alone

    file_of_both = (folder / "shops.yaml").read_text().replace(MORE, "")
    (folder / "shops.yaml").write_text(file_of_both)
    code, looks, _ = run(capsys, "--shop", RECIFE, *WHEN)
    assert (code, list(looks), looks[RECIFE]["state"]) == (0, [RECIFE], "Completed")
    assert book(shops.tower.ledger) == alone, "looked at once more, nothing is doubled"


def children(client: SyncPrefectClient, run: UUID) -> list[tuple[str, str]]:
    mine = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"{looking.TAG}{run}"]))
    found = client.read_flow_runs(flow_run_filter=mine)
    return sorted((str(each.parameters["source"]), str(each.state_name)) for each in found)


def test_a_worker_killed_in_the_middle_and_started_again_looks_at_every_shop_and_doubles_nothing(
    server: Server, shops: TwoShops, tmp_path: Path
) -> None:
    names = {each.name.partition("/")[2]: each.id for each in deploy(settings()) if each.id}
    with get_client(sync_client=True) as client:
        given = {"lane": "fulfilment", "as_of": AS_OF.isoformat()}
        fanning = client.create_flow_run_from_deployment(names["fan-out"], parameters=given).id
        here = {name: value for name, value in os.environ.items() if name.startswith("TOWER_")}
        here["TOWER_HOME"] = str(tmp_path / "machine")
        ended = workers((here, "fan-out", 9, "after"), (here, "fan-out", 0, ""))
        assert ended == [KILLED, 0]
        assert client.read_flow_run(fanning).state_name == "Completed"
        by_shop = children(client, fanning)
    completed = [source for source, state in by_shop if state == "Completed"]
    assert completed == [f"shop:{BERLIN}", f"shop:{RECIFE}"], by_shop
    assert {state for _, state in by_shop} <= {"Completed", "Crashed"}, by_shop
    alone, _ = found_alone(shops, tmp_path / "alone")
    assert book(shops.tower.ledger) == alone
    with shops.tower.ledger.read() as session:
        keys = [row.key for row in session.scalars(select(OutboxMessage))]
    assert len(keys) == len(set(keys))


def test_days_of_every_shop_go_to_one_cluster_and_a_worker_of_it_that_is_killed_changes_nothing(
    shops: TwoShops, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWER_PART_ORDERS", "40")
    killed: list[int] = []
    with (
        LocalCluster(2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        monkeypatch.setenv("TOWER_DASK", cluster.scheduler_address)
        shops.tower.settings = settings()
        killer = threading.Thread(target=kill_a_worker_at_work, args=(client, killed), daemon=True)
        killer.start()
        code, looks, fault = run(capsys, "--all-shops", *WHEN)
        killer.join(10)
        assert len(killed) == 1 and killed[0] not in client.run(os.getpid).values()
    assert code == 0, fault
    archive = open_archive(shops.tower.settings.artifacts)
    for each in looks.values():
        parts = [one for one in chain_of(archive, shops.tower.ledger, each["run_id"]) if one.step == "look-at-part"]
        assert len({one.inputs["part"] for one in parts}) >= 4 and not any(one.error for one in parts)
    alone, kept = found_alone(shops, tmp_path / "alone")
    assert kept_by(shops.tower, {shop: each["run_id"] for shop, each in looks.items()}) == kept
    assert book(shops.tower.ledger) == alone
