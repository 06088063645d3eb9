"""`tower webhooks`: the receiver, on loopback, until it is told to stop; also beside `tower up`."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from control_tower.errors import SettingError
from control_tower.secret import reveal
from control_tower.settings import Settings, settings
from desk.up import say

if TYPE_CHECKING:
    from control_tower.webhooks.receiving import Receiver

PORT = 8484
PATIENCE = 15.0
"""Seconds that one connection may last: whoever sends a letter a second sends no webhook."""
AT_ONCE = 200


def serve_webhooks() -> None:
    """Receive until Ctrl-C or SIGTERM; what is in hand is answered first."""
    stop = threading.Event()
    before = {sign: signal.signal(sign, lambda *_: stop.set()) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        serve_webhooks_beside(stop)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    say("stopped")


def serve_webhooks_beside(stop: threading.Event) -> None:
    """Receive beside `tower up`, until it stops."""
    with receiving(settings()) as address:
        for sender in sorted(settings().webhook_secrets):
            say(f"webhooks       {address}/{sender}{'/TOKEN' if sender == 'shippo' else ''}")
        stop.wait()


def receiver_of(tower: Settings) -> Receiver:
    """The receiver of a tower.

    Raises:
        SettingError: no sender has a secret, or one is empty.
    """
    from control_tower.webhooks.receiving import Receiver

    secrets: dict[str, list[str]] = {
        sender: [reveal(each) for each in known] for sender, known in tower.webhook_secrets.items()
    }
    if not any(secrets.values()):
        remedy = 'as in TOWER_WEBHOOK_SECRETS=\'{"shopify": ["..."]}\'; see docs/sources.md'
        raise SettingError("no sender of webhooks has a secret", where="TOWER_WEBHOOK_SECRETS", remedy=remedy)
    try:
        return Receiver(tower.webhooks, secrets)
    except ValueError as fault:
        raise SettingError(
            str(fault), where="TOWER_WEBHOOK_SECRETS", remedy="set it, or leave its sender out"
        ) from None


@contextmanager
def receiving(tower: Settings) -> Iterator[str]:
    """Receive for as long as the block lasts; gives the address.

    Raises:
        SettingError: the port is taken, or there is nothing to prove a sender by.
    """
    import uvicorn

    from control_tower.webhooks.receiving import application

    app = application(receiver_of(tower))
    listening = _listen(tower)
    configured = uvicorn.Config(
        app, http=_impatient(), log_config=None, access_log=False, server_header=False, lifespan="off", ws="none",
        proxy_headers=False, limit_concurrency=AT_ONCE, timeout_graceful_shutdown=int(PATIENCE),
    )  # fmt: skip
    server = uvicorn.Server(configured)
    thread = threading.Thread(target=_serve, args=(server, [listening]), name="webhooks", daemon=True)
    thread.start()
    host, port = listening.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _serve(server: Any, sockets: Sequence[socket.socket]) -> None:
    asyncio.run(server.serve(sockets=list(sockets)))


def _listen(tower: Settings) -> socket.socket:
    port = PORT if tower.webhooks_port is None else tower.webhooks_port
    try:
        return socket.create_server((tower.webhooks_host, port))
    except OSError as fault:
        remedy = "set TOWER_WEBHOOKS_PORT to a free port"
        raise SettingError(f"nobody can listen on port {port}: {fault.strerror}", remedy=remedy) from fault


def _impatient() -> type[asyncio.Protocol]:
    """HTTP whose connections end in time, whatever their clients do: with a slow request, or with none."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.end = self.loop.call_later(PATIENCE, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self.end.cancel()
            super().connection_lost(exc)

    return Impatient
