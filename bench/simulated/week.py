"""The week itself: hour by hour, the shop lives, people rule, things break, and everything comes to rest."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from simulated.breakage import drawn, while_at_work
from simulated.clock import SimulatedClock
from simulated.database import Database
from simulated.house import House, environment
from simulated.limits import write_limits
from simulated.people import BERLIN, SLACK_USERS, STRANGER, People
from simulated.plan import Plan, Size
from simulated.schedules import write_schedules
from simulated.shop import LivingShop
from simulated.slack import open_slack
from simulated.tower import by_schedules

HOUR = timedelta(hours=1)
DRAINING = 2  # hours after the week, in which nothing breaks and nobody rules
RULINGS_AT_ONCE = 40


class Week:
    """Everything that a simulated week consists of.

    Args:
        folder: holds the clock, the database, the tower's home and the account.
        look_every: hours between two looks of a lane.
        hours: how many are lived; all that are planned, when left out.
    """

    def __init__(self, size: Size, folder: Path, clock: SimulatedClock, look_every: int, hours: int | None) -> None:
        self.size, self.folder, self.clock, self.look_every = size, folder, clock, look_every
        self.hours = hours or size.days * 24
        self.broke = drawn(self.hours, size.begins.astimezone(BERLIN).hour, size.seed)
        self.notes: list[str] = []
        self.took: list[float] = []
        self.restless: list[tuple[int, dict[str, int]]] = []

    def live(self) -> dict[str, Any]:
        """Live it, and give the account."""
        began = time.monotonic()
        self.clock.begin(self.size.begins - HOUR)
        with self._house():
            self._settle_in()
            for hour in range(self.hours):
                self._hour(hour)
            self.drained = self._drain()
            from simulated.account import account

            return account(self, round(time.monotonic() - began))

    @contextlib.contextmanager
    def _house(self) -> Iterator[None]:
        """Database, Slack, server and tower; all that was started is ended."""
        home = self.folder / "home"
        home.mkdir()
        schedules = self.folder / "schedules.yaml"
        self.schedules = write_schedules(schedules, self.look_every)
        write_limits(self.folder / "authority.yaml")
        with contextlib.ExitStack() as ending:
            database = Database(self.folder)
            ending.callback(database.stop)
            self.slack = open_slack((*SLACK_USERS.values(), STRANGER), self.size.seed)
            ending.callback(self.slack.workspace.down)
            told = environment(home, database, self.slack.environment)
            told["TOWER_AUTHORITY"] = str(self.folder / "authority.yaml")
            os.environ.clear()
            os.environ.update(told)
            from control_tower.server import running_server, use
            from control_tower.settings import settings

            use(settings())
            by_schedules(schedules)
            self.plan = Plan(self.size)
            self.shop = LivingShop(home / "shop.db", self.plan)
            self.house = House(home, schedules, database)
            ending.enter_context(running_server(settings(), port=0))
            ending.callback(self.house.stop)
            yield

    def _settle_in(self) -> None:
        from control_tower.ledger import open_ledger
        from control_tower.settings import settings

        open_ledger(settings().ledger)
        self.people = People(self.clock, self.slack.workspace, self.size.seed)
        self.people.enrol()
        self.shop.live(self.clock.now())
        self.house.start()
        self.house.ready(self.schedules)
        self._say(f"{len(self.plan):,} orders planned: {self.plan.counts}, {len(self.plan.returns)} returns")

    def _hour(self, hour: int) -> None:
        """The clock jumps, what is due begins, things break, people rule, and all comes to rest."""
        began, down = time.monotonic(), hour == self.broke.slack_down
        moment = self.size.begins + (hour + 1) * HOUR
        self.shop.live(moment)
        if down:
            outage = self.slack.break_down()
            self._say(f"hour {hour}: Slack is down")
        self.clock.set(moment)
        lasts = max(self.took[-self.look_every :], default=0.0)
        strikes = [while_at_work(self.house, self.broke.delay(hour, lasts), self.house.kill)]
        if mode := self.broke.restarts.get(hour):
            later = self.broke.delay(hour + self.hours, lasts)
            strikes.append(while_at_work(self.house, later, lambda: self._restart(mode)))
            strikes[-1].join()
        ruled = self._people(slack_works=not down)
        for strike in strikes:
            strike.join()
        left = self.house.calm(told=not down)
        if left:
            self.restless.append((hour, left))
        if down:
            self.slack.come_back()
            self._say(f"hour {hour}: Slack is back after {outage.met} calls that failed")
        self.took.append(time.monotonic() - began)
        shown = f"{self.clock.now().astimezone(BERLIN):%a %H:%M}"
        self._say(f"hour {hour} {shown}: {self.took[-1]:.1f} s, {ruled} ruled on, left {left}")

    def _restart(self, mode: str) -> None:
        self._say(f"PostgreSQL is restarted, {mode}")
        self.house.database.stop(mode)
        time.sleep(random.Random(self.size.seed).uniform(0.0, 2.0))
        self.house.database.start()

    def _people(self, slack_works: bool) -> int:
        try:
            return self.people.take_turns(RULINGS_AT_ONCE, slack_works)
        except Exception as fault:  # noqa: BLE001 - what a person would see, and come back from in an hour
            self.people.did[f"saw an error: {type(fault).__name__}"] += 1
            self.notes.append(f"a person saw {type(fault).__name__}: {str(fault)[:200]}")
            return 0

    def _drain(self) -> dict[str, int]:
        """Hours in which nothing breaks; gives what is left in the queues after them."""
        left: dict[str, int] = {}
        for _ in range(max(DRAINING, self.look_every + 1)):
            self.clock.set(self.clock.now().replace(minute=0, second=0, microsecond=0) + HOUR)
            left = self.house.calm()
        return left

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
