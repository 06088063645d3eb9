"""Fan out: one run that has a lane look at many shops side by side, each by its own deployment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from control_tower.errors import LooksFailed, NotFound, SettingError, nearest
from control_tower.keeping import Nouns
from control_tower.keeping.step import prefect_task
from control_tower.redaction import redacted
from control_tower.settings import settings
from control_tower.shops import find_shop, shops_of
from control_tower.traces import tell
from flows.lanes import can_look_at_changes, lanes
from flows.missed import makes_up
from tasks.fanned_out import FannedOut, fanned_out
from tasks.look_in_shop import SAID, ShopLook


@flow(name="fan-out", persist_result=False, on_running=[makes_up])
def fan_out(
    lane: str,
    shops: list[str] | None = None,
    as_of: datetime | None = None,
    dry_run: bool = False,
    only_changed: bool | None = None,
    at_once: Annotated[int, Field(ge=1, le=64)] = 4,
    patience_minutes: Annotated[int, Field(ge=1, le=170)] = 150,
) -> FannedOut:
    """Have a lane look at several shops; what goes wrong in one is that one's, and is named at the end.

    Args:
        lane: as in fulfilment.
        shops: ids of the tower's file; all that the lane watches, when left out.
        as_of: timezone-aware; nothing later is seen. Now, when left out.
        dry_run: find, score and report; open nothing.
        only_changed: look at what changed, or at everything; as each deployment says, when left out.
        at_once: how many looks are asked for at a time. How many run is also a matter of workers.
        patience_minutes: how long to wait for all of them; a look that goes on longer is left to itself, and named.
    """
    tell(flow="fan-out", lane=lane)
    chosen = those_to_watch(lane, shops)
    given = given_to(lane, as_of, dry_run, only_changed)
    until = datetime.now(UTC) + timedelta(minutes=patience_minutes)
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=at_once)
    with runner:
        asked = {
            shop: runner.submit(
                prefect_task("look-in-shop"), {"lane": lane, "shop": shop, "given": given, "until": until}
            )
            for shop in chosen
        }
        looks = Nouns([_look(shop, future.result(raise_on_failure=False)) for shop, future in asked.items()])
    found = fanned_out(lane, looks)
    if found.unwell:
        raise LooksFailed(lane, {each.shop: each.why or each.state for each in found.unwell}, found)
    return found


def those_to_watch(lane: str, shops: list[str] | None) -> tuple[str, ...]:
    """The shops to look at: those that are named, or all that the lane watches.

    Raises:
        NotFound: there is no such lane.
        SourceError: there is no such shop; offers the nearest.
        SettingError: the tower has no shops, or the lane does not watch one that is named.
    """
    if lane not in lanes():
        raise NotFound(f"there is no lane {lane!r}", remedy=nearest(lane, lanes()))
    tower = settings()
    for shop in shops or ():
        if not find_shop(shop, tower).watched_by(lane):
            raise SettingError(f"{lane} does not watch {shop}", where=str(tower.shops), remedy="see its `lanes`")
    found = dict.fromkeys(shops or (id for id, shop in shops_of(tower).items() if shop.watched_by(lane)))
    if not found:
        remedy = "name the file of your shops in TOWER_SHOPS"
        raise SettingError(f"there are no shops that {lane} watches", where=str(tower.shops or ""), remedy=remedy)
    return tuple(found)


def given_to(lane: str, as_of: datetime | None, dry_run: bool, only_changed: bool | None) -> dict[str, Any]:
    """What is said otherwise than each shop's deployment says it."""
    given: dict[str, Any] = {"as_of": as_of.isoformat()} if as_of else {}
    given |= {"dry_run": True} if dry_run else {}
    if only_changed is None or (not only_changed and not can_look_at_changes(lane)):
        return given
    if not can_look_at_changes(lane):
        raise SettingError(f"{lane} always looks at everything", where="only_changed", remedy="leave it out")
    return given | {"only_changed": only_changed}


def _look(shop: str, came: ShopLook | BaseException) -> ShopLook:
    """How a look ended; what kept anybody from asking for it counts as its failure, and stops no other."""
    if isinstance(came, ShopLook):
        return came
    return ShopLook(shop=shop, state="Failed", why=redacted(f"{type(came).__name__}: {came}")[:SAID])
