"""A PostgreSQL that is restarted while everybody uses it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

MODES = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""`fast` ends every connection in good order; `immediate` stops as a crash does, and recovers at the next start."""
BOUND = "127.0.0.1"


def binaries() -> Path | None:
    """Where PostgreSQL's programs are; None where it is not installed."""
    found = shutil.which("initdb") or next(iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    return Path(found).resolve().parent if found else None


class Database:
    """One server on loopback, in a folder of its own; what is written is written to disk, as it comes.

    Args:
        folder: holds the cluster and the log; whoever may run PostgreSQL has to be able to reach it.
    """

    def __init__(self, folder: Path) -> None:
        there = binaries()
        if there is None:
            raise FileNotFoundError("PostgreSQL is not installed")
        self.programs, self.folder, self.user = there, folder / "postgres", _who_may_run_it()
        self.folder.mkdir()
        if self.user:
            shutil.chown(self.folder, self.user)
        with socket.socket() as free:
            free.bind((BOUND, 0))
            self.port = int(free.getsockname()[1])
        self._run("initdb", "-D", self.cluster, "-A", "trust", "-U", "tower", "-E", "UTF8", "--no-sync")
        self.start()
        for name in ("ledger", "prefect"):
            self._run("createdb", "-h", BOUND, "-p", str(self.port), "-U", "tower", name)

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "cluster"

    def url(self, database: str, driver: str = "psycopg") -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql+{driver}://tower@{BOUND}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            TimeoutError: it does not answer within a minute.
        """
        with (self.folder / "log").open("a") as log:
            self.server = subprocess.Popen(
                [
                    self.programs / "postgres", "-D", self.cluster, "-p", str(self.port), "-h", BOUND,
                    "-k", self.folder, "-c", "max_connections=200",
                ],
                stdout=log, stderr=log, user=self.user, cwd=self.folder,
            )  # fmt: skip
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(subprocess.CalledProcessError):
                self._run("pg_isready", "-h", BOUND, "-p", str(self.port))
                return
            time.sleep(0.05)
        raise TimeoutError(f"PostgreSQL did not start: {self.folder / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; in either mode nobody's transaction is waited for."""
        self.server.send_signal(MODES[mode])
        self.server.wait(60)

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self.programs / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self.user, cwd=self.folder)


def _who_may_run_it() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PermissionError("PostgreSQL does not run as root, and there is nobody else")
