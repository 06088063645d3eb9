"""Refusals: what is wrong with a written file, told once, with the line and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap

from control_tower.errors import PolicyError, nearest
from control_tower.written.faults import Fault
from control_tower.written.plain_yaml import line_of

WORKED_OUT = ("as_of", "bound", "overridden")  # fields that no file may say


def explained(error: ErrorDetails, model: type[BaseModel]) -> Fault:
    """One fault of a validation, in words."""
    place = tuple(part for part in error["loc"] if part != "[key]")
    name, given = str(place[-1]) if place else "", error.get("input")
    if error["type"] == "extra_forbidden":
        return Fault(place, f"there is no field {name!r}", nearest(name, _fields(place, model)))
    if error["type"] == "missing":
        return Fault(place, f"{name!r} is missing")
    if error["type"] in ("enum", "literal_error"):
        expected = re.findall(r"'(\w+)'", str(error.get("ctx", {}).get("expected", "")))
        return Fault(place, f"{name} can't be {given!r}", nearest(str(given), expected))
    return Fault(place, f"{name}: {error['msg'].removeprefix('Value error, ').lower()}")


def _fields(place: Sequence[str | int], whole: type[BaseModel]) -> list[str]:
    """The fields there are beside a misspelt one: walk the models down to where it lies."""
    model: type[BaseModel] = whole
    for part in place[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(part, str) and part in fields:
            inner = _models(fields[part].annotation)
            model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items() if name not in WORKED_OUT]


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def refusal(found: Sequence[Fault], tree: CommentedMap, file: str) -> PolicyError:
    """One error for the first fault by line, which counts the others."""
    inner = {fault.place[:length] for fault in found for length in range(len(fault.place))}
    causes = [fault for fault in found if fault.place not in inner]  # what is wrong around a fault follows from it
    lines = sorted(((line_of(tree, fault.place), fault) for fault in causes), key=lambda pair: pair[0])
    line, first = lines[0]
    others = f"; {len(lines) - 1} more from line {lines[1][0]}" if len(lines) > 1 else ""
    return PolicyError(first.what + others, where=f"{file}:{line}", remedy=first.remedy)
