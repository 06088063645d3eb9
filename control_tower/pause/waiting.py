"""Waiting and waking: what the woken run reads, how it waits again, and who may wake it (anybody)."""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, FlowRunInput, State
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import ObjectNotFound, Pause
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL
from prefect.states import Scheduled
from prefect.utilities.engine import propose_state_sync
from sqlalchemy import make_url

from control_tower.errors import NotFound, ServerError
from control_tower.pause.form import (
    PATIENCE,
    PREFIX,
    FormAnswer,
    form_rows,
    response_key,
    suspended,
    understood,
)

TRIES = 60
_KEY = re.compile(PREFIX + r"(?P<key>[a-z0-9-]+)-(?P<attempt>\d+)-(?P<part>schema|description|response)")


class Wake(StrEnum):
    """What a wake-up came to: the run goes on, it was on its way already, or it had completed."""

    resumed = "resumed"
    underway = "underway"
    completed = "completed"


def answer(flow_run_id: UUID | None = None) -> FormAnswer | None:
    """What was typed into the form of the latest pause, if anything; it is erased before it is returned.

    Args:
        flow_run_id: the run; the current one when left out.
    """
    run = flow_run_id or _current().id
    with get_client(sync_client=True) as client:
        rows = _rows(client, run)
        typed = [row for row in rows if row.key.endswith("-response")]
        _erase(client, run, typed)
    if typed:
        _wipe()
    key, attempt = _latest(rows, run)
    latest = response_key(f"{key}-{attempt}")
    return next((understood(row.value) for row in typed if row.key == latest), None)


def pause_again(description: str, timeout: timedelta = PATIENCE, reasons: Sequence[str] = ()) -> NoReturn:
    """Suspend the current run under its next key, and leave it; the form shows the description.

    The form is stored before the state changes, so that no crash leaves a run that can't be resumed.

    Args:
        description: markdown, with the reason why it waits again.
        reasons: the codes that the form lets a person choose from.

    Raises:
        ServerError: called in a task or in a run without a deployment, or the server says no.
    """
    run = _current()
    if TaskRunContext.get() is not None or run.deployment_id is None:
        raise ServerError("only the run of a deployment can wait, and not inside a task")
    with get_client(sync_client=True) as client:
        before = _rows(client, run.id)
        key, attempt = _latest(before, run.id)
        for name, value in form_rows(f"{key}-{attempt + 1}", description, reasons):
            client.create_flow_run_input(run.id, name, value)
        start_anew(client, run.id)
        state = propose_state_sync(client, suspended(f"{key}-{attempt + 1}", timeout), flow_run_id=run.id)
        if not state.is_paused():
            raise ServerError(f"the run can't wait: it is {state.name}", where=f"flow run {run.id}")
        _erase(client, run.id, before)
    raise Pause(state=state)


def start_anew(client: SyncPrefectClient, run: UUID) -> None:
    """Let workers see this run again once it is scheduled.

    After a retry inside its process, Prefect keeps a run for that process and shows it to no worker,
    not even when it was suspended and resumed since.
    """
    policy = client.read_flow_run(run).empirical_policy
    if policy.retry_type == "in_process":
        client.update_flow_run(run, empirical_policy=policy.model_copy(update={"retry_type": None}))


def _current() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise ServerError("this is no flow run")
    return context.flow_run


def _rows(client: SyncPrefectClient, run: UUID) -> list[FlowRunInput]:
    found = client.filter_flow_run_input(run, key_prefix=PREFIX, limit=200, exclude_keys=set())
    return [row for row in found if _KEY.fullmatch(row.key)]


def _latest(rows: Sequence[FlowRunInput], run: UUID) -> tuple[str, int]:
    """The key and number of the latest pause, read from the forms there are: never one used before.

    Prefect's own count forgets: a retry, a crash or a forced state clears it.
    """
    matches = (_KEY.fullmatch(row.key) for row in rows if row.key.endswith("-schema"))
    pauses = [(match["key"], int(match["attempt"])) for match in matches if match]
    return max(pauses, key=lambda pause: pause[1], default=(f"ruling-{run}", 0))


