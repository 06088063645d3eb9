"""The tower of a simulated week: Prefect's server and the ledger on PostgreSQL, and `tower up`, which is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from control_tower.settings import settings
from simulated.database import Database

DUE = """
SELECT count(*) FROM flow_run WHERE state_type IN ('PENDING', 'RUNNING', 'CANCELLING')
    OR (state_type = 'SCHEDULED' AND next_scheduled_start_time <= now())
"""
UNPLANNED = """
SELECT count(*) FROM deployment_schedule AS s WHERE s.active AND NOT EXISTS (
    SELECT 1 FROM flow_run AS r
    WHERE r.deployment_id = s.deployment_id AND r.state_type = 'SCHEDULED' AND r.next_scheduled_start_time > now()
)
"""
UNTOLD = "SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending', 'unknown')"
UNHANDLED = "SELECT count(*) FROM slack_inbox WHERE state <> 'done'"


def environment(home: Path, database: Database, slack: Mapping[str, str]) -> dict[str, str]:
    """What the tower and its server are told, and nothing of this machine's own tower or Prefect."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    return kept | {
        "TOWER_HOME": str(home),
        "TOWER_LEDGER_URL": database.url("ledger"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.url("prefect", "asyncpg"),
        # The clock jumps: what is due next has to be known before it does, and what has become due soon after.
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT3H",
        "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "5",
        **slack,
    }


class House:
    """Starts, watches and kills what a supervisor would start: the server is Prefect's, the rest is `tower up`.

    Args:
        home: the tower's folder; the logs lie in it.
        schedules: a file as deployments/prefect.yaml.
    """

    def __init__(self, home: Path, schedules: Path, database: Database) -> None:
        self.home, self.schedules, self.database = home, schedules, database
        self.tower: subprocess.Popen[bytes] | None = None
        self.killed = self.started = self.ended_itself = 0

    def start(self) -> None:
        """Start `tower up`, without waiting."""
        command = [sys.executable, str(Path(__file__).with_name("tower.py")), str(self.schedules)]
        environment = {name: value for name, value in os.environ.items() if name not in LOCAL}
        with (self.home / "tower.log").open("ab") as log:
            self.tower = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.started += 1

    def kill(self) -> None:
        """SIGKILL, and the next one at once."""
        assert self.tower
        self.tower.kill()
        self.tower.wait()
        self.killed += 1
        self.start()

    def look_after(self) -> None:
        """As a supervisor: what ended is started again."""
        if self.tower and self.tower.poll() is not None:
            self.ended_itself += 1
            self.start()

    def stop(self) -> None:
        """SIGTERM: what is under way is finished first."""
        if self.tower:
            self.tower.terminate()
            self.tower.wait(120)

    def count(self, sql: str, database: str = "prefect") -> int:
        """A number out of one of the databases."""
        with self.connection(database) as connection:
            return int(connection.execute(sql).fetchone()[0])

    def rows(self, sql: str, database: str = "prefect") -> list[tuple[Any, ...]]:
        """Rows out of one of the databases."""
        with self.connection(database) as connection:
            return list(connection.execute(sql).fetchall())

    @contextmanager
    def connection(self, database: str) -> Iterator[Any]:
        """A connection of the watcher's own."""
        with psycopg.connect(
            host="127.0.0.1", port=self.database.port, user="tower", dbname=database, row_factory=tuple_row
        ) as connection:
            yield connection

    def ready(self, schedules: int, patience: float = 180.0) -> None:
        """Wait until `tower up` has deployed so many schedules and its worker works.

        Raises:
            TimeoutError: patience has ended.
        """
        from desk.worker import is_worked

        until = time.monotonic() + patience
        while time.monotonic() < until:
            there = self.count("SELECT count(*) FROM deployment_schedule WHERE active") >= schedules
            if there and is_worked(settings()):
                return
            time.sleep(0.2)
        raise TimeoutError(f"the tower is not up: {self.home / 'tower.log'}")

    def busy(self) -> bool:
        """Whether a run is being carried out now."""
        return self.count("SELECT count(*) FROM flow_run WHERE state_type = 'RUNNING'") > 0

    def under_way(self) -> bool:
        """Whether anything is due, or being carried out."""
        return self.count(DUE) > 0

    def left(self, told: bool = True) -> dict[str, int]:
        """What is due and not done, by where it waits.

        Args:
            told: whether messages count.
        """
        waits = {"runs": self.count(DUE), "schedules": self.count(UNPLANNED)}
        if told:
            waits |= {"outbox": self.count(UNTOLD, "ledger"), "inbox": self.count(UNHANDLED, "ledger")}
        return {where: number for where, number in waits.items() if number}

    def calm(self, told: bool = True, patience: float = 600.0) -> dict[str, int]:
        """Wait until nothing is due, twice in a row; gives what is left when patience ends."""
        until, quiet, left = time.monotonic() + patience, 0, {"not looked": 1}
        while quiet < 2 and time.monotonic() < until:
            self.look_after()
            left = self.left(told)
            quiet = 0 if left else quiet + 1
            time.sleep(0.3)
        return left


LOCAL = ("PREFECT_API_URL", "TOWER_PAGE_URL")
"""What a process that uses a running server knows; `tower up` is to find, or start, the server itself."""
