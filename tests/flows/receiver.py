"""A receiver of traces on loopback: real OTLP over real HTTP, in whatever mood it is told to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Mood = Literal["well", "refusing", "silent"]


@dataclass(frozen=True)
class Seen:
    """One span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    facts: dict[str, Any]


@dataclass
class Receiver:
    """What arrived, as bytes and as spans."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [_facts(each.resource.attributes) for one in self.requests for each in one.resource_spans]

    @property
    def spans(self) -> list[Seen]:
        return [
            Seen(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                 span.status.code == 2, _facts(span.attributes))
            for one in self.requests for each in one.resource_spans for scope in each.scope_spans
            for span in scope.spans
        ]  # fmt: skip

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def receiving(mood: Mood = "well") -> Iterator[Receiver]:
    """A receiver that takes what comes, answers 500, or takes the request and never answers."""
    over = threading.Event()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            if mood == "silent":
                over.wait(60)
            self.send_response(500 if mood == "refusing" else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/v1/traces")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        over.set()
        server.shutdown()
        server.server_close()
