"""A loopback Slack with Socket Mode: people who click and send forms, and the ways in which that goes wrong.

It is a reading of Slack's documentation: an envelope waits three seconds for its acknowledgement and
is not sent again; a trigger opens one form within three seconds; an acknowledgement of a form is its
answer.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

APP_TOKEN = "xapp-1-A0TOWER-loopback-SECRET"
TEAM = "T0SHOP"
PATIENCE = 3.0  # seconds that Slack waits for an acknowledgement, and that a trigger lives


def _emulator() -> ModuleType:
    name = "tests_slack_emulator"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("emulator.py"))
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


Emulator: Any = _emulator().Emulator


def member(user: str, **told: Any) -> dict[str, Any]:
    """A full member of the workspace, but for what is told."""
    flags = dict.fromkeys(("deleted", "is_bot", "is_app_user", "is_restricted", "is_ultra_restricted"), False)
    return {"id": user, "team_id": TEAM, "name": user.lower(), **flags, **told}


@dataclass
class Workspace(Emulator):  # type: ignore[misc]
    """The emulated workspace, its people, and the connections that the app has made."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: list[ServerConnection] = field(default_factory=list)
    acks: dict[str, list[tuple[float, Any]]] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    ephemeral: list[dict[str, Any]] = field(default_factory=list)
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)  # view id → view, with its user
    triggers: dict[str, tuple[str, float]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    deaf: bool = False  # connections are refused
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def up(self) -> Workspace:
        super().up()
        self.sockets: Server = serve(self._connected, "127.0.0.1", 0)
        self.sockets_port = self.sockets.socket.getsockname()[1]
        self.serving = threading.Thread(target=self.sockets.serve_forever, daemon=True)
        self.serving.start()
        return self

    def down(self) -> None:
        self.disconnect()
        self.sockets.shutdown()
        self.serving.join()
        super().down()

    # what the app connects to and calls

    def _connected(self, connection: ServerConnection) -> None:
        with self.changed:
            self.connections.append(connection)
            hello = {"type": "hello", "num_connections": len(self.connections), "connection_info": {"app_id": "A0"}}
            connection.send(json.dumps(hello))
            self.changed.notify_all()
        try:
            for message in connection:
                said = json.loads(message)
                with self.changed:
                    self.acks.setdefault(said["envelope_id"], []).append((time.monotonic(), said.get("payload")))
                    self.changed.notify_all()
        except ConnectionClosed:
            pass
        finally:
            with self.changed:
                self.connections = [one for one in self.connections if one is not connection]
                self.changed.notify_all()

    def allowed(self, method: str) -> str:
        return APP_TOKEN if method == "apps.connections.open" else str(_emulator().TOKEN)

    def apps_connections_open(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.deaf:
            return {"error": "internal_error"}
        return {"url": f"ws://127.0.0.1:{self.sockets_port}/link/?ticket=loopback"}

    def users_info(self, given: dict[str, Any]) -> dict[str, Any]:
        user = self.users.get(given["user"])
        return {"user": user} if user else {"error": "user_not_found"}

    def chat_postEphemeral(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["user"] not in self.users:
            return {"error": "user_not_in_channel"}
        with self.changed:
            self.ephemeral.append(given)
            self.changed.notify_all()
        return {"message_ts": "1.1"}

    def views_open(self, given: dict[str, Any]) -> dict[str, Any]:
        user, at = self.triggers.pop(given["trigger_id"], ("", 0.0))
        if not user:
            return {"error": "invalid_trigger_id"}
        if time.monotonic() - at > PATIENCE:
            return {"error": "expired_trigger_id"}
        view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
        view = {**view, "id": f"V{next(self.numbers):06}", "team_id": TEAM, "hash": "1.abc"}
        with self.changed:
            self.forms[view["id"]] = {"user": user, "view": view}
            self.changed.notify_all()
        return {"view": view}

    # what people do

    def until(self, so: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until something is so, and return it."""
        with self.changed:
            self.changed.wait_for(so, timeout=seconds)
            return so()

    def person(self, user: str, **payload: Any) -> dict[str, Any]:
        who = {"id": user, "username": user.lower(), "team_id": self.users.get(user, {}).get("team_id", TEAM)}
        return {
            "team": {"id": TEAM, "domain": "shop"},
            "enterprise": None,
            "is_enterprise_install": False,
            "api_app_id": "A0TOWER",
            "token": "legacy-verification-token",
            "user": who,
            **payload,
        }

    def click(self, by: str, digest: str, verdict: str = "approve", **changed: Any) -> str:
        """Press a button as Slack would deliver it, but for what a test changes; returns the envelope's id."""
        message = next((one for one in self.messages if digest in json.dumps(one["blocks"])), {"ts": "1.000001"})
        trigger = f"{next(self.numbers)}.trigger"
        self.triggers[trigger] = (by, time.monotonic())
        action = {
            "type": "button",
            "action_id": f"tower:{verdict}",
            "block_id": "b1",
            "value": digest,
            "text": {"type": "plain_text", "text": "Approve"},
            "action_ts": f"{next(self.numbers)}.000001",
        }
        payload = self.person(
            by,
            type="block_actions",
            trigger_id=trigger,
            response_url="http://127.0.0.1:9/secret-answer",
            container={"type": "message", "message_ts": message["ts"], "channel_id": "C0TOWER0001"},
            channel={"id": "C0TOWER0001", "name": "control-tower"},
            message=message,
            actions=[{**action, **changed.pop("action", {})}],
        )
        return self.send(payload | changed)

    def form_of(self, user: str, seconds: float = 10) -> dict[str, Any]:
        """The form that a person sees, once it is there."""
        form = self.until(lambda: next((f for f in self.forms.values() if f["user"] == user), None), seconds)
        assert form, f"no form was shown to {user}; told: {[one['text'] for one in self.ephemeral]}"
        return dict(form["view"])

    def fill(self, user: str, view: dict[str, Any], **typed: str) -> dict[str, Any]:
        """What Slack says when a form is sent; fields keep what they were filled with before."""
        values: dict[str, Any] = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                name, element = block["block_id"], block["element"]
                value = typed.get(name, element.get("initial_value"))
                chosen = {"selected_option": {"value": value} if value else None}
                values[name] = {name: chosen if element["type"] == "static_select" else {"value": value}}
        sent = {**view, "state": {"values": values}}
        return self.person(user, type="view_submission", view=sent, response_urls=[])

    def submit(self, user: str, view: dict[str, Any], **typed: str) -> Any:
        """Send a form and wait, as Slack does; returns the answer, and "no answer" when there is none."""
        return self.answer_to(self.send(self.fill(user, view, **typed)))

    def answer_to(self, envelope: str) -> Any:
        acks = self.until(lambda: self.acks.get(envelope), PATIENCE)
        return acks[0][1] if acks else "no answer"

    # how it goes wrong

    def send(self, payload: Any, *, envelope: str = "", type: str = "interactive", to: int = 0) -> str:
        """Deliver an envelope over one of the connections; a test that wants a double sends it twice."""
        envelope = envelope or f"env-{next(self.numbers)}-{time.monotonic_ns()}"
        said = {"envelope_id": envelope, "type": type, "payload": payload, "accepts_response_payload": True}
        connection = self.until(lambda: self.connections[to : to + 1])
        assert connection, "the app is not connected"
        self.sent.setdefault(envelope, time.monotonic())
        connection[0].send(json.dumps(said))
        return envelope

    def waited(self, envelope: str) -> float:
        """Seconds until the acknowledgement of an envelope."""
        return self.acks[envelope][0][0] - self.sent[envelope]

    def ask_to_reconnect(self) -> None:
        for connection in list(self.connections):
            connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def disconnect(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
