"""Reconciling: which paused runs ask nobody any more, and which proposals no longer have a run that asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

from control_tower.batches import batches

FLOW = "resolve-case"
PAGE = 200


def ended_among(runs: Sequence[UUID]) -> list[UUID]:
    """Those of these runs that have ended, or that Prefect does not know, in their order."""
    alive: set[UUID] = set()
    with get_client(sync_client=True) as client:
        for some in batches(runs, PAGE):
            these = FlowRunFilter(id=FlowRunFilterId(any_=list(some)))
            found = client.read_flow_runs(flow_run_filter=these, limit=PAGE)
            alive |= {run.id for run in found if run.state and not run.state.is_final()}
    return [run for run in runs if run not in alive]


def waiting_for_nobody(is_asked: Callable[[str], bool]) -> dict[str, str]:
    """Paused runs whose proposal asks nobody any more: flow run id → why.

    Args:
        is_asked: whether the proposal of this digest still waits, or was approved and is on its way.
    """
    gone: dict[str, str] = {}
    paused = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    with get_client(sync_client=True) as client:
        at = 0
        while True:
            found = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
                flow_run_filter=paused,
                sort=FlowRunSort.START_TIME_ASC,
                limit=PAGE,
                offset=at,
            )
            for run in found:
                digest = str(run.parameters.get("proposal", ""))
                if not is_asked(digest):
                    gone[str(run.id)] = "its proposal waits for nobody"
            if len(found) < PAGE:
                return gone
            at += PAGE
