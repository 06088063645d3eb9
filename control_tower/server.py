"""The Prefect server of one tower: started when needed, shared by every command, gone with the last.

Two locks in `home/prefect` say all there is to know, and the kernel drops them when a process dies:
`server.lock` is held by the one process that serves this database, for as long as it lives;
`users.lock` is held, shared, by every command that uses it. A server that nobody uses ends itself,
so nothing is left behind by a command that was killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from control_tower.errors import ServerError
from control_tower.locks import alone, is_taken, shared, take
from control_tower.settings import Settings

LOOPBACK = "127.0.0.1"
ANOTHER_SERVES = 75  # exit status: the database already has its server
FASTAPI = "a FastAPI that is too new stops Prefect's server: install 'fastapi>=0.139,<0.151'"


@dataclass(frozen=True)
class Server:
    """A Prefect server that answers: where its API and its UI are, and its process if it is this tower's."""

    api: str
    ui: str
    pid: int | None = None


def prefect_environment(settings: Settings) -> dict[str, str]:
    """The variables with which Prefect keeps to this tower's folder and away from the user's profile."""
    folder = _folder(settings)
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
        "PREFECT_PROFILE": "ephemeral",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # What flows say goes to the server; a terminal shows what went wrong.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": os.environ.get("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING"),
        **_without_proxy(os.environ),
    }


def server_environment(folder: Path, port: int) -> dict[str, str]:
    """The variables of the server alone; what the user set in the environment stays as it is."""
    defaults = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        # Leases in memory would be lost with the server, and a lane's only slot with them.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # Prefect lets every web page in the user's browser call the API; only its own UI has business there.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{LOOPBACK}:{port},http://localhost:{port}",
        # Without it the UI asks port 4200, whichever port it was served from: perhaps another tower's.
        "PREFECT_SERVER_UI_API_URL": f"http://{LOOPBACK}:{port}/api",
        # Without the second UI; `serve` says why.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_COLORS": "false",
    }
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """What must be set so that loopback is reached directly, whatever proxy the user has."""
    known = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    hosts = [host for host in known.split(",") if host]
    value = ",".join([*hosts, *(host for host in (LOOPBACK, "localhost") if host not in hosts)])
    return {"NO_PROXY": value, "no_proxy": value}


def use(settings: Settings) -> None:
    """Point Prefect in this process, and in those it starts, at this tower's folder."""
    _set(prefect_environment(settings))


def _set(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


@contextmanager
def running_server(settings: Settings, port: int = 4200, deadline: float = 120.0) -> Iterator[Server]:
    """A server to talk to, for as long as the block lasts.

    `PREFECT_API_URL` in the environment wins: that server is used and nothing is started. Otherwise
    the tower's own server is joined, or started first. The last command to leave stops it.

    Args:
        port: preferred port on loopback; another free one is taken when it is in use, and for 0.
        deadline: seconds to wait until it answers.

    Raises:
        ServerError: it does not start or answer; carries the end of its log.
    """
    folder = _folder(settings)
    wanted = prefect_environment(settings)
    before = {name: os.environ.get(name) for name in (*wanted, "PREFECT_API_URL", "TOWER_PAGE_URL")}
    _set(wanted)
    try:
        if given := before["PREFECT_API_URL"]:
            yield _reach(given)
            return
        with shared(folder / "users.lock") as users:
            try:
                server = _join_or_start(folder, port, time.monotonic() + deadline)
                _set({"PREFECT_API_URL": server.api, "TOWER_PAGE_URL": before["TOWER_PAGE_URL"] or server.ui})
                yield server
            finally:
                if is_taken(folder / "server.lock"):
                    _send_what_is_left()
                _leave(folder, users)
    finally:
        _set(before)


@contextmanager
def server_there(settings: Settings, patience: float = 4.0) -> Iterator[Server | None]:
    """The server that a command would use, if it answers now; none is started, and none is kept up.

    Args:
        patience: seconds for each call, made once.

    Raises:
        ServerError: the one that `PREFECT_API_URL` names does not answer.
    """
    once = {"PREFECT_CLIENT_MAX_RETRIES": "0", "PREFECT_API_REQUEST_TIMEOUT": str(patience)}
    wanted = prefect_environment(settings) | once
    before = {name: os.environ.get(name) for name in (*wanted, "PREFECT_API_URL")}
    try:
        _set(wanted)
        given = before["PREFECT_API_URL"]
        server = _reach(given) if given else _ours(_folder(settings))
        if server:
            _set({"PREFECT_API_URL": server.api})
        yield server
    finally:
        _set(before)


def _reach(api_url: str) -> Server:
    """The server that the user named, when it answers."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        fault = client.api_healthcheck()
    if fault is not None:
        raise ServerError(
            f"it does not answer: {type(fault).__name__}",
            where=f"PREFECT_API_URL {api_url}",
            remedy="start that server, or unset PREFECT_API_URL to use the tower's own",
        )
    return Server(api_url, os.environ.get("PREFECT_UI_URL") or api_url.removesuffix("/").removesuffix("/api"))


def _join_or_start(folder: Path, port: int, until: float) -> Server:
    """The server of this folder; whoever is first starts it, the others wait for the same one."""
    child: subprocess.Popen[bytes] | None = None
    while time.monotonic() < until:
        if server := _ours(folder):
            return server
        if child is not None and child.poll() not in (None, 0, ANOTHER_SERVES):
            if port == 0 or "already in use" not in _log(folder):
                raise _did_not_start(folder, f"it ended with status {child.returncode}")
            port = 0  # somebody took it between our look and the server's start
        if not is_taken(folder / "server.lock") and (child is None or child.poll() is not None):
            child = _start(folder, port)
        time.sleep(0.1)
    if child is not None and child.poll() is None:
        _end(child.pid)
    raise _did_not_start(folder, "it did not answer in time")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server as a child in its own session, with its log in the folder."""
    port = _free(port)
    environment = os.environ | server_environment(folder, port)
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "control_tower.server", str(folder), str(port)]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _free(port: int) -> int:
    """This port when nobody listens on it, else one that is free."""
    for choice in (port, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, choice))
            return int(probe.getsockname()[1])
    raise ServerError("no port is free on the loopback address", remedy="close some programs")


