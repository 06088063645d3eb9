"""The listener: Slack's own connection to us, which needs no public address, kept up for as long as it runs."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import Any

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from control_tower.slack.form import told_in_form
from control_tower.slack.inbox import Held
from control_tower.slack.interactions import REASON, Click, Submission, understood
from desk.slack_desk.handling import SlackDesk

WRITTEN = 1.0  # seconds until a form must be written down, of the three that Slack waits
ANSWERED = 2.3  # seconds until it must be answered
SILENT = 45.0  # seconds without a connection until a new one is made from scratch
FIRST_WAIT, LAST_WAIT = 1.0, 60.0
HANDS = 32
PING = 5.0

logger = logging.getLogger("control_tower.slack.listener")


class Listener:
    """Hears Slack for one desk.

    Args:
        web: the client that opens connections.
        app_token: the app-level token, as in xapp-...
        write: takes each line that a person should see.
        ping: seconds between two pings; after four without an answer the connection is made anew.
    """

    def __init__(
        self,
        desk: SlackDesk,
        web: WebClient,
        app_token: str,
        write: Callable[[str], None] = logger.warning,
        *,
        ping: float = PING,
    ) -> None:
        self.desk, self._web, self._token, self._write, self._ping = desk, web, app_token, write, ping
        # Writing down has hands of its own, so that slow work never keeps it waiting.
        self._writing = ThreadPoolExecutor(HANDS, "slack-writes")
        self._working = ThreadPoolExecutor(HANDS, "slack-works")
        self.connected = threading.Event()

    def listen(self, stop: threading.Event) -> None:
        """Stay connected until told to stop, whatever Slack does meanwhile; then finish what is in hand."""
        wait = FIRST_WAIT
        while not stop.is_set():
            client = self._client()
            try:
                client.connect()
                self.connected.set()
                wait = FIRST_WAIT
                self._stay(client, stop)
            except Exception as fault:  # noqa: BLE001 - whatever it is, Slack may be there again in a while
                self._write(f"Slack can't be heard, and is asked again in {wait:.0f} s: {self._scrub(fault)}")
                stop.wait(wait)
                wait = min(2 * wait, LAST_WAIT)
            finally:
                self.connected.clear()
                _hang_up(client)
        self._writing.shutdown()
        self._working.shutdown()

    def _client(self) -> SocketModeClient:
        quiet = logging.getLogger("control_tower.slack.sdk")  # it would log tickets and tokens as they come
        client = SocketModeClient(
            app_token=self._token, web_client=self._web, logger=quiet, concurrency=HANDS, ping_interval=self._ping
        )
        client.message_listeners.append(self._hello)
        client.socket_mode_request_listeners.append(self.hear)
        return client

    def _stay(self, client: SocketModeClient, stop: threading.Event) -> None:
        """Until told to stop, or until the client has not got its connection back for a while."""
        heard = time.monotonic()
        while not stop.wait(0.2):
            # The client takes five failed pings to see that the other side has hung up; one is enough.
            if getattr(client.current_session, "consecutive_check_state_error_count", 0):
                raise ConnectionError("the connection broke off")
            if client.is_connected():
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT:
                raise ConnectionError("the connection is lost")

    def _hello(self, _client: BaseSocketModeClient, message: dict[str, Any], _raw: str | None) -> None:
        if message.get("type") == "hello" and message.get("num_connections", 1) > 1:
            self._write(
                f"this app has {message['num_connections']} connections to Slack, and clicks go to any of them; "
                "if no other listener runs, one of them is dead, and a click may get no answer until Slack drops it"
            )

    def hear(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Write down what came, acknowledge it, and deal with it. The acknowledgement of a form is its answer."""
        began = time.monotonic()
        what = understood(request.envelope_id, request.payload) if request.type == "interactive" else None
        if what is None:
            self._ack(client, request)
            return
        try:
            held = self._writing.submit(self.desk.inbox.receive, what).result(timeout=WRITTEN)
        except Exception as fault:  # noqa: BLE001 - whatever it is, a form that is not written down is not counted
            self._write(f"what came from Slack could not be written down: {self._scrub(fault)}")
            self._ack(client, request, _busy() if isinstance(what, Submission) else None)
            return
        if isinstance(what, Click):
            self._ack(client, request)
            self._working.submit(self._clicked, held, what, str(request.payload.get("trigger_id") or "") or None)
            return
        working: Future[dict[str, Any] | None] = self._working.submit(self.desk.submit, held, what)
        self._ack(client, request, self._in_time(working, what, began + ANSWERED))

    def _clicked(self, held: Held, click: Click, trigger_id: str | None) -> None:
        try:
            self.desk.click(held, click, trigger_id)
        except Exception as fault:  # noqa: BLE001 - whatever it is, its row stays, for the next turn
            self._write(f"a click could not be dealt with: {self._scrub(fault)}")

    def _in_time(
        self, working: Future[dict[str, Any] | None], given: Submission, until: float
    ) -> dict[str, Any] | None:
        try:
            return working.result(timeout=max(until - time.monotonic(), 0))
        except TooLate:
            working.add_done_callback(lambda late: None if late.exception() else self.desk.tell(given, late.result()))
            return _received()
        except Exception as fault:  # noqa: BLE001 - whatever it is, its row stays, for the next turn
            self._write(f"a form could not be dealt with yet: {self._scrub(fault)}")
            return _received()

    def _ack(
        self, client: BaseSocketModeClient, request: SocketModeRequest, payload: dict[str, Any] | None = None
    ) -> None:
        try:
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=payload))
        except Exception as fault:  # noqa: BLE001 - whatever it is, what was written down stays
            self._write(f"Slack could not be answered: {self._scrub(fault)}")

    def _scrub(self, fault: BaseException) -> str:
        return self.desk.channel.scrub(f"{type(fault).__name__}: {fault}".replace(self._token, "[token]"))


def _hang_up(client: SocketModeClient) -> None:
    """Close it at once. By itself it waits for threads that read from its socket and its queue, which takes seconds."""
    client.closed, client.auto_reconnect_enabled = True, False
    client.message_queue.put(None)
    client.current_session_state.terminated = True
    with suppress(OSError, AttributeError):  # a client that was never connected has no socket, and can't be closed
        client.current_session.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    with suppress(Exception):
        client.close()


def _busy() -> dict[str, Any]:
    said = "The ledger is busy. Please send it again; it counts once."
    return {"response_action": "errors", "errors": {REASON: said}}


def _received() -> dict[str, Any]:
    told = ["It is written down and being dealt with.", "The message of the case will tell what came of it."]
    return {"response_action": "update", "view": told_in_form("Received", told)}
