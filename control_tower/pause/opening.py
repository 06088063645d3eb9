"""Opening pauses: many runs, each born suspended, in few calls and in no process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Scheduled
from prefect.utilities.asyncutils import run_coro_as_sync

from control_tower.batches import batches
from control_tower.errors import ServerError
from control_tower.pause.form import PATIENCE, form_rows, suspended
from control_tower.traces import place

DEPLOYMENT = "resolve-case/resolve-case"
BATCH = 25  # runs in a request: SQLite's one writer is kept for about half a second
CONCURRENT = 8
TRIES = 6


@dataclass(frozen=True)
class PauseRequest:
    """One run to open: whose proposal it is, what the UI shows, and the key of its pauses.

    `proposal_id` is unique for ever and makes opening idempotent. `key` holds lower-case letters,
    digits and dashes only: with any other, Prefect would suspend the run and then never resume it.
    """

    proposal_id: str
    name: str
    description_markdown: str
    parameters: Mapping[str, Any]
    tags: Sequence[str]
    key: str
    reasons: Sequence[str] = ()
    """The codes that the form lets a person choose from."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9-]{1,200}", self.key):
            raise ServerError(f"{self.key!r} can't be a pause's key", remedy="use a to z, digits and dashes")


def open_pauses(
    requests: Sequence[PauseRequest],
    deployment: str = DEPLOYMENT,
    timeout: timedelta = PATIENCE,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, str]:
    """Open a suspended run for each request, or find the one there is. No process starts.

    Calling again returns the same runs. A run that a crash left half made is completed, and one that
    had ended is scheduled again, so that it asks anew. Where this is traced, they go on with its trace.

    Args:
        deployment: flow name and deployment name.
        timeout: how long a run waits before Prefect fails it; a wake-up revives it even then.
        progress: called with the number of runs that just became ready.

    Returns:
        Flow run id by proposal id.

    Raises:
        ServerError: no such deployment, or the server keeps refusing.
    """
    return run_coro_as_sync(_open_all(requests, deployment, timeout, progress, place())) or {}


async def _open_all(
    requests: Sequence[PauseRequest],
    deployment: str,
    timeout: timedelta,
    progress: Callable[[int], None],
    labels: Mapping[str, str],
) -> dict[str, str]:
    opened: dict[str, str] = {}
    async with get_client() as client:
        try:
            deployed = (await client.read_deployment_by_name(deployment)).id
        except ObjectNotFound as fault:
            raise ServerError(f"{deployment} is not deployed", remedy="run `tower deploy`") from fault
        for batch in batches(requests, BATCH):
            runs = await _create(client, deployed, batch, timeout, labels)
            await _furnish_all(client, batch, runs)
            await _revive_ended(client, runs)
            opened |= {request.proposal_id: str(run) for request, run in zip(batch, runs, strict=True)}
            progress(len(batch))
    return opened


async def _create(
    client: PrefectClient,
    deployment: UUID,
    batch: Sequence[PauseRequest],
    timeout: timedelta,
    labels: Mapping[str, str],
) -> list[UUID]:
    """Create a batch's runs in one request; those that exist are found by their idempotency key."""
    body = [_as_json(request, timeout, labels) for request in batch]
    for attempt in range(TRIES):
        response = await client.request(
            "POST",
            "/deployments/{id}/create_flow_run/bulk",  # type: ignore[arg-type]  # Prefect's own list lacks it
            path_params={"id": deployment},
            json=body,
        )
        made = response.json()["results"]
        if all(each["flow_run_id"] for each in made):
            return [UUID(each["flow_run_id"]) for each in made]
        # A busy SQLite fails runs one by one inside an answer that succeeds. Send all again.
        await asyncio.sleep(0.1 * 2**attempt)
    fault = next(str(each["error"]).partition("\n")[0] for each in made if not each["flow_run_id"])
    raise ServerError(f"Prefect made no run: {fault}", remedy="run it again; nothing is opened twice")


def _as_json(request: PauseRequest, timeout: timedelta, labels: Mapping[str, str]) -> dict[str, Any]:
    state = suspended(f"{request.key}-1", timeout)
    return {
        "name": request.name,
        "parameters": dict(request.parameters),
        "tags": list(request.tags),
        "labels": dict(labels),
        "idempotency_key": request.proposal_id,
        "state": {
            "type": state.type.value,
            "name": state.name,
            "state_details": state.state_details.model_dump(mode="json", exclude_unset=True),
        },
    }


async def _furnish_all(client: PrefectClient, batch: Sequence[PauseRequest], runs: Sequence[UUID]) -> None:
    """Give every run of a batch its form; the rows that are there already stay."""
    turns = asyncio.Semaphore(CONCURRENT)

    async def furnish(request: PauseRequest, run: UUID) -> None:
        async with turns:
            for key, value in form_rows(f"{request.key}-1", request.description_markdown, request.reasons):
                await _unless_there(client.create_flow_run_input(run, key, value))

    await asyncio.gather(*(furnish(request, run) for request, run in zip(batch, runs, strict=True)))


async def _unless_there(creation: Coroutine[Any, Any, None]) -> None:
    try:
        await creation
    except PrefectHTTPStatusError as fault:
        if fault.response.status_code != 409:
            raise


async def _revive_ended(client: PrefectClient, runs: Sequence[UUID]) -> None:
    """Schedule again those that had ended: their proposal waits anew, and a run that ended asks nobody."""
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(runs))), limit=len(runs)
    )
    for run in found:
        if run.state and run.state.is_final():
            await client.set_flow_run_state(run.id, Scheduled(message="asked again"))
