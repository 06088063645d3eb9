"""Deployments for each shop: what `deployments/prefect.yaml` says of the tower's one shop, said of each of the file.

A deployment that reads the source `shop` becomes one for each shop that its lane watches: named after the shop, with
its source and its tag, and its schedule on the shop's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from control_tower.errors import SettingError, TowerError, nearest
from control_tower.settings import Settings
from control_tower.shops import shops_of
from control_tower.shops.document import OwnShop
from control_tower.sources import open_source
from flows.lanes import lanes

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.flows import Flow

Wanted = tuple["Flow[Any, Any]", dict[str, Any]]
ONE_SHOP, TAG = "shop", "shop:"


def for_each_shop(wanted: Iterable[Wanted], tower: Settings) -> Iterator[Wanted]:
    """The deployments that are wanted, with one for each shop in place of the tower's one.

    Args:
        wanted: each a flow, and its fields as the file has them.

    Raises:
        SettingError: the shops' file is malformed, or names a lane that there is not.
    """
    shops = shops_of(tower)
    known_lanes(shops, tower)
    zones = {id: _zone(id, shop, tower) for id, shop in shops.items()}
    for flow, fields in wanted:
        if not shops or fields["parameters"].get("source") != ONE_SHOP:
            yield flow, fields
            continue
        lane = next((tag.removeprefix("lane:") for tag in fields["tags"] if tag.startswith("lane:")), "")
        for id, shop in shops.items():
            if not lane or shop.watched_by(lane):
                yield flow, _of_shop(fields, id, zones[id])


def _of_shop(fields: dict[str, Any], id: str, zone: str) -> dict[str, Any]:
    return fields | {
        "name": f"{fields['name']}-{id}",
        "tags": sorted([*fields["tags"], f"{TAG}{id}"]),
        "parameters": fields["parameters"] | {"source": f"shop:{id}"},
        "schedules": [(slug, cron, zone, active) for slug, cron, _, active in fields["schedules"]],
    }


def known_lanes(shops: dict[str, OwnShop], tower: Settings) -> None:
    """Return if every lane that a shop names is one.

    Raises:
        SettingError: one is not; offers the nearest.
    """
    for id, shop in shops.items():
        for lane in shop.lanes or ():
            if lane not in lanes():
                what = f"{id} is watched by {lane!r}, and there is no such lane"
                raise SettingError(what, where=str(tower.shops), remedy=nearest(lane, lanes()))


def _zone(id: str, shop: OwnShop, tower: Settings) -> str:
    """The shop's time zone; UTC where only its source says it and can't be read now."""
    if shop.time_zone:
        return shop.time_zone
    try:
        zone = open_source(f"shop:{id}", None, tower).shop.time_zone
    except TowerError:
        return "UTC"
    return ZoneInfo(zone).key


def left_over(client: SyncPrefectClient, wanted: Iterable[Wanted]) -> list[DeploymentResponse]:
    """What lies on the server for a shop that is gone, or for the one shop where there are several now."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    named: dict[str, set[str]] = {}
    of_source: set[str] = set()
    for flow, fields in wanted:
        named.setdefault(flow.name, set()).add(fields["name"])
        of_source |= {flow.name} if "source" in fields["parameters"] else set()
    found = []
    for name in sorted(of_source):
        there = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[name])), limit=200)
        found += [one for one in there if one.name not in named[name] and _of_the_file(one)]
    return found


def _of_the_file(one: DeploymentResponse) -> bool:
    """Whether a deployment was made here; another of the same flow, with a source of its own, is somebody else's."""
    source = str(one.parameters.get("source", ""))
    return source == ONE_SHOP or (source.startswith("shop:") and f"{TAG}{source.removeprefix('shop:')}" in one.tags)
