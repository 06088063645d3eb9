"""`shops.yaml`: the shops of one tower, each with what is its own. No secret is in it, only the names of secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from control_tower.errors import nearest
from control_tower.nouns import OF_SHOP
from control_tower.written.faults import Fault

LONGEST = 40

# Plain letters, so that no two ids look alike, and none is a path, a markup or a word of an option.
ShopId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=LONGEST)]
Secret = Annotated[str, Field(pattern=r"^(prefect:[a-z0-9-]+|[A-Z][A-Z0-9_]*)$")]


class _Term(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hands(_Term):
    """The store that acts for a shop, where it is, and the name of the key to it."""

    store: Literal["stripe", "shopify", "vendure", "medusa"]
    url: str | None = Field(default=None, pattern=r"^https?://[^\s@]+$", description="where it is; Stripe needs none")
    key: Secret = Field(description="the name of its key: an environment variable, or prefect:NAME of a Secret block")


class OwnShop(_Term):
    """What is one shop's own. What is left out is as the source says, or the tower's."""

    source: str = Field(min_length=4, description="the words of its source, as `tower run --source` takes them")
    mapping: str | None = Field(default=None, min_length=1)
    database: str | None = Field(default=None, min_length=1, description="the SQLite file of an embedded shop")
    time_zone: str | None = None
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    lanes: tuple[str, ...] | None = Field(default=None, min_length=1, description="that watch it; all when left out")
    policies: str | None = Field(default=None, min_length=1, description="the folder of what it overrides")
    authority: str | None = Field(default=None, min_length=1, description="its authority.yaml, if not in that folder")
    slack_channel: str | None = Field(default=None, pattern=r"^(#[a-z0-9_-]{1,80}|[CG][A-Z0-9]{8,})$")
    hands: Hands | None = Field(default=None, description="the store that acts; an embedded shop has its own")

    def watched_by(self, lane: str) -> bool:
        """Whether a lane watches this shop."""
        return self.lanes is None or lane in self.lanes

    @property
    def embedded(self) -> bool:
        """Whether its orders live in an embedded shop."""
        return self.source == "shop" or self.source.startswith("shop+")


class ShopsFile(_Term):
    """The whole file: the shops by their ids."""

    shops: dict[ShopId, OwnShop] = Field(min_length=1)


def faults(written: ShopsFile) -> list[Fault]:
    """Everything that the parts have wrong about one another; empty when they are sound."""
    return [*_sources(written), *_zones(written), *_alike(written)]


def _sources(written: ShopsFile) -> Iterator[Fault]:
    for id, shop in written.shops.items():
        place = ("shops", id, "source")
        if OF_SHOP in shop.source:
            yield Fault(place, "a shop is no source of another shop", "name where its evidence lies, as in folder:PATH")
        if shop.embedded and shop.database is None:
            yield Fault(("shops", id), "'database' is missing", "an embedded shop of several has a file of its own")
        if shop.database and not shop.embedded:
            yield Fault(("shops", id, "database"), "only an embedded shop has a database", "leave it out")
        if shop.embedded and shop.hands:
            yield Fault(("shops", id, "hands"), "an embedded shop acts by itself", "leave hands out")


def _zones(written: ShopsFile) -> Iterator[Fault]:
    from babel.numbers import list_currencies

    for id, shop in written.shops.items():
        try:
            ZoneInfo(shop.time_zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield Fault(("shops", id, "time_zone"), f"there is no time zone {shop.time_zone!r}", "as in Europe/Berlin")
        if shop.currency and shop.currency not in list_currencies():
            remedy = nearest(shop.currency, list_currencies())
            yield Fault(("shops", id, "currency"), f"there is no currency {shop.currency!r}", remedy)


def _alike(written: ShopsFile) -> Iterator[Fault]:
    """Two shops over one source would ask about one order twice, and pay it twice."""
    yield from _twice(written, "source", "read one source", lambda shop: None if shop.embedded else shop.source)
    yield from _twice(written, "database", "are in one database", lambda shop: shop.database)
    yield from _twice(written, "hands", "act at one address", lambda shop: shop.hands.url if shop.hands else None)


def _twice(written: ShopsFile, field: str, what: str, by: Callable[[OwnShop], str | None]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for id, shop in written.shops.items():
        said = by(shop)
        if said is None:
            continue
        if first := seen.get(said.rstrip("/")):
            remedy = "one order would be asked about twice, and paid twice"
            yield Fault(("shops", id, field), f"{first} and {id} {what}", remedy)
        seen.setdefault(said.rstrip("/"), id)
