"""The warm worker: one run, once, whoever else polls; and whatever a run does, the worker lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_tower.server import Server
from control_tower.settings import Settings, settings

NAME = uuid4().hex[:8]
HAPPENED: Counter[str] = Counter()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as found:
        yield found


@pytest.fixture(scope="module")
def case(client: Any) -> tuple[UUID, Any]:
    """A deployment of a flow that counts, and does what its parameter says."""
    from prefect import flow

    from desk.worker import POOL

    @flow(name=f"case-{NAME}", persist_result=False)
    def count(subject: str, does: str = "nothing") -> None:
        HAPPENED[subject] += 1
        if does == "fail":
            raise ValueError("a fault of the flow")
        if does == "exit":
            sys.exit(3)
        if does == "wait":
            time.sleep(0.8)

    _pool(client, POOL)
    return client.create_deployment(client.create_flow(count), "case", work_pool_name=POOL), count


def _pool(client: Any, name: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def _suspended(client: Any, deployment: UUID, **parameters: str) -> UUID:
    from prefect.states import Suspended

    run = client.create_flow_run_from_deployment(
        deployment, parameters=parameters, state=Suspended(timeout_seconds=600)
    )
    found: UUID = run.id
    return found


def comes_true(condition: Callable[[], bool], within: float = 20.0) -> bool:
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_two_workers_race_and_each_run_happens_once(client: Any, case: tuple[UUID, Any], tmp_path: Path) -> None:
    """They have different homes, so that nothing but the server's own rule keeps them apart."""
    from control_tower.pause import resume
    from desk.worker import work

    deployment, flow = case
    subjects = [f"race-{number}" for number in range(5)]
    for subject in subjects:
        resume(_suspended(client, deployment, subject=subject))
    homes = [Settings(home=tmp_path / name) for name in ("one", "two")]
    carried: list[int] = []
    workers = [
        threading.Thread(target=lambda home=home: carried.append(work({deployment: flow}, home, once=True)))
        for home in homes
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(carried) == len(subjects)
    assert {subject: HAPPENED[subject] for subject in subjects} == dict.fromkeys(subjects, 1)


def test_of_eight_workers_that_reach_for_one_run_one_gets_it(client: Any, case: tuple[UUID, Any]) -> None:
    from desk.worker import _claim

    run = client.create_flow_run_from_deployment(case[0], parameters={"subject": "reach"}).id
    at_once = threading.Barrier(8)

    def reach(_: int) -> bool:
        at_once.wait()
        return _claim(run) is not None

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(reach, range(8))) == 1
    client.delete_flow_run(run)


def test_a_run_that_another_worker_has_ended_since_the_poll_does_not_begin_again(
    client: Any, case: tuple[UUID, Any], tmp_path: Path
) -> None:
    from desk.worker import _Worker, work

    deployment, flow = case
    run = client.create_flow_run_from_deployment(deployment, parameters={"subject": "polled"})
    late = _Worker({deployment: flow}, Settings(home=tmp_path), 1)
    due = late._due(client, once=True)
    assert run.id in {each.id for each in due}, "beside those of deployments that are not ours"
    assert work({deployment: flow}, settings(), once=True) == 1
    late._start(due)
    assert late.ended.get(timeout=20) == run.id
    assert HAPPENED["polled"] == 1
    assert late.carried == 0
    assert client.read_flow_run(run.id).state_name == "Completed"


