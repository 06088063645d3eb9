"""`tower run LANE --all-shops`: one look of a lane at each of many shops, side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from control_tower.errors import LooksFailed, SettingError
from control_tower.server import running_server, use
from control_tower.settings import Settings, settings
from desk.run import goes_on_from_the_last, watching
from desk.show import as_json, out, table

if TYPE_CHECKING:
    from tasks.fanned_out import FannedOut

SIDE_BY_SIDE = 4


def run_in_shops(
    lane: str, shops: list[str], as_of: str | None, *, dry_run: bool, only_changed: bool, json: bool
) -> None:
    """Look at several shops, by runs of their own deployments; where no worker of this tower is, this process works.

    Args:
        shops: all that the lane watches, when there are none.

    Raises:
        LooksFailed: at some of them; the table says at which, and the other looks stand.
    """
    tower, moment = settings(), _moment(as_of)
    if only_changed:
        goes_on_from_the_last(as_of, dry_run)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    use(tower)  # before anything imports Prefect
    from flows.fan_out import fan_out, given_to, those_to_watch

    chosen = those_to_watch(lane, shops)
    given_to(lane, moment, dry_run, only_changed)  # what it refuses is told before anything is begun
    with running_server(tower), watching(f"{lane} in {', '.join(chosen)}"), _looked_after(lane, tower):
        state = fan_out(
            lane, list(chosen), moment, dry_run, only_changed, at_once=SIDE_BY_SIDE, return_state=True
        )  # fmt: skip
    fault = state.result(raise_on_failure=False)
    found: FannedOut = fault.found if isinstance(fault, LooksFailed) else state.result()
    as_json(found.model_dump(mode="json")) if json else _show(found)
    if isinstance(fault, LooksFailed):
        raise fault


def _moment(as_of: str | None) -> datetime | None:
    """A moment that is the same in every shop.

    Raises:
        SettingError: it is no moment, or has no offset: a clock's time is another moment in each shop's zone.
    """
    if as_of is None:
        return None
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        remedy = "with an offset, as in 2018-09-03T18:00+00:00"
        raise SettingError(f"{as_of!r} is no moment for several shops", where="--as-of", remedy=remedy)
    return moment


@contextmanager
def _looked_after(lane: str, tower: Settings) -> Iterator[None]:
    """The shops' deployments are there, and somebody carries out their runs for as long as the block lasts."""
    from desk.deploy import deploy
    from desk.worker import is_worked, recover, working

    deployed = {each.id: each.flow for each in deploy(tower) if each.id}
    if is_worked(tower):
        yield
        return
    recover(deployed, tower)  # a look that was cut off here holds its shop's place
    mine = {id: flow for id, flow in deployed.items() if flow.name == f"watch-{lane}"}
    with working(mine, tower, lanes=SIDE_BY_SIDE):
        yield


def _show(found: FannedOut) -> None:
    rows = [(each.shop, each.state, each.run_id, each.why) for each in found.looks]
    table(f"{found.lane}, shop by shop", ("shop", "look", "run", "why"), rows)
    out.print("tower queue --shop ID shows what was found")
