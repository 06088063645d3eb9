"""A look on a cluster: what one process finds, whatever happens to its workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from distributed import Client, LocalCluster

from control_tower.keeping.records import chain_of, verify
from control_tower.keeping.step import open_archive
from control_tower.stores.generator import parquet
from tests.flows.conftest import AS_OF, Tower, own_tower
from tests.flows.test_parts import STEPS, book

pytestmark = pytest.mark.large


@pytest.fixture
def clustered(tmp_path: Path, deployed: dict[UUID, Any]) -> Iterator[tuple[Tower, Client]]:
    """A tower, and a cluster of two processes that belong to it."""
    (tmp_path / "dask").mkdir()
    with own_tower(tmp_path / "dask", deployed) as tower, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_PART_ORDERS", "150")
        with (
            LocalCluster(2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            environment.setenv("TOWER_DASK", cluster.scheduler_address)
            yield tower, client


def kill_a_worker_at_work(client: Client, killed: list[int]) -> None:
    """Kill, and no more than that, a worker as soon as it has been looking at a part for a while."""
    pids = client.run(os.getpid)
    while not killed:
        for worker, keys in client.processing().items():
            if any("look" in str(key) or "part" in str(key) for key in keys) and worker in pids:
                time.sleep(0.4)
                os.kill(pids[worker], signal.SIGKILL)
                killed.append(pids[worker])
                return
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_changes_nothing_that_is_found(
    tmp_path: Path, clustered: tuple[Tower, Client]
) -> None:
    divided, client = clustered
    folder = tmp_path / "shop"
    parquet(folder, orders=1000, seed=8, as_of=AS_OF, dirty=True)
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker_at_work, args=(client, killed), daemon=True)
    killer.start()
    report = divided.watch(source=f"folder:{folder}")
    killer.join(10)
    assert len(killed) == 1 and killed[0] not in client.run(os.getpid).values()
    archive = open_archive(divided.settings.artifacts)
    assert verify(archive, divided.ledger, report.run_id).records >= 12
    looked = [record for record in chain_of(archive, divided.ledger, report.run_id) if record.step == "look-at-part"]
    assert len({record.inputs["part"] for record in looked}) >= 6 and not any(record.error for record in looked)
    (tmp_path / "whole").mkdir()
    with own_tower(tmp_path / "whole", divided.flows) as whole, pytest.MonkeyPatch.context() as environment:
        environment.delenv("TOWER_DASK")
        environment.delenv("TOWER_PART_ORDERS")
        once = whole.watch(source=f"folder:{folder}")
    assert report.model_dump(exclude={"run_id"}) == once.model_dump(exclude={"run_id"})
    assert book(divided.ledger) == book(whole.ledger)
    for step in STEPS:
        assert divided.records(report)[step].outputs == whole.records(once)[step].outputs, step
