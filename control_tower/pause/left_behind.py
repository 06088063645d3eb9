"""Runs whose worker is gone for good, with its machine: nobody is left there to put them right.

A worker that comes back puts its own runs right at once (desk/worker.py). This is for the one that does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import AwaitingRetry, Crashed

from control_tower.pause.reconciling import FLOW, PAGE
from control_tower.pause.waiting import start_anew

CASE = timedelta(minutes=30)
"""A case takes seconds, and each of its calls has a time-out of its own. One that was in truth only slow does no harm
when it starts again: what it sent stands in the ledger, and is read back first."""


def start_again_what_is_left_behind(now: datetime) -> list[str]:
    """Let cases start again, and give up on looks that have gone on for twice their time; gives the ids of the runs."""
    begun = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
    with get_client(sync_client=True) as client:
        left = [run for run in _all(client, begun) if run.state and now - run.state.timestamp > _patience(client, run)]
        for run in left:
            client.set_flow_run_state(run.id, _put_right(client, run), force=True)
    return [str(run.id) for run in left]


def _all(client: SyncPrefectClient, states: FlowRunFilterStateType) -> Iterator[FlowRun]:
    under_way = FlowRunFilter(state=FlowRunFilterState(type=states))
    seen = 0
    while found := client.read_flow_runs(
        flow_run_filter=under_way, sort=FlowRunSort.START_TIME_ASC, limit=PAGE, offset=seen
    ):
        seen += len(found)
        yield from found


def _patience(client: SyncPrefectClient, run: FlowRun) -> timedelta:
    """How long a run may stand begun: a case half an hour, what has a time-out twice that, and others for ever."""
    given = next((found for tag in run.tags if (found := re.fullmatch(r"within:(\d{1,5})m", tag))), None)
    if given:
        return 2 * timedelta(minutes=int(given[1]))
    return CASE if _is_case(client, run) else timedelta.max


def _is_case(client: SyncPrefectClient, run: FlowRun) -> bool:
    return run.deployment_id is not None and client.read_flow(run.flow_id).name == FLOW


def _put_right(client: SyncPrefectClient, run: FlowRun) -> State[None]:
    if not _is_case(client, run):
        return Crashed(message="it has gone on for twice its time; its worker is gone, or hangs")
    start_anew(client, run.id)
    return AwaitingRetry(message="its worker is gone; it starts again")