@pytest.mark.parametrize(
    ("does", "ended", "resumed"),
    [("nothing", "Completed", False), ("fail", "Failed", False), ("nothing", "Completed", True)],
)
def test_a_run_that_another_worker_ends_between_our_look_and_our_claim_does_not_begin_again(
    client: Any, case: tuple[UUID, Any], monkeypatch: pytest.MonkeyPatch, does: str, ended: str, resumed: bool
) -> None:
    from control_tower.pause import resume
    from desk import worker

    deployment, flow = case
    subject = f"between-{does}-{resumed}"
    if resumed:
        resume(run := _suspended(client, deployment, subject=subject, does=does))
    else:
        run = client.create_flow_run_from_deployment(deployment, parameters={"subject": subject, "does": does}).id
    propose = worker.propose_state_sync

    def late(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(worker, "propose_state_sync", propose)
        assert worker.work({deployment: flow}, settings(), once=True) == 1
        return propose(*given, **more)

    monkeypatch.setattr(worker, "propose_state_sync", late)
    assert worker._claim(run) is None
    assert HAPPENED[subject] == 1
    assert client.read_flow_run(run).state_name == ended
    assert worker.work({deployment: flow}, settings(), once=True) == 0


@pytest.mark.parametrize("does", ["fail", "exit"])
def test_a_run_that_breaks_off_never_takes_the_worker_along(client: Any, case: tuple[UUID, Any], does: str) -> None:
    from desk.worker import recover, work

    deployment, flow = case
    bad, good = f"bad-{does}", f"good-{does}"
    broken = client.create_flow_run_from_deployment(deployment, parameters={"subject": bad, "does": does})
    client.create_flow_run_from_deployment(deployment, parameters={"subject": good})
    assert work({deployment: flow}, settings(), once=True) == 2
    assert (HAPPENED[bad], HAPPENED[good]) == (1, 1)
    assert client.read_flow_run(broken.id).state_name == {"fail": "Failed", "exit": "Crashed"}[does]
    assert recover({deployment: flow}, settings()) == {}, "it was told as it ended; nothing was left behind"


@pytest.mark.slow
def test_a_woken_run_starts_within_a_second_and_a_half(client: Any, case: tuple[UUID, Any]) -> None:
    from control_tower.pause import resume
    from desk.worker import is_worked, recover, work

    deployment, flow = case
    runs = {subject: _suspended(client, deployment, subject=subject, does="wait") for subject in "abc"}
    stop = threading.Event()
    assert not is_worked(settings())
    worker = threading.Thread(target=work, args=({deployment: flow}, settings()), kwargs={"stop": stop})
    worker.start()
    waited = []
    try:
        assert comes_true(lambda: is_worked(settings()))
        time.sleep(0.5)
        for subject, run in runs.items():
            began = time.monotonic()
            resume(run)
            assert comes_true(lambda subject=subject: HAPPENED[subject] == 1)
            waited.append(time.monotonic() - began)
        assert recover({deployment: flow}, settings()) == {}, "its process lives: nobody's to recover"
    finally:
        stop.set()
        worker.join()
    assert client.read_flow_run(runs["c"]).state_name == "Completed", "what was under way was finished"
    assert min(waited) < 1.5, waited


def test_a_run_of_a_deployment_we_do_not_know_is_left_to_others(client: Any, case: tuple[UUID, Any]) -> None:
    from desk.worker import work

    deployment, _ = case
    run = client.create_flow_run_from_deployment(deployment, parameters={"subject": "stranger"})
    assert work({uuid4(): case[1]}, settings(), once=True) == 0
    assert client.read_flow_run(run.id).state_name == "Scheduled"
    client.delete_flow_run(run.id)


KILLED = """
import sys, time
from uuid import UUID
from prefect import flow
from control_tower.settings import settings
from desk.worker import work

@flow(name="watch-{name}", persist_result=False)
def lane(subject: str = "") -> None:
    time.sleep(60)

@flow(name="case-{name}", persist_result=False)
def case(subject: str, does: str = "") -> None:
    time.sleep(60)

work({{UUID(sys.argv[1]): lane, UUID(sys.argv[2]): case}}, settings())
"""


def test_what_a_killed_worker_left_behind_is_put_right(client: Any, case: tuple[UUID, Any]) -> None:
    """The case starts again. The lane crashed, and its only slot is free for the next one."""
    from prefect import flow
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    from desk.worker import POOL, recover, work

    @flow(name=f"watch-{NAME}", persist_result=False)
    def lane(subject: str = "") -> None:
        HAPPENED[subject] += 1

    limited = client.create_deployment(
        client.create_flow(lane),
        "lane",
        work_pool_name=POOL,
        concurrency_limit=1,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    )
    deployment, carry = case
    flows = {deployment: carry, limited: lane}
    left = [
        client.create_flow_run_from_deployment(limited, parameters={"subject": "lane"}).id,
        client.create_flow_run_from_deployment(deployment, parameters={"subject": "left"}).id,
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(name=NAME), str(limited), str(deployment)], env=os.environ
    )
    try:
        running = [lambda run=run: client.read_flow_run(run).state_name == "Running" for run in left]
        assert all(comes_true(each) for each in running)
        assert recover(flows, settings()) == {}
    finally:
        process.kill()
        process.wait()
    assert recover(flows, settings()) == {left[0]: "Crashed", left[1]: "AwaitingRetry"}
    assert recover(flows, settings()) == {}

    following = client.create_flow_run_from_deployment(limited, parameters={"subject": "next lane"}).id
    assert work(flows, settings(), once=True) == 2
    assert (HAPPENED["left"], HAPPENED["next lane"], HAPPENED["lane"]) == (1, 1, 0)
    assert client.read_flow_run(following).state_name == "Completed"
