"""What a step is given and gives, as kept files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from control_tower.errors import SettingError
from control_tower.keeping.archive import Archive
from control_tower.keeping.kept import Address, Kept, Nouns
from control_tower.redaction import scrubbed


def keep_values(archive: Archive, values: dict[str, Any]) -> dict[str, Address]:
    """Keep each value; returns its address, and those of the frames inside it and of the `kept_files` that it names."""
    addresses: dict[str, Address] = {}
    for name, value in values.items():
        if value is None:
            continue
        for inner, frame in frames_in(name, value):
            addresses[inner] = frame.address
        for inner, address in getattr(value, "kept_files", {}).items():
            addresses[f"{name}.{inner}"] = address
        if not isinstance(value, Kept):
            addresses[name] = archive.keep_nouns(scrubbed(_plain(value)))
    return addresses


def frames_in(name: str, value: Any) -> Iterator[tuple[str, Kept]]:
    """Every frame in a value, with its name there."""
    if isinstance(value, Kept):
        yield name, value
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from frames_in(f"{name}.{field}", getattr(value, field))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, Kept):
                yield f"{name}.{key}", inner


def _plain(value: Any) -> Any:
    """JSON content of what may be kept; a secret may not."""
    if isinstance(value, SecretStr):
        raise SettingError("a secret can't be a step's input, because inputs are kept")
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "as_kept"):
        return value.as_kept()
    if isinstance(value, Nouns | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def versions_in(values: dict[str, Any]) -> dict[str, str]:
    """The contracts and the policy that these values name."""
    found: dict[str, str] = {}
    for name, value in values.items():
        for _, frame in frames_in(name, value):
            if frame.contract:
                found[frame.contract.partition("@")[0]] = frame.contract
        if isinstance(reference := getattr(value, "reference", None), str):
            found["policy"] = reference
    return found
