"""Look in a shop: ask for a run of the shop's own deployment, wait until it has ended, and say how."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import JsonValue

from control_tower.keeping.step import flow_run_id, step
from control_tower.markdown import inert
from control_tower.nouns import Noun
from control_tower.redaction import redacted

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

POLL = 2.0  # seconds
SAID = 400  # characters of an error
TAG = "fan-out:"
"""Of each run that is asked for, with the id of the run that asked."""
COMPLETED = "Completed"
TAKEN = "Deployment concurrency limit reached."
"""What Prefect says of a run that it cancelled because another look of the same lane and shop was under way."""
RAISED = "Flow run encountered an exception: "
"""What Prefect says ahead of an exception."""


class ShopLook(Noun):
    """How the look at one shop ended: the run, its state by Prefect's name, and why where it did not complete."""

    shop: str
    state: str
    run_id: str = ""
    why: str = ""

    @property
    def well(self) -> bool:
        """Whether the shop was looked at."""
        return self.state == COMPLETED

    @property
    def markdown(self) -> str:
        """How it ended, for the artifact."""
        return f"{self.shop}: {self.state}. {inert(self.why)}".strip()


@step(touches="Prefect: a run of the shop's own deployment")
def look_in_shop(lane: str, shop: str, given: dict[str, JsonValue], until: datetime) -> ShopLook:
    """Have a lane look at a shop, and say how that ended; it raises nothing of what the look does.

    The run is one of the shop's deployment, so it waits for that deployment's place and is carried out by any worker.
    Begun again after it was cut off, this finds the run that it asked for, and asks anew only where that ended badly.

    Args:
        given: what the lane's flow is told otherwise than by the deployment.
        until: when nobody waits any longer; a look that has not ended by then goes on by itself.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = _deployment(client, lane, shop)
        if deployment is None:
            return ShopLook(shop=shop, state="Not deployed", why="`tower deploy` makes its deployments")
        going = next((each.id for each in _asked_for(client, deployment) if _goes_on_or_is_done(each)), None)
        while True:
            if going is None and not _is_free(client, deployment, until):
                return ShopLook(shop=shop, state="Not begun", why="another look at it had not ended in time")
            run = _ended(client, going or _ask(client, deployment, shop, given), until)
            if not _was_taken(run):
                return _said(shop, run)
            going = None


def _deployment(client: SyncPrefectClient, lane: str, shop: str) -> UUID | None:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    tags = DeploymentFilterTags(all_=[f"lane:{lane}", f"shop:{shop}"])
    found = client.read_deployments(deployment_filter=DeploymentFilter(tags=tags))
    return min(found, key=lambda each: each.name).id if found else None


def _asked_for(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    """The runs that this flow run asked for there, in this beginning of it or an earlier one."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterTags

    mine = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        tags=FlowRunFilterTags(all_=[f"{TAG}{flow_run_id()}"]),
    )
    return client.read_flow_runs(flow_run_filter=mine)


def _ask(client: SyncPrefectClient, deployment: UUID, shop: str, given: dict[str, JsonValue]) -> UUID:
    """Ask for one more run; whoever asks for the same at the same time is given the same."""
    from prefect.deployments import run_deployment

    number = len(_asked_for(client, deployment))
    run: FlowRun = run_deployment(  # type: ignore[assignment]
        deployment,
        parameters=given | {"source": f"shop:{shop}"},
        tags=[f"{TAG}{flow_run_id()}"],
        idempotency_key=f"{flow_run_id()}:{shop}:{number}",
        timeout=0,
    )
    return run.id


def _is_free(client: SyncPrefectClient, deployment: UUID, until: datetime) -> bool:
    """Whether the deployment's place is free, now or soon enough: a run asked for before that would be cancelled."""
    for _ in _moments(until):
        limit = client.read_deployment(deployment).global_concurrency_limit
        if limit is None or limit.active_slots < limit.limit:
            return True
    return False


def _ended(client: SyncPrefectClient, run: UUID, until: datetime) -> FlowRun:
    """The run as it is when it has ended, or when nobody waits any longer."""
    for _ in _moments(until):
        found = client.read_flow_run(run)
        if found.state and found.state.is_final():
            break
    return found


def _moments(until: datetime) -> Iterator[None]:
    """Now, and from time to time until then."""
    yield
    while datetime.now(UTC) < until:
        time.sleep(POLL)
        yield


def _goes_on_or_is_done(run: FlowRun) -> bool:
    return run.state is not None and (not run.state.is_final() or run.state.is_completed())


def _was_taken(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_cancelled() and run.state.message == TAKEN


def _said(shop: str, run: FlowRun) -> ShopLook:
    state = run.state
    if state is None or not state.is_final():
        name, why = run.state_name or "Scheduled", "it had not ended in time, and goes on by itself"
    else:
        said = str(state.message or "").removeprefix(RAISED)
        name, why = state.name or state.type.value, "" if state.is_completed() else said
    return ShopLook(shop=shop, state=name, run_id=str(run.id), why=redacted(why)[:SAID])
