"""Where a tower's webhooks lie: the receiver's folders, and those that its shops read."""

from __future__ import annotations

from pathlib import Path

from control_tower.identity import identity_key
from control_tower.settings import Settings
from control_tower.shops import find_shop, shops_of
from control_tower.source_words import words_of
from control_tower.webhooks.groups import OURS, Received
from control_tower.webhooks.senders import SENDERS

SOURCES = frozenset(sender.source for sender in SENDERS.values())


def received(tower: Settings, shop: str = "") -> list[Received]:
    """The folders in which a receiver has written something.

    Args:
        shop: only what this shop reads; when left out, what the tower's receiver writes and what any shop reads.

    Raises:
        SourceError, SettingError: as `find_shop`.
    """
    shops = [find_shop(shop, tower)] if shop else list(shops_of(tower).values())
    words = [word.partition(":") for one in shops for word in words_of(one.source)]
    found = {Path(path): kind for kind, _, path in words if kind in SOURCES}
    if not shop:
        found |= {tower.webhooks / source: source for source in sorted(SOURCES)}
    key = identity_key(tower.folder)
    return [Received(place, source, key) for place, source in sorted(found.items()) if _written(place)]


def _written(place: Path) -> bool:
    return place.is_dir() and any(OURS.fullmatch(file.name) for file in place.iterdir())
