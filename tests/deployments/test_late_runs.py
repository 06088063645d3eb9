"""After nobody worked for hours, each lane looks once; what was missed is skipped, and never piled up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Scheduled

from control_tower.server import Server
from control_tower.settings import Settings, settings
from desk.deploy_pools import make_pools
from desk.worker import POOL, work
from flows.missed import makes_up

pytestmark = pytest.mark.slow

LOOKED: Counter[str] = Counter()
NAME = uuid4().hex[:8]
FLOW = """
from pathlib import Path
from prefect import flow
from flows.missed import makes_up

@flow(name="watch-late-{name}", persist_result=False, on_running=[makes_up])
def look(into: str) -> None:
    with Path(into).open("a") as file:
        file.write("looked\\n")
"""


@flow(name=f"watch-{NAME}", persist_result=False, on_running=[makes_up])
def look(into: str = "") -> None:
    LOOKED[into] += 1


def scheduled_and_late(
    client: SyncPrefectClient, found: Any, times: int, pool: str = POOL, entrypoint: str | None = None, into: str = ""
) -> UUID:
    """A deployment with so many runs of its schedule that were due every half an hour until now."""
    id = client.create_deployment(
        client.create_flow(found),
        f"late-{uuid4().hex[:6]}",
        work_pool_name=pool,
        entrypoint=entrypoint,
        parameters={"into": into},
        pull_steps=[],
        concurrency_limit=1,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        schedules=[DeploymentScheduleCreate(schedule=CronSchedule(cron="*/30 * * * *"), active=False)],
    )
    now = datetime.now(UTC)
    runs = [
        client.create_flow_run_from_deployment(id, state=Scheduled(scheduled_time=now - number * timedelta(minutes=30)))
        for number in range(times)
    ]
    # The scheduler alone says that a run is of its making, and makes none for the past.
    with closing(sqlite3.connect(settings().folder / "prefect" / "prefect.db", timeout=30)) as database, database:
        database.executemany("UPDATE flow_run SET auto_scheduled = 1 WHERE id = ?", [(str(run.id),) for run in runs])
        assert database.total_changes == times
    return id


def outcomes(client: SyncPrefectClient, deployment: UUID) -> Counter[str]:
    """How many looked, and how many were given up: skipped by the one that looked, or cancelled by the server.

    The server cancels a run itself when it finds that it is late while another one looks.
    """
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
    names = [str(run.state_name) for run in client.read_flow_runs(flow_run_filter=mine)]
    return Counter("given up" if name in ("Skipped", "Cancelled") else name for name in names)


def test_after_hours_without_a_worker_a_lane_looks_once(server: Server) -> None:
    with get_client(sync_client=True) as client:
        make_pools(client)
        lanes = [scheduled_and_late(client, look, 6, into=name) for name in ("one", "two")]
        work(dict.fromkeys(lanes, look), settings(), once=True)
        assert (LOOKED["one"], LOOKED["two"]) == (1, 1)
        assert [outcomes(client, each) for each in lanes] == [{"given up": 5, "Completed": 1}] * 2


def test_what_a_person_asked_for_is_not_skipped(server: Server) -> None:
    with get_client(sync_client=True) as client:
        make_pools(client)
        lane = scheduled_and_late(client, look, 3, into="asked")
        client.create_flow_run_from_deployment(lane, state=Scheduled(scheduled_time=datetime.now(UTC)))
        work({lane: look}, settings(), once=True)
        assert (LOOKED["asked"], outcomes(client, lane)) == (2, {"given up": 2, "Completed": 2})


@pytest.mark.large
def test_two_workers_that_come_back_at_once_look_once(server: Server, tmp_path: Path) -> None:
    with get_client(sync_client=True) as client:
        make_pools(client)
        lane = scheduled_and_late(client, look, 6, into="both")
        homes = [Settings(home=tmp_path / name) for name in "ab"]
        workers = [threading.Thread(target=work, args=({lane: look}, home), kwargs={"once": True}) for home in homes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert (LOOKED["both"], outcomes(client, lane)) == (1, {"given up": 5, "Completed": 1})


@pytest.mark.large
def test_prefects_own_worker_looks_once_too(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"late_{NAME}"
    (tmp_path / f"{module}.py").write_text(FLOW.format(name=NAME))
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
    pool, into = f"late-{NAME}", tmp_path / "looks"
    monkeypatch.syspath_prepend(tmp_path)
    found = import_module(module).look
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        lane = scheduled_and_late(client, found, 5, pool, f"{module}.look", str(into))
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--run-once"]
        subprocess.run(worker, env=environment, cwd=tmp_path, check=True, capture_output=True, timeout=240)
        ended = outcomes(client, lane)
    assert into.read_text().splitlines() == ["looked"]
    assert ended == {"given up": 4, "Completed": 1}
