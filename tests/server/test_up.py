"""`tower up`: one command brings the house up, and takes all of it down again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from control_tower.settings import Settings

UP = "from functools import partial; from desk.up import up; up(write=partial(print, flush=True))"


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def test_up_says_where_to_look_and_leaves_no_process_behind(
    another_tower: Settings, its_environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", UP],
        env=its_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said: list[str] = []
    while "Ctrl-C" not in (said[-1] if said else ""):
        line = process.stdout.readline()
        assert line, f"it ended: {process.communicate()[1]}"
        said.append(line)
    record = json.loads((another_tower.folder / "prefect" / "server.json").read_text())
    text = "".join(said)
    assert record["url"] in text
    assert str(another_tower.folder) in text
    assert "watch-fulfilment/watch-fulfilment, resolve-case/resolve-case" in text
    assert is_alive(record["pid"])

    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "stopped"
    assert "Traceback" not in errors
    until = time.monotonic() + 5
    while is_alive(record["pid"]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(record["pid"])
