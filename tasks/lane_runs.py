"""How the deployments of lanes are doing, as Prefect has their runs: which fail, since when, and which are late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from control_tower.schedules import longest

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

GRACE = timedelta(minutes=10)
"""How much later than its schedule a look may end before it is late."""
LOOKED_BACK = 50
"""Runs of a lane that are looked through for the first that failed."""
PAGE = 200


@dataclass(frozen=True)
class Failing:
    """A row of looks that failed, up to now: ids of the first and the newest run, and why the first one did."""

    first: str
    newest: str
    why: str


@dataclass(frozen=True)
class LaneRuns:
    """One deployment of a lane."""

    name: str
    lane: str
    shop: str = ""
    """The one that it looks at, where there are several."""
    failing: Failing | None = None
    late_since: str = ""
    """When the look that is late was due, to the minute in UTC; empty where none is."""


def lane_runs(now: datetime) -> list[LaneRuns]:
    """Every deployment that has the tag of a lane, in the order of names."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return sorted((_of(client, each, now) for each in _lanes(client)), key=lambda lane: lane.name)


def _lanes(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    seen = 0
    while found := client.read_deployments(limit=PAGE, offset=seen):
        seen += len(found)
        yield from (each for each in found if _tagged(each, "lane:"))


def _tagged(deployment: DeploymentResponse, kind: str) -> str:
    return next((tag.removeprefix(kind) for tag in deployment.tags if tag.startswith(kind)), "")


def _of(client: SyncPrefectClient, deployment: DeploymentResponse, now: datetime) -> LaneRuns:
    return LaneRuns(
        name=deployment.name,
        lane=_tagged(deployment, "lane:"),
        shop=_tagged(deployment, "shop:"),
        failing=_failing(client, deployment.id),
        late_since=_late(client, deployment, now),
    )


def _failing(client: SyncPrefectClient, deployment: UUID) -> Failing | None:
    """Looks that ended well or not, newest first; what was skipped or cancelled is neither."""
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    ended = ["COMPLETED", "FAILED", "CRASHED"]
    row: list[FlowRun] = []
    for run in _runs(client, deployment, ended, sort=FlowRunSort.END_TIME_DESC, limit=LOOKED_BACK):
        if run.state_type is StateType.COMPLETED:
            break
        row.append(run)
    if not row:
        return None
    first = row[-1]
    return Failing(str(first.id), str(row[0].id), str(first.state.message if first.state else ""))


def _late(client: SyncPrefectClient, deployment: DeploymentResponse, now: datetime) -> str:
    """When the oldest scheduled look was due that has not ended, if that is longer ago than its schedule and grace."""
    from prefect.client.schemas.filters import FlowRunFilterExpectedStartTime
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.client.schemas.sorting import FlowRunSort

    crons = [each.schedule for each in deployment.schedules if each.active and isinstance(each.schedule, CronSchedule)]
    if not crons:
        return ""
    apart = max(longest(each.cron, each.timezone or "UTC") for each in crons)
    before = FlowRunFilterExpectedStartTime(before_=now - timedelta(seconds=apart) - GRACE)
    under_way = ["SCHEDULED", "PENDING", "RUNNING"]
    found = _runs(
        client, deployment.id, under_way, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=PAGE, expected=before
    )
    due = next((run.expected_start_time for run in found if run.auto_scheduled), None)
    return f"{due.astimezone(UTC):%Y-%m-%dT%H.%MZ}" if due else ""


def _runs(
    client: SyncPrefectClient, deployment: UUID, states: list[str], *, sort: Any, limit: int, expected: Any = None
) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )

    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
        expected_start_time=expected,
    )
    return client.read_flow_runs(flow_run_filter=wanted, sort=sort, limit=limit)
