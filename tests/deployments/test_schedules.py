"""What is deployed runs on its schedule, one run a lane at a time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.filters import FlowRunFilterStateType as StateType

from control_tower.server import Server
from control_tower.settings import settings
from desk.deploy import deploy
from flows.lanes import lanes as lane_names


def scheduled(client: SyncPrefectClient) -> list[Any]:
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["watch-fulfilment"])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=StateType(any_=["SCHEDULED"]))),
    )


@pytest.mark.slow
def test_the_server_goes_on_making_scheduled_runs(server: Server) -> None:
    """With SQLAlchemy 2.1 the scheduler of Prefect 3.8 fails at every turn, and nothing says so."""
    deploy(settings())
    with get_client(sync_client=True) as client:
        for run in scheduled(client):
            client.delete_flow_run(run.id)
        until = time.monotonic() + 30
        while not (found := scheduled(client)) and time.monotonic() < until:
            time.sleep(0.3)
    assert found, "no scheduled run appeared"


@pytest.mark.slow
def test_a_lane_runs_once_at_a_time_and_only_the_lane_is_scheduled(server: Server) -> None:
    deployed = {each.name.partition("/")[2] or each.name: each.id for each in deploy(settings())}
    with get_client(sync_client=True) as client:
        lanes = [client.read_deployment(deployed[f"watch-{name}"]) for name in lane_names()]
        case = client.read_deployment(deployed["resolve-case"])
    assert [lane.global_concurrency_limit.limit for lane in lanes] == [1] * len(lanes)
    assert [[schedule.active for schedule in lane.schedules] for lane in lanes] == [[True]] * len(lanes)
    assert not case.schedules
    assert {case.work_pool_name, *(lane.work_pool_name for lane in lanes)} == {"tower"}


@pytest.mark.slow
def test_deploying_again_changes_nothing(server: Server) -> None:
    deploy(settings())
    assert [each.differs for each in deploy(settings(), check=True)] == [()] * len(deploy(settings()))
