"""A look that takes too long ends between two steps: its place is free, its chain holds, and the next one looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, FlowRun
from prefect.context import FlowRunContext

from control_tower.errors import OutOfTime, SettingError
from control_tower.keeping.in_time import in_time
from control_tower.keeping.records import chain_of, verify
from control_tower.keeping.step import open_archive, step
from control_tower.ledger import open_ledger
from control_tower.server import Server
from control_tower.settings import settings
from desk.deploy_pools import make_pools
from desk.worker import POOL, work

SLOW = {"now": True}
NAME = f"watch-{uuid4().hex[:8]}"


@step(touches="nothing")
def read_for_long() -> int:
    """Turns the clock of its run back by two hours, as if it had taken that long."""
    if SLOW["now"]:
        context = FlowRunContext.get()
        assert context
        context.__dict__["start_time"] = datetime.now(UTC) - timedelta(hours=2)
    return 1


@step(touches="nothing")
def open_the_case(read: int) -> int:
    return read


@flow(name=NAME, persist_result=False)
def look() -> int:
    return open_the_case(read_for_long())


@pytest.mark.slow
def test_a_look_that_takes_too_long_ends_before_its_next_step_and_the_next_one_looks(server: Server) -> None:
    archive, ledger = open_archive(settings().artifacts), open_ledger(settings().ledger)
    with get_client(sync_client=True) as client:
        make_pools(client)
        lane: UUID = client.create_deployment(
            client.create_flow(look),
            NAME,
            work_pool_name=POOL,
            tags=["within:60m"],
            concurrency_limit=1,
            concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        )
        runs = []
        for slow in (True, False):
            SLOW["now"] = slow
            runs.append(client.create_flow_run_from_deployment(lane).id)
            work({lane: look}, settings(), once=True)
        ended, following = (client.read_flow_run(run).state for run in runs)
    assert ended and ended.name == "Failed" and "has run for 120 minutes, and has 60" in str(ended.message)
    assert following and following.name == "Completed"
    assert [len(chain_of(archive, ledger, str(run))) for run in runs] == [1, 2]
    for run in runs:
        verify(archive, ledger, str(run))


@pytest.mark.parametrize("tag", ["within:an hour", "within:60", "within:-1m"])
def test_a_tag_that_says_no_time_is_refused(tag: str) -> None:
    run = FlowRun.model_construct(flow_id=None, tags=[tag])
    with FlowRunContext.model_construct(flow_run=run, start_time=datetime.now(UTC)), pytest.raises(SettingError):
        in_time("gather")


def test_a_run_has_all_of_its_time(server: Server) -> None:
    run, now = FlowRun.model_construct(flow_id=None, tags=["within:60m"]), datetime.now(UTC)
    with FlowRunContext.model_construct(flow_run=run, start_time=now):
        in_time("gather", now + timedelta(minutes=60))
        with pytest.raises(OutOfTime, match="before gather"):
            in_time("gather", now + timedelta(minutes=60, seconds=1))