def _erase(client: SyncPrefectClient, run: UUID, rows: Sequence[FlowRunInput]) -> None:
    for row in rows:
        try:
            client.delete_flow_run_input(run, row.key)
        except ObjectNotFound:
            continue


def _wipe() -> None:
    """Empty the write-ahead log of Prefect's SQLite, where erased rows would stay until overwritten.

    Other databases, and one that is busy or not on this machine, are left to their own ways.
    """
    url = make_url(PREFECT_SERVER_DATABASE_CONNECTION_URL.value() or "sqlite://")
    if url.get_backend_name() != "sqlite" or not url.database or not Path(url.database).is_file():
        return
    with closing(sqlite3.connect(url.database, timeout=5.0)) as database, suppress(sqlite3.OperationalError):
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def resume(flow_run_id: UUID | str) -> Wake:
    """Wake a run up. Grants nothing, and does no harm when repeated.

    A run that failed, crashed, expired or was cancelled is scheduled again.

    Raises:
        NotFound: there is no such run.
        ServerError: the server refuses, and says why.
    """
    run, reason = UUID(str(flow_run_id)), "its database was busy"
    with get_client(sync_client=True) as client:
        for attempt in range(TRIES):
            state = _state(client, run)
            if not state.is_paused():
                return _wake_ended(client, run, state) if state.is_final() else Wake.underway
            result = _ask_to_resume(client, run)
            if result is None:
                time.sleep(min(0.05 * 2**attempt, 1.0) * random.uniform(0.5, 1.0))  # noqa: S311 - not all at once again
                continue
            if result.status is SetStateStatus.ACCEPT:
                return Wake.resumed
            # ABORT: somebody was faster. REJECT: it has no form, or it just expired. Look again.
            reason = getattr(result.details, "reason", None) or ""
            _mend(client, run, state)
    raise ServerError(f"the run can't be resumed: {reason}", where=f"flow run {run}")


def _ask_to_resume(client: SyncPrefectClient, run: UUID) -> OrchestrationResult[Any] | None:
    """What the server says; None when it was too busy to answer just then, which is soon over.

    Prefect's client would wait for some seconds before it asked again.
    """
    http = client._client
    request = http.build_request("POST", f"/flow_runs/{run}/resume", json={"run_input": None})
    try:
        response = httpx.Client.send(http, request)
    except httpx.TimeoutException:
        return None  # whether it was heard is seen by looking again
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    if response.is_error:
        return client.resume_flow_run(run)
    return OrchestrationResult[Any].model_validate(response.json())


def _state(client: SyncPrefectClient, run: UUID) -> State[Any]:
    try:
        state = client.read_flow_run(run).state
    except ObjectNotFound as fault:
        raise NotFound(f"Prefect knows no flow run {run}") from fault
    if state is None:
        raise ServerError("the run has no state", where=f"flow run {run}")
    return state


def _wake_ended(client: SyncPrefectClient, run: UUID, state: State[Any]) -> Wake:
    if state.is_completed():
        return Wake.completed
    client.set_flow_run_state(run, Scheduled(message="woken up"))
    return Wake.resumed


def _mend(client: SyncPrefectClient, run: UUID, state: State[Any]) -> None:
    """Give a suspended run the form that its state names, if a crash left it without."""
    keyset = state.state_details.run_input_keyset or {}
    there = {row.key for row in _rows(client, run)}
    pause = _KEY.fullmatch(keyset.get("schema", ""))
    if pause and keyset["schema"] not in there:
        for name, value in form_rows(f"{pause['key']}-{pause['attempt']}", "This run waits for a ruling."):
            if name not in there:
                client.create_flow_run_input(run, name, value)
