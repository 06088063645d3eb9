"""Traces: what each run did and when, as spans that name the case and hold no word of evidence.

Prefect makes a span for each flow run and task run once a provider is set up. They get their facts here; where none is
set up, telling costs nothing.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from control_tower.settings import settings

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("control_tower.traces")

LABEL = "__OTEL_TRACEPARENT"
"""The label under which Prefect keeps, with a flow run, the span that its own spans hang under."""


def start_traces() -> None:
    """Export this process's spans, if `TOWER_TRACES_URL` says where to; a second call does nothing."""
    if url := settings().traces_url:
        try:
            from control_tower.traces.exporting import export_to
        except ImportError:
            logger.warning("no traces: TOWER_TRACES_URL needs `pip install 'control-tower[traces]'`")
            return
        export_to(url)


def tracing() -> bool:
    """Whether anybody would see what is told now."""
    from opentelemetry.trace import get_current_span

    return get_current_span().is_recording()


def tell(**facts: str | int | None) -> None:
    """Put facts on the span that is open now: `case_id` becomes `tower.case.id`. None, and nothing, are left out."""
    from opentelemetry.trace import get_current_span

    span = get_current_span()
    if span.is_recording():
        told = {f"tower.{name.replace('_', '.')}": fact for name, fact in facts.items() if fact not in (None, "")}
        span.set_attributes({name: fact for name, fact in told.items() if fact is not None})


@contextmanager
def span(name: str, **facts: str | int | None) -> Iterator[None]:
    """A span of our own inside a run, for as long as the block lasts; of a fault it tells the kind alone."""
    from opentelemetry.trace import Status, StatusCode, get_tracer

    tracer = get_tracer("control_tower")
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as mine:
        tell(**facts)
        try:
            yield
        except Exception as fault:
            tell(error=type(fault).__name__)
            mine.set_status(Status(StatusCode.ERROR))
            raise


def traced(function: Callable[P, R]) -> Callable[P, R]:
    """Give what is no step a span of its own."""
    name = function.__name__.replace("_", "-")

    @functools.wraps(function)
    def telling(*args: P.args, **kwargs: P.kwargs) -> R:
        with span(name):
            return function(*args, **kwargs)

    return telling


def place() -> dict[str, str]:
    """The label that makes a flow run, hours later and in another process, go on with this trace; empty without one."""
    from opentelemetry.propagate import inject

    carried: dict[str, str] = {}
    inject(carried)
    return {LABEL: carried["traceparent"]} if "traceparent" in carried else {}


def end_span() -> None:
    """End the span of a run that goes to wait: Prefect forgets it, and what is not ended is never exported."""
    from opentelemetry.trace import get_current_span

    get_current_span().end()
