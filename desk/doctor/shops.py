"""The shops of the tower: what each says of itself, whether its evidence can be read, and whether it has hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from control_tower.errors import TowerError
from control_tower.settings import Settings
from control_tower.shops import settings_at, shops_of
from control_tower.shops.document import OwnShop
from control_tower.sources import open_source
from control_tower.stores import open_store
from desk.doctor.finding import Finding


def shops(tower: Settings) -> Iterator[Finding]:
    """Each shop of the file: its source, policies, authority, channel and hands. No store is asked anything."""
    if tower.shops is None:
        yield Finding("shops", "one: TOWER_SHOPS names no file")
        return
    known = shops_of(tower)
    yield Finding("shops", ", ".join(known))
    for id, shop in known.items():
        yield from _shop(id, shop, tower)


def _shop(id: str, shop: OwnShop, tower: Settings) -> Iterator[Finding]:
    for part, look in (("source", _source), ("lanes", _lanes), ("policies", _policies), ("hands", _hands)):
        try:
            yield Finding(f"shop {id}: {part}", look(id, shop, tower))
        except TowerError as fault:
            yield Finding(f"shop {id}: {part}", fault.what, fault.remedy or f"see {fault.where}, and docs/shops.md")
    yield Finding(f"shop {id}: channel", shop.slack_channel or f"the tower's, {tower.slack_channel}")


def _source(id: str, _: OwnShop, tower: Settings) -> str:
    opened = open_source(f"shop:{id}", None, tower)
    said = opened.shop
    return f"{len(opened.tables())} tables; {said.country}, {said.currency}, {said.time_zone}"


def _lanes(_: str, shop: OwnShop, tower: Settings) -> str:
    from desk.deploy_shops import known_lanes

    known_lanes(shops_of(tower), tower)
    return ", ".join(shop.lanes or ()) or "all"


def _policies(id: str, _: OwnShop, tower: Settings) -> str:
    from policies.authority import authority
    from policies.document import Policy
    from policies.inheriting import load, overridden
    from policies.reader import names, version

    own = settings_at(id, tower)
    if own.policies:
        overridden(own.policies)
    lanes = [name for name in names() if isinstance(version(name), Policy)]
    read = [load(name, datetime.now(UTC), own.policies).reference for name in lanes]
    return ", ".join([*read, authority(own.authority, tower.authority).reference])


def _hands(id: str, shop: OwnShop, tower: Settings) -> str:
    if not shop.embedded and shop.hands is None:
        return "none: what is approved is done by hand"
    if shop.hands and shop.hands.key.startswith("prefect:"):
        return f"{shop.hands.store}, with a key in a Prefect block, which workers read"
    return type(open_store(f"shop:{id}", tower)).__name__
