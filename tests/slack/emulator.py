"""A loopback Slack over real HTTP: what Slack documents of six methods, and the ways in which it fails."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "xoxb-1234567890-loopback-SECRET"
CHANNEL = {"id": "C0TOWER0001", "name": "control-tower"}
SHOP_S = {"id": "C0BERLIN001", "name": "berlin"}
BOT = {"user_id": "U0TOWER", "bot_id": "B0TOWER", "team_id": "T0SHOP"}


@dataclass
class Fault:
    """What the next call meets: it is accepted or not, then answered late, wrongly or not at all."""

    accept: bool = False
    status: int = 0  # answer with this HTTP status
    error: str = ""  # answer ok: false
    retry_after: str = ""
    body: bytes | None = None
    drop: bool = False  # close the connection without an answer
    until: threading.Event | None = None  # answer when this is set
    seconds: float = 0


@dataclass
class Emulator:
    """The workspace: one channel, its messages, and every call that was made."""

    now: datetime
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    met: threading.Event = field(default_factory=threading.Event)  # somebody waits for an answer
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0
    granted: str = "chat:write,channels:read,channels:history,users:read"

    def up(self) -> Emulator:
        handler = type("Handler", (_Handler,), {"slack": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def down(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def meet(self, method: str, *faults: Fault) -> None:
        self.faults.setdefault(method, deque()).extend(faults)

    def allowed(self, method: str) -> str:
        return TOKEN

    def called(self, method: str) -> int:
        return [name for name, _ in self.calls].count(method)

    def answer(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            reply = getattr(self, method.replace(".", "_"))(given)
            return {"ok": "error" not in reply, **reply}

    def auth_test(self, given: dict[str, Any]) -> dict[str, Any]:
        return dict(BOT)

    def conversations_list(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"channels": [{"id": "C0OTHER0001", "name": "general"}, CHANNEL, SHOP_S]}

    def chat_postMessage(self, given: dict[str, Any]) -> dict[str, Any]:
        channel = next((one for one in (CHANNEL, SHOP_S) if given["channel"] in (one["id"], f"#{one['name']}")), None)
        if channel is None:
            return {"error": "channel_not_found"}
        ts = f"{self.now.timestamp() + len(self.messages) / 1000:.6f}"
        said = {name: given.get(name) for name in ("text", "blocks", "metadata", "thread_ts")}
        self.messages.append({"type": "message", "ts": ts, "user": "U0TOWER", "bot_id": "B0TOWER", **said})
        self.messages[-1]["channel"] = channel["id"]
        return self._too_long(given) or {"channel": channel["id"], "ts": ts}

    def chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["channel"] not in (CHANNEL["id"], SHOP_S["id"]):
            return {"error": "channel_not_found"}
        if len(given["text"]) > 4000:
            return {"error": "msg_too_long"}
        for message in self.messages:
            if message["ts"] == given["ts"] and message["channel"] == given["channel"]:
                message.update({name: given[name] for name in ("text", "blocks", "metadata") if name in given})
                return self._too_long(given) or {"channel": given["channel"], "ts": given["ts"]}
        return {"error": "message_not_found"}

    def _too_long(self, given: dict[str, Any]) -> dict[str, Any]:
        texts = [block["text"]["text"] for block in given["blocks"] if "text" in block]
        if len(given["blocks"]) > 50 or max(map(len, texts)) > 3000 or sum(map(len, texts)) > 12_000:
            return {"error": "invalid_blocks"}
        return {}

    def conversations_history(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._page([one for one in self.messages if not one["thread_ts"]], given)

    def conversations_replies(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._page([one for one in self.messages if given["ts"] in (one["ts"], one["thread_ts"])], given)

    def _page(self, messages: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
        if given["channel"] not in (CHANNEL["id"], SHOP_S["id"]):
            return {"error": "channel_not_found"}
        messages = [one for one in messages if one["channel"] == given["channel"]]
        start, limit = int(given.get("cursor") or 0), min(int(given["limit"]), 15)
        since = [one for one in reversed(messages) if float(one["ts"]) > float(given.get("oldest", 0))]
        with_metadata = given.get("include_all_metadata") == "1"
        page = [{k: v for k, v in one.items() if with_metadata or k != "metadata"} for one in since]
        cursor = str(start + limit) if len(since) > start + limit else ""
        return {"messages": page[start : start + limit], "response_metadata": {"next_cursor": cursor}}


class _Handler(BaseHTTPRequestHandler):
    slack: Emulator

    def do_POST(self) -> None:
        method = self.path.rpartition("/")[2]
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        given = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
        with self.slack.lock:
            self.slack.calls.append((method, given))
            waiting = self.slack.faults.get(method)
            fault = waiting.popleft() if waiting else Fault(accept=True)
        if self.headers["Authorization"] != f"Bearer {self.slack.allowed(method)}":
            return self.reply(200, {"ok": False, "error": "invalid_auth"})
        answer = self.slack.answer(method, given) if fault.accept else {"ok": False, "error": fault.error}
        if fault.seconds or fault.until:
            self.slack.met.set()
        sleep(fault.seconds)
        if fault.until:
            fault.until.wait(60)
        if fault.drop:
            return self.connection.close()
        return self.reply(fault.status or 200, answer, fault)

    def reply(self, status: int, answer: dict[str, Any], fault: Fault | None = None) -> None:
        body = json.dumps(answer).encode() if fault is None or fault.body is None else fault.body
        self.send_response(status)
        if fault and fault.retry_after:
            self.send_header("Retry-After", fault.retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-oauth-scopes", self.slack.granted)
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):  # who asked may have given up
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was called is in `calls`."""
