"""`@step`: a Prefect task that keeps what it was given, what it gave back, and how it failed.

Tasks hand on addresses (`Kept`) and batches of nouns (`Nouns`), never frames. Prefect neither caches
nor persists a step: what is kept here is enough, and a step run again is run anew.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast, overload

from control_tower.errors import SettingError, let_go
from control_tower.keeping.archive import Archive
from control_tower.keeping.code import code_version
from control_tower.keeping.in_time import in_time
from control_tower.keeping.records import Record, append
from control_tower.keeping.shown import show
from control_tower.keeping.values import frames_in, keep_values, versions_in
from control_tower.ledger import open_ledger
from control_tower.redaction import redacted
from control_tower.settings import settings
from control_tower.traces import tell, tracing

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Step:
    """One step, without Prefect: what is run again on kept inputs."""

    name: str
    function: Callable[..., Any]
    touches: str
    """What it reads or changes beyond what it is given, in words; empty where its inputs are all there is to it."""


PAUSES = (2.0, 10.0)
"""Seconds before a reading whose connection broke is tried once more, and then for the last time."""
STEPS: dict[str, Step] = {}
"""Every step that was imported, by name."""
_tasks: dict[str, Any] = {}
_replayed: ContextVar[tuple[str, Archive] | None] = ContextVar("replayed", default=None)


def open_archive(url: str) -> Archive:
    """The archive at a URL; one for each URL and process. While a run is replayed, the one in front of it."""
    replayed = _replayed.get()
    return replayed[1] if replayed else _opened(url)


@lru_cache(maxsize=4)
def _opened(url: str) -> Archive:
    return Archive(url)


@contextmanager
def replaying(run: str, front: Archive) -> Iterator[None]:
    """Steps' functions keep to an archive in front, and belong to a run of before."""
    before = _replayed.set((run, front))
    try:
        yield
    finally:
        _replayed.reset(before)


@overload
def step(function: Callable[P, R]) -> Callable[P, R]: ...


@overload
def step(*, touches: str, reads: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def step(
    function: Callable[P, R] | None = None, *, touches: str = "", reads: bool = False
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a Prefect task whose inputs and outputs are kept, chained and shown in the UI.

    Args:
        touches: what it reads or changes beyond what it is given; it is then not run again on kept inputs.
        reads: it changes nothing there, so it is tried again where a connection broke; each try is a record.
    """
    return _step(function, "") if function else lambda given: _step(given, touches, reads)


def _step(function: Callable[P, R], touches: str, reads: bool = False) -> Callable[P, R]:
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.utilities.annotations import quote

    signature = inspect.signature(function)
    name = function.__name__.replace("_", "-")
    STEPS[name] = Step(name, function, touches)

    @functools.wraps(function)
    def keeping(*args: P.args, **kwargs: P.kwargs) -> R:
        in_time(name)
        tower = settings()
        archive, ledger = open_archive(tower.artifacts), open_ledger(tower.ledger)
        tell(step=name)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        content: dict[str, Any] = {
            "step": name,
            "task_run": _task_run(),
            "code": code_version(),
            "versions": versions_in(given.arguments),
            "inputs": keep_values(archive, given.arguments),
            "outputs": {},
            "error": "",
            "started_at": datetime.now(UTC),
        }
        try:
            result = function(*args, **kwargs)
        except BaseException as fault:
            content |= {"error": redacted(f"{type(fault).__name__}: {fault}")[:2000], "ended_at": datetime.now(UTC)}
            tell(error=type(fault).__name__)
            append(archive, ledger, flow_run_id(), content, _flow())
            let_go(fault)
            raise
        content["outputs"] = keep_values(archive, {"result": result})
        content["versions"] |= versions_in({"result": result})
        content["ended_at"] = datetime.now(UTC)
        record = append(archive, ledger, flow_run_id(), content, _flow())
        _tell(given.arguments, result, record)
        show(name, archive, record.inputs, record.outputs, record.versions, result)
        return result

    again: dict[str, Any] = (
        {"retries": len(PAUSES), "retry_delay_seconds": list(PAUSES), "retry_condition_fn": _may_pass} if reads else {}
    )
    taken = task(name=name, persist_result=False, cache_policy=NO_CACHE, **again)(keeping)
    _tasks[name] = taken

    @functools.wraps(function)
    def stepping(*args: P.args, **kwargs: P.kwargs) -> R:
        # Steps hand on values, never futures: Prefect need not look for any inside them, value by value, twice.
        hidden: dict[str, Any] = {name: quote(value) for name, value in kwargs.items()}
        result: R = taken(*cast(Any, map(quote, args)), **hidden)
        return result

    return stepping


def _may_pass(_task: Any, _task_run: Any, state: Any) -> bool:
    """Whether a step failed because a connection broke, which may be over in a moment."""
    return broke_off(state.result(raise_on_failure=False))


def broke_off(fault: object) -> bool:
    """Whether a connection broke, or nobody answered in time, beneath an error."""
    while isinstance(fault, BaseException):
        if isinstance(fault, ConnectionError | TimeoutError) or getattr(fault, "connection_invalidated", False):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def prefect_task(name: str) -> Any:
    """The Prefect task of a step, for a task runner to submit."""
    return _tasks[name]


def flow_run_id() -> str:
    """The id of the flow run that this is part of.

    Raises:
        SettingError: it is part of none.
    """
    from prefect.runtime import flow_run

    if replayed := _replayed.get():
        return replayed[0]
    if not flow_run.id:
        raise SettingError("a step runs inside a flow", remedy="call it from a flow")
    return str(flow_run.id)


def _flow() -> str:
    from prefect.runtime import flow_run

    return str(flow_run.flow_name or "")


def _task_run() -> str:
    from prefect.runtime import task_run

    return str(task_run.id or "")


def _tell(given: dict[str, Any], result: object, record: Record) -> None:
    """Say on the step's span which record holds it, and how many rows went in and came out."""
    if tracing():
        tell(
            shop=getattr(getattr(result, "shop", None), "id", None),
            record_number=record.number,
            record_digest=record.digest,
            rows_in=sum(frame.rows for name, value in given.items() for _, frame in frames_in(name, value)),
            rows_out=sum(frame.rows for _, frame in frames_in("result", result)),
        )
