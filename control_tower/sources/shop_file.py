"""`shop.yaml`, beside what a source reads: whose orders these are."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from control_tower.errors import SourceError
from control_tower.nouns import Shop


def shop_of(folder: Path, name: str) -> Shop:
    """The shop that `shop.yaml` in a folder names; one of this name, in UTC and US dollars, where there is none.

    Raises:
        SourceError: the file is no YAML, or lacks or misspells something.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    file = folder / "shop.yaml"
    if not file.is_file():
        return Shop(id=name, time_zone="UTC", country="US", currency="USD")
    try:
        shop = Shop.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
        ZoneInfo(shop.time_zone)
        return shop
    except (ZoneInfoNotFoundError, YAMLError, UnicodeDecodeError) as fault:
        said = " ".join(str(fault).split())[:200]
    except ValidationError as fault:
        first = fault.errors()[0]
        said = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    raise SourceError(f"can't be read: {said}", where=str(file), remedy="it says id, time_zone, country and currency")
