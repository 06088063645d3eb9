"""An OpenAI-compatible server on loopback that behaves as its model's name says: well, slowly, wrongly or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Obeying = Callable[[dict[str, Any]], str]


@dataclass
class Provider:
    """A running server: its URL, what it was asked, and the word that a well-behaved model answers with."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorised: list[str] = field(default_factory=list)
    answer: Obeying = field(default=lambda body: '{"colour": "red"}')
    ended: threading.Event = field(default_factory=threading.Event)


def chat(content: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": finish,
                     "message": {"role": "assistant", "content": content} | message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }  # fmt: skip


GOOD = '{"colour": "red"}'
TOOL = [{"id": "c", "type": "function", "function": {"name": "refund", "arguments": '{"amount": 99999}'}}]
SAYS: dict[str, dict[str, Any]] = {
    "prose": chat(f"Of course! Here you are: {GOOD} Anything else?"),
    "truncate": chat(GOOD, "length"),
    "refuse": chat(None, refusal="I can't help with that."),
    "filter": chat(GOOD, "content_filter"),
    "tools": chat(None, "tool_calls", tool_calls=TOOL),
    "tools-and-text": chat(GOOD, "stop", tool_calls=TOOL),
    "null": chat(None),
    "blank": chat("  "),
    "no-choices": chat(GOOD) | {"choices": []},
    "other-form": chat('{"colour": "mauve", "approve": true}'),
    "half": chat('{"colour": "re'),
    "lying": chat(GOOD) | {"usage": {"prompt_tokens": 0, "completion_tokens": 10**9, "total_tokens": 0}},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.provider.asked.append(body)
        self.provider.authorised.append(self.headers.get("Authorization", ""))
        how = body["model"]
        try:
            self._behave(how, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _behave(self, how: str, body: dict[str, Any]) -> None:
        badly = getattr(self, f"_{how.replace('-', '_')}", None)
        if how in SAYS:
            self._send(json.dumps(SAYS[how]).encode())
        elif badly:
            badly()
        else:
            self._send(json.dumps(chat(self.provider.answer(body))).encode())

    def _stall(self) -> None:
        self.provider.ended.wait(30)

    def _drip(self, piece: bytes = b" ", pause: float = 0.05) -> None:
        self._head(200, 10**9)
        while not self.provider.ended.wait(pause):
            self.wfile.write(piece)

    def _flood(self) -> None:
        self._drip(b" " * 1_000_000, 0.01)

    def _drip_head(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.provider.ended.wait(0.05):
                return

    def _cut(self) -> None:
        self._head(200, 10_000)
        self.wfile.write(b'{"choices": [')
        self.close_connection = True

    def _html(self) -> None:
        self._send(b"<html>Bad Gateway</html>", kind="text/html")

    def _wait(self) -> None:
        self._send(b'{"error": {"message": "slow down"}}', 429, extra={"Retry-After": "60"})

    def _unauthorised(self) -> None:
        key = self.headers.get("Authorization", "")
        self._send(json.dumps({"error": {"message": f"wrong key {key}"}}).encode(), 401)

    def _broken(self) -> None:
        self._send(b'{"error": {"message": "oops"}}', 500)

    def _head(self, status: int, length: int, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(
        self, content: bytes, status: int = 200, kind: str = "application/json", extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Provider]:
    provider = Provider("")
    handler = type("Bound", (Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        provider.ended.set()
        time.sleep(0.1)  # for what still drips
        server.shutdown()
        server.server_close()
