"""What a run of a schedule does about its fellows: the first that runs makes up for all that are due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled

PAGE = 200


def makes_up(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """As a flow begins: other scheduled runs of its deployment that are due end as Skipped, however late they are.

    All of them would see what this one sees: the shop as it is now. It takes their place, rather than
    leaving its own to the newest, so that at no moment all of them have stepped back. What a person
    asked for is nobody's to skip.
    """
    if not (flow_run.deployment_id and flow_run.auto_scheduled):
        return
    skipped: State[Any] = Cancelled(name="Skipped", message=f"run {flow_run.id} makes up for it")
    with get_client(sync_client=True) as client:
        for other in list(_due(client, flow_run.deployment_id)):
            if other.auto_scheduled and other.id != flow_run.id:
                client.set_flow_run_state(other.id, skipped)


def _due(client: SyncPrefectClient, deployment: UUID) -> Iterator[FlowRun]:
    due = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
    )
    seen = 0
    while found := client.read_flow_runs(flow_run_filter=due, limit=PAGE, offset=seen):
        seen += len(found)
        yield from found
