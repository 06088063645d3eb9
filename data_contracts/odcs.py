"""Open Data Contract Standard files: read, and checked to the last key.

The standard's models pass over a misspelt key in silence, and know much that nothing here enforces.
A promise that nobody keeps is worse than none, so both are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from control_tower.errors import ContractError, nearest

LARGEST = 1_000_000  # bytes
UNDERSTOOD = {
    "OpenDataContractStandard": "apiVersion kind id name version status domain description tags team schema"
    " slaProperties",
    "Description": "purpose usage limitations",
    "Team": "name description members",
    "TeamMember": "username name role description",
    "SchemaObject": "name logicalType physicalType businessName description tags properties quality customProperties",
    "SchemaProperty": "name logicalType physicalType businessName description tags classification primaryKey"
    " required unique examples customProperties",
    "DataQuality": "name type engine severity description dimension businessImpact tags implementation"
    " customProperties",
    "ServiceLevelAgreementProperty": "property value unit element description",
    "CustomProperty": "property value description",
}
Place = tuple[str | int, ...]


def parse(path: Path) -> OpenDataContractStandard:
    """The file as the standard's own model.

    Raises:
        ContractError: unreadable, no YAML, no ODCS, or with a key that is unknown or that nothing enforces.
    """
    text = _text(path)
    content = _yaml(text, path.name, "safe")
    for place, problem, remedy in unknown_keys(content, OpenDataContractStandard):
        line = _line(_yaml(text, path.name, "rt"), place)
        raise ContractError(f"line {line}: {problem}", where=path.name, remedy=remedy)
    try:
        return OpenDataContractStandard.model_validate(content)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise ContractError(f"{_dotted(first['loc'])}: {first['msg']}", where=path.name) from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if len(content) > LARGEST:
            raise ContractError(f"is larger than {LARGEST:,} bytes", where=path.name)
        return content.decode("utf-8")
    except OSError as fault:
        raise ContractError(f"can't be read: {fault.strerror}", where=path.name) from fault
    except UnicodeDecodeError as fault:
        raise ContractError(f"is not UTF-8 at byte {fault.start}", where=path.name) from None


def _yaml(text: str, name: str, kind: str) -> Mapping[str, Any]:
    try:
        content = YAML(typ=kind).load(text)
    except YAMLError as fault:
        raise ContractError(f"is no YAML: {fault}", where=name) from None
    if not isinstance(content, dict):
        raise ContractError("is no contract", where=name, remedy="it begins with apiVersion, kind and id")
    return content


def unknown_keys(content: object, model: type[BaseModel], at: Place = ()) -> Iterator[tuple[Place, str, str]]:
    """Each key that is not understood: its place, what is wrong, and the nearest right one."""
    if not isinstance(content, dict):
        return  # of a wrong type: the model says so
    known = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    understood = UNDERSTOOD[model.__name__].split()
    for key, value in content.items():
        here = (*at, key)
        if key not in understood:
            why = "is in the standard, but nothing enforces it" if key in known else "is no key of the standard"
            yield here, f"{_dotted(here)} {why}", nearest(str(key), understood)
        elif inner := _model_in(known[key]):
            parts = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, part in parts:
                yield from unknown_keys(part, inner, here if index is None else (*here, index))


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place if not isinstance(part, int))


def _line(content: Any, place: Place) -> int:
    for part in place[:-1]:
        content = content[part]
    return int(content.lc.key(place[-1])[0]) + 1


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The first of the standard's models in an annotation such as `list[DataQuality] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)
