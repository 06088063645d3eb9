"""A person's terminal: blocks of shell, one after the other, in one folder and one environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORGOTTEN = ("PREFECT_", "TOWER_", "PYTEST_", "PYTHON")
TOKEN = re.compile(r"^(tower_\S{30,})$", re.MULTILINE)


def eventually(so: Callable[[], Any], seconds: float) -> Any:
    """What comes to be within so many seconds."""
    until = time.monotonic() + seconds
    while not (found := so()) and time.monotonic() < until:
        time.sleep(0.5)
    assert found, "it did not come to be"
    return found


class Terminal:
    """Where commands are typed. What a block exports and where it goes holds for the next ones."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.state = folder, folder / ".terminal"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        self._keep(kept | environment, folder)

    @property
    def here(self) -> Path:
        return Path((self.state / "where").read_text().strip())

    def type(self, text: str, answers: str = "", seconds: float = 120) -> str:
        """Run a block to its end, and return all that it said; a command that fails ends it, and the test."""
        done = subprocess.run(
            ["bash", "-c", self._script(text)], input=answers, text=True, timeout=seconds, cwd=self.here, env={},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}"
        return done.stdout

    @contextmanager
    def keep(self, text: str, said: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Leave a block running in another terminal, and press Ctrl-C there in the end."""
        with said.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", self._script(text)], cwd=self.here, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True, env={},
            )  # fmt: skip
        try:
            yield process
        finally:
            try:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                process.kill()
                process.wait()

    def _script(self, text: str) -> str:
        leave = f"export -p > '{self.state}/exported'; pwd > '{self.state}/where'"
        return f"set -eo pipefail\n. '{self.state}/exported'\n{text}\n{leave}\n"

    def _keep(self, environment: Mapping[str, str], where: Path) -> None:
        self.state.mkdir(exist_ok=True)
        (self.state / "where").write_text(str(where))
        subprocess.run(
            ["bash", "-c", f"export -p > '{self.state}/exported'"], env=dict(environment), check=True, cwd=where
        )
