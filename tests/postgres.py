"""A PostgreSQL for tests: the one that is named, or a private one on loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL server: the one in TOWER_TEST_POSTGRES, or one of our own on loopback.

    Skips, with the reason, where there is neither.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if given := os.environ.get("TOWER_TEST_POSTGRES"):
        yield given
        return
    found = shutil.which("initdb") or next(iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None:
        pytest.skip("no PostgreSQL here: name one in TOWER_TEST_POSTGRES, or install it")
    binaries = Path(found).resolve().parent if Path(found).is_symlink() else Path(found).parent
    user = _who_may_run_it()
    folder = Path(tempfile.mkdtemp(prefix="tower-postgres-"))
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = folder / "cluster"
    try:
        subprocess.run(
            [binaries / "initdb", "-D", cluster, "-A", "trust", "-U", "tower", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        server = subprocess.Popen(
            [
                binaries / "postgres", "-D", cluster, "-p", str(port), "-h", "127.0.0.1", "-k", folder,
                "-F", "-c", "max_connections=120",
            ],
            stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"), user=user, cwd=folder,
        )  # fmt: skip
        try:
            url = f"postgresql+psycopg://tower@127.0.0.1:{port}/postgres"
            _wait_for(url)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # at once, whoever is still connected
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _who_may_run_it() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    pytest.skip("PostgreSQL does not run as root, and there is nobody else")


def _wait_for(url: str) -> None:
    engine = create_engine(url)
    for _ in range(200):
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")


def new_database(server: str) -> str:
    """URL of an empty database on a server."""
    name = f"tower_{uuid4().hex[:12]}"
    with create_engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)
