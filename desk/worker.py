"""A warm worker: carries out scheduled runs inside this process, where everything is imported already.

While it carries out a run it holds a lock on a file of that run's name in `home/prefect/runs`. The
kernel drops the lock when the process dies, however it dies; so a file that nobody locks names a run
that was left behind, and `recover` needs neither clocks nor process numbers to be sure of it.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import SettingsContext, get_settings_context
from prefect.exceptions import Abort, ObjectNotFound, Pause
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.logging import get_logger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY
from prefect.states import AwaitingRetry, Cancelled, Crashed, Pending
from prefect.utilities.engine import propose_state_sync

from control_tower.errors import ServerError
from control_tower.locks import is_taken, shared, take
from control_tower.pause import start_anew
from control_tower.settings import Settings

POOL = "tower"
POLL = 0.2  # seconds; what a wake-up waits for at most
BEAT = 30.0  # seconds between the heartbeats that Prefect's UI shows
GIVE_UP = 120.0  # seconds without an answer from the server
LANES, CASES = 1, 3  # runs at once: a long lane never keeps an approval waiting

Flows = Mapping[UUID, Flow[Any, Any]]
logger = get_logger("tower.worker")


def work(
    flows: Flows, settings: Settings, *, once: bool = False, stop: threading.Event | None = None, lanes: int = LANES
) -> int:
    """Carry out the scheduled runs of these deployments until told to stop.

    A run is claimed as Prefect's own workers claim one, by moving it to Pending, which the server
    allows once; so any number of workers may poll. A run that fails, or worse, ends only itself.
    What a worker that died left behind is put right first.

    Args:
        flows: the flow of each deployment, by deployment id.
        once: return when nothing that is due is left.
        stop: set it to finish what is under way and return.
        lanes: how many looks at once.

    Returns:
        How many runs were carried out.

    Raises:
        ServerError: the server has not answered for two minutes.
    """
    recover(flows, settings)
    return _Worker(flows, settings, lanes).work(once, stop or threading.Event())


@contextmanager
def working(flows: Flows, settings: Settings, *, lanes: int = LANES) -> Iterator[None]:
    """A warm worker beside the block; what is under way at its end is finished first."""
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(flows, settings), kwargs={"stop": stop, "lanes": lanes}, daemon=True)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


class _Worker:
    def __init__(self, flows: Flows, settings: Settings, places: int) -> None:
        self.flows, self.places = flows, places
        self.folder = _runs_folder(settings)
        self.name = f"tower-{os.uname().nodename}-{os.getpid()}"
        self.lanes: dict[UUID, threading.Thread] = {}
        self.cases: dict[UUID, threading.Thread] = {}
        self.started: set[UUID] = set()
        self.ended: queue.SimpleQueue[UUID] = queue.SimpleQueue()
        self.carried = 0
        self.beat_at = -BEAT
        self.silent = _without_heartbeat()

    def work(self, once: bool, stop: threading.Event) -> int:
        heard = time.monotonic()
        with shared(self.folder.parent / "workers.lock"), get_client(sync_client=True) as client:
            while not stop.is_set():
                try:
                    due = self._due(client, once)
                except Exception as fault:
                    # Whatever it is, the worker outlives it for a while.
                    logger.warning("polling failed: %s", type(fault).__name__)
                    if time.monotonic() - heard > GIVE_UP:
                        raise ServerError(f"the server does not answer: {type(fault).__name__}") from fault
                    self._wait(2 * POLL)
                    continue
                heard = time.monotonic()
                self._start(due)
                if once and not due and not self.lanes and not self.cases:
                    break
                # Whatever ends in the meantime ends the wait, so there is no need to look more often.
                self._wait(POLL if self.lanes or self.cases or not once else POLL / 5)
            for thread in (*self.lanes.values(), *self.cases.values()):
                thread.join()
        return self.carried

    def _due(self, client: SyncPrefectClient, once: bool) -> list[FlowRun]:
        """The runs of our deployments that are due and not in hand, oldest first."""
        taken = self.started if once else {*self.lanes, *self.cases}
        beat = time.monotonic() - self.beat_at >= BEAT
        if beat:
            client.send_worker_heartbeat(POOL, self.name, heartbeat_interval_seconds=BEAT)
            self.beat_at = time.monotonic()
        # A mere look comes first: the call that all workers make writes to the database each time.
        looked = () if beat else client.read_flow_runs(flow_run_filter=self._waiting())
        if not beat and all(run.id in taken for run in looked):
            return []
        found = client.get_scheduled_flow_runs_for_work_pool(POOL, scheduled_before=datetime.now(UTC))
        return [run.flow_run for run in found if run.flow_run.id not in taken]

    def _waiting(self) -> FlowRunFilter:
        return FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=list(self.flows)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
        )

    def _start(self, due: Sequence[FlowRun]) -> None:
        """Start what is due, in as many threads as there are places for its kind."""
        for run in due:
            flow = self.flows.get(run.deployment_id) if run.deployment_id else None
            if flow is None:  # another worker's
                continue
            threads, places = (self.lanes, self.places) if _is_lane(flow) else (self.cases, CASES)
            if len(threads) < places:
                self.started.add(run.id)
                threads[run.id] = threading.Thread(target=self._carry, args=(flow, run.id), daemon=True)
                threads[run.id].start()

    def _wait(self, seconds: float) -> None:
        """Wait, or until a run ends and so frees its place."""
        with suppress(queue.Empty):
            ended = self.ended.get(timeout=seconds)
            self.lanes.pop(ended, None)
            self.cases.pop(ended, None)

    def _carry(self, flow: Flow[Any, Any], run: UUID) -> None:
        try:
            with holding(self.folder / str(run)) as held:
                if held and (flow_run := _claim(run)):
                    self.carried += 1
                    _execute(flow, flow_run, self.silent)
        except BaseException:
            # Not even SystemExit in a flow ends the worker. The run's file stays, so that `recover`
            # looks at how the run was left.
            logger.exception("flow run %s broke off", run)
        finally:
            self.ended.put(run)


def _is_lane(flow: Flow[Any, Any]) -> bool:
    return flow.name.startswith("watch-")


def _claim(run: UUID) -> FlowRun | None:
    """The run, if it waits still and the server gives it to us and to nobody else."""
    with get_client(sync_client=True) as client:
        # The server lets a run that has ended begin again. Another worker may have carried it out since we polled,
        # and may do so between this look and our claim.
        seen = client.read_flow_run(run)
        if not (state := seen.state) or not state.is_scheduled():
            return None
        try:
            state = propose_state_sync(client, Pending(), flow_run_id=run)
        except (Abort, Pause):
            return None
        if not state.is_pending():
            return None
        # Read after the claim: the engine writes back the policy that this object carries.
        mine = client.read_flow_run(run)
        return None if mine.total_run_time != seen.total_run_time and _had_ended(client, mine) else mine


def _had_ended(client: SyncPrefectClient, mine: FlowRun) -> bool:
    """Whether the run that was claimed just now had ended before; then it is as it was again."""
    others = (state for state in client.read_flow_run_states(mine.id) if state.id != mine.state_id)
    before = max(others, key=lambda state: state.timestamp)
    if before.is_final():
        again = State[Any](type=before.type, name=before.name, message=before.message)
        client.set_flow_run_state(mine.id, again)
    return before.is_final()


def _execute(flow: Flow[Any, Any], flow_run: FlowRun, silent: SettingsContext) -> None:
    # Prefect's heartbeat would keep the end of each run waiting for up to a second. It is for
    # finding runs whose process died, which `recover` does; a case takes about a second in all.
    with suppress(Pause, Abort), nullcontext() if _is_lane(flow) else silent.model_copy():
        run_flow(flow, flow_run=flow_run, return_type="state")


def _without_heartbeat() -> SettingsContext:
    """Prefect's settings without the heartbeat; working them out takes longer than most steps."""
    known = get_settings_context()
    silent = known.settings.copy_with_update(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    return SettingsContext(profile=known.profile, settings=silent)


@contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold a run's file while its run is carried out here; False when another process holds it.

    The file is removed at the end, and stays when the block breaks off.
    """
    file = _hold(path)
    if file is None:
        yield False
        return
    with file:
        yield True
        path.unlink(missing_ok=True)


def _hold(path: Path) -> IO[str] | None:
    file = path.open("a")
    with suppress(FileNotFoundError):
        # Whoever held it may have removed it between our opening and our locking.
        if take(file) and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
    file.close()
    return None


def is_worked(settings: Settings) -> bool:
    """Whether a warm worker of this tower is alive."""
    return is_taken(_runs_folder(settings).parent / "workers.lock")


def recover(flows: Flows, settings: Settings) -> dict[UUID, str]:
    """Put right the runs that a warm worker of this tower left behind when it died.

    The run of a case starts again; a lane has crashed, which frees its slot, and comes back by its
    schedule. Runs of other workers are not touched: what they left behind is theirs to tell.

    Returns:
        The state that each run was given, by flow run id.
    """
    recovered: dict[UUID, str] = {}
    with get_client(sync_client=True) as client:
        for path in sorted(_runs_folder(settings).iterdir()):
            with holding(path) as held:
                if held and (state := _put_right(client, flows, UUID(path.name))):
                    recovered[UUID(path.name)] = state
    return recovered


def _put_right(client: SyncPrefectClient, flows: Flows, run: UUID) -> str | None:
    try:
        found = client.read_flow_run(run)
    except ObjectNotFound:
        return None
    was = found.state_type
    if was not in (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING):
        return None
    flow = flows.get(found.deployment_id) if found.deployment_id else None
    state: State[Any]
    if was is StateType.CANCELLING:
        state = Cancelled(message="its worker died while it was being cancelled")
    elif flow is None or _is_lane(flow):
        state = Crashed(message="its worker died")
    else:
        state = AwaitingRetry(message="its worker died; it starts again")
        start_anew(client, run)
    given = client.set_flow_run_state(run, state).state
    return given.name if given else None


def _runs_folder(settings: Settings) -> Path:
    folder = settings.folder / "prefect" / "runs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