def _ours(folder: Path) -> Server | None:
    """The server of this folder, if one holds its lock, answers, and says that its home is here."""
    if not is_taken(folder / "server.lock"):
        return None
    with suppress(OSError, ValueError, KeyError):
        record = json.loads((folder / "server.json").read_text())
        url = str(record["url"])
        if _get(f"{url}/api/health") is True and _get(f"{url}/api/admin/settings")["home"] == str(folder):
            return Server(f"{url}/api", url, int(record["pid"]))
    return None


def _get(url: str) -> Any:
    import httpx

    name, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    with httpx.Client(trust_env=False, timeout=5.0, auth=(name, password) if name else None) as client:
        try:
            return client.get(url).raise_for_status().json()
        except httpx.HTTPError as fault:
            raise OSError(str(fault)) from fault


def _send_what_is_left() -> None:
    """Deliver this process's last logs and events, while there is still a server to take them."""
    if "prefect.logging.handlers" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def drain() -> None:
        for waiting in (APILogWorker.drain_all(), EventsWorker.drain_all()):
            if not isinstance(waiting, tuple):
                await waiting

    with suppress(RuntimeError, TimeoutError, OSError):
        run_coro_as_sync(drain())


def _leave(folder: Path, users: IO[str]) -> None:
    """Stop using the server, and end it when nobody else does."""
    if not alone(users) or not is_taken(folder / "server.lock"):
        return
    with suppress(OSError, ValueError, KeyError):
        _end(int(json.loads((folder / "server.json").read_text())["pid"]))


def _end(pid: int, patience: float = 10.0) -> None:
    """End a process that was started in its own session, and all its children; reap it if it is ours."""
    for sign, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, sign)
        until = time.monotonic() + wait
        while time.monotonic() < until:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def _did_not_start(folder: Path, what: str) -> ServerError:
    text = _log(folder)
    secret = urlsplit(os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL", "")).password
    tail = "\n".join((text.replace(secret, "***") if secret else text).splitlines()[-12:])
    remedy = FASTAPI if "Body() got an unexpected" in tail else f"the whole log is {folder}/server.log"
    return ServerError(f"Prefect's server did not start: {what}\n{tail}\n", where=str(folder), remedy=remedy)


def _log(folder: Path) -> str:
    log = folder / "server.log"
    return log.read_text(errors="replace") if log.exists() else ""


def _folder(settings: Settings) -> Path:
    """Prefect's folder; nobody else may read it, for answers to its forms pass through."""
    folder = settings.folder / "prefect"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def serve(folder: Path, port: int) -> None:
    """Be the server of this folder until nobody uses it. Does not return while it serves."""
    lock = (folder / "server.lock").open("a")
    if not take(lock):
        sys.exit(ANOTHER_SERVES)
    (folder / "server.log").write_text("")
    (folder / "server.json").write_text(json.dumps({"pid": os.getpid(), "url": f"http://{LOOPBACK}:{port}"}))
    threading.Thread(target=_end_when_unused, args=(folder / "users.lock",), daemon=True).start()
    import runpy

    import prefect

    # The second UI calls home from the reader's browser, whatever DO_NOT_TRACK says, and has no form for a ruling.
    # Its setting only says which one comes first; Prefect leaves out one that it can't find.
    prefect.__ui_v2_static_path__ = folder / "no-second-ui"
    sys.argv = ["prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
    runpy.run_module("prefect", run_name="__main__")


def _end_when_unused(path: Path) -> None:
    with path.open("a") as users:
        while not take(users):
            time.sleep(1.0)
        # Kept until this process is gone, so that whoever comes now starts another one after it.
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10.0)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
