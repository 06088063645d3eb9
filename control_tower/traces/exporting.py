"""Exporting spans: in batches, beside the work, and only what is known to be harmless.

Prefect's own spans hold the text of errors and the names of runs. Neither leaves this process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.util.types import AttributeValue

from control_tower.keeping.code import code_version
from control_tower.redaction import redacted

HARMLESS = ("prefect.run.id", "prefect.run.type", "prefect.flow.id", "prefect.deployment.id")
HANDED_ON = ("flow", "lane", "shop", "source", "policy", "case.id", "proposal", "action")
LONGEST = 200  # characters of a fact
PATIENCE = 2.0  # seconds for a batch, over all tries
REST = 30.0  # seconds for which nothing is sent to an endpoint that just failed
QUEUE = 4096  # spans that wait; what is more is dropped

logger = logging.getLogger("control_tower.traces")


@lru_cache(maxsize=8)
def export_to(url: str) -> Callable[[], None]:
    """Export every span of this process from now on to an OTLP/HTTP endpoint; returns what ends it."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it would tell of every try; ours tells once
    sending = BatchSpanProcessor(
        Discreet(OTLPSpanExporter(endpoint=url, timeout=PATIENCE)), max_queue_size=QUEUE, schedule_delay_millis=1000
    )
    provider = _provider()
    provider.add_span_processor(HandingOn())
    provider.add_span_processor(sending)
    return sending.shutdown


def _provider() -> TracerProvider:
    """The provider of this process: what somebody set up before us, or ours."""
    there = trace.get_tracer_provider()
    if isinstance(there, TracerProvider):
        return there
    ours = TracerProvider(
        resource=Resource.create({"service.name": "control-tower", "service.version": code_version()})
    )
    trace.set_tracer_provider(ours)
    return ours


class HandingOn(SpanProcessor):
    """What is told of a run holds for every span inside it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Copy what the span around this one tells of the run as a whole."""
        around = trace.get_current_span()
        if isinstance(around, ReadableSpan) and around.is_recording():
            told = around.attributes or {}
            span.set_attributes({name: told[name] for one in HANDED_ON if (name := f"tower.{one}") in told})


class Discreet(SpanExporter):
    """Sends harmless copies of spans, and lets an endpoint that failed rest, so that nobody waits for it twice."""

    def __init__(self, inner: SpanExporter) -> None:
        self.inner, self.rests_until = inner, 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, or drop it while the endpoint rests."""
        if time.monotonic() < self.rests_until:
            return SpanExportResult.FAILURE
        sent = self.inner.export([harmless(span) for span in spans])
        if sent is not SpanExportResult.SUCCESS:
            self.rests_until = time.monotonic() + REST
            logger.warning("traces were not taken by their endpoint; nothing is sent for %d seconds", REST)
        return sent

    def shutdown(self) -> None:
        """End what is under way."""
        self.inner.shutdown()


def harmless(span: ReadableSpan) -> ReadableSpan:
    """A copy with our own facts, Prefect's ids, and nothing that somebody wrote."""
    told = span.attributes or {}
    return ReadableSpan(
        name=_name(span),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: _short(told[name]) for name in told if name.startswith("tower.") or name in HARMLESS},
        events=[Event(event.name, timestamp=event.timestamp) for event in span.events],
        links=[trace.Link(link.context) for link in span.links],
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _name(span: ReadableSpan) -> str:
    """What a step or a flow is called, in place of the name of one run of it."""
    told, scope = span.attributes or {}, span.instrumentation_scope
    if scope and scope.name == "control_tower":
        return span.name
    kind = told.get("prefect.run.type", "run")
    return str(told.get("tower.step" if kind == "task" else "tower.flow", kind))


def _short(fact: AttributeValue) -> AttributeValue:
    return redacted(fact)[:LONGEST] if isinstance(fact, str) else fact
