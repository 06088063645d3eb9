"""Overlay: what a shop writes otherwise than the house, laid over what the house wrote.

A mapping is laid over a mapping, name by name. A list whose entries have names (rules by kind, lists and rows by id,
limits by role and action) is laid over when it is written as a mapping of those names; written as a list, it stands
for the whole. `null` takes a name away. Everything else takes the place of what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from control_tower.errors import nearest
from control_tower.written.faults import Fault, Place
from control_tower.written.plain_yaml import line_of
from policies.rungs import LADDER
from policies.terms import Rung

HEAD = ("inherits", "version", "owner", "in_force", "shadow")
"""What an override says of itself; the rest is laid over."""
HOUSE_ALONE = ("id", "facts", "subject", "entitlements", "extends", "bound", "as_of")
"""What the lane's evidence rests on, or what makes a document the one that it is."""


def _by(*fields: str) -> Callable[[Any], str]:
    return lambda entry: " ".join(str(entry.get(field)) for field in fields) if isinstance(entry, Mapping) else ""


NAMED: dict[str, Callable[[Any], str]] = {
    "rules": _by("kind"),
    "lists": _by("id"),
    "rows": _by("id"),
    "limits": _by("role", "action"),
    "together": _by("action"),
}
"""The lists whose entries have names, and how each is named."""


def overlaid(house: dict[str, JsonValue], own: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What holds where an override is: the house's document with what differs."""
    laid = _over(house, {name: value for name, value in own.items() if name not in HEAD}, ())
    assert isinstance(laid, dict)  # noqa: S101 - a mapping over a mapping; narrows the type
    return laid


def _over(house: JsonValue, own: JsonValue, place: Place) -> JsonValue:
    if isinstance(house, dict) and isinstance(own, dict):
        both = {name: _over(house[name], own[name], (*place, name)) if name in own else house[name] for name in house}
        return {name: value for name, value in (both | _added(house, own)).items() if own.get(name, 0) is not None}
    named = NAMED.get(str(place[-1])) if place else None
    if isinstance(house, list) and isinstance(own, dict) and named:
        there: dict[str, JsonValue] = {named(entry): entry for entry in house}
        laid = _over(there, own, (*place, "*"))
        return list(laid.values()) if isinstance(laid, dict) else laid
    return own


def _added(house: dict[str, JsonValue], own: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in own.items() if name not in house}


def faults(house: dict[str, JsonValue], own: dict[str, JsonValue]) -> list[Fault]:
    """What an override may not say; the rest is for the checks of the whole document."""
    return [*_not_its_own(own), *_nowhere(house, own), *_less_careful(house, own), *_unsourced(own)]


def _not_its_own(own: dict[str, JsonValue]) -> Iterator[Fault]:
    for name in HOUSE_ALONE:
        if name in own:
            yield Fault((name,), f"{name!r} is the house's to say", "leave it out")
    for name in ("version", "owner", "in_force"):
        if name not in own:
            yield Fault((), f"{name!r} is missing", "an override has a version, an owner and dates of its own")


def _nowhere(house: dict[str, JsonValue], own: dict[str, JsonValue]) -> Iterator[Fault]:
    """What an override takes away, or changes in part, and is not there."""
    for field in ("rules", "lists", "thresholds", "tables"):
        given, there = own.get(field), house.get(field)
        if not isinstance(given, dict):
            continue
        named = NAMED.get(field, str)
        known = [named(entry) for entry in there] if isinstance(there, list) else list(there or ())  # type: ignore[arg-type]
        for name, value in given.items():
            whole = isinstance(value, dict) and ("values" in value or "when" in value or "members" in value)
            if name not in known and not whole:
                yield Fault((field, name), f"the house has no {name!r} among its {field}", nearest(name, known))


def _less_careful(house: dict[str, JsonValue], own: dict[str, JsonValue]) -> Iterator[Fault]:
    """A shop may be more careful than the house, and never less."""
    known = [rung.value for rung in Rung]
    ours, given = house.get("rungs"), own.get("rungs")
    rungs: list[tuple[Place, JsonValue, JsonValue]] = [(("rung",), house.get("rung"), own.get("rung"))]
    if isinstance(ours, dict) and isinstance(given, dict):
        rungs.append((("rungs", "starts_at"), ours.get("starts_at"), given.get("starts_at")))
    for place, most, asked in rungs:
        if asked in known and most in known and LADDER.index(Rung(asked)) > LADDER.index(Rung(most)):
            yield Fault(place, f"{asked} is higher than the house allows, {most}", "a shop may stand lower")


def _unsourced(own: dict[str, JsonValue]) -> Iterator[Fault]:
    thresholds = own.get("thresholds")
    for name, given in thresholds.items() if isinstance(thresholds, dict) else ():
        if isinstance(given, dict) and "values" in given and "source" not in given:
            yield Fault(("thresholds", name), f"{name} does not say where its values are from", "add `source`")


def as_laid(own: CommentedMap, laid: dict[str, JsonValue]) -> CommentedMap:
    """The override's own tree as the laid document has it, so that a fault of that one has a line of this file."""
    seen = CommentedMap(own)
    seen.lc.data = own.lc.data
    for field, named in NAMED.items():
        whole = laid.get(field)
        if isinstance(whole, list) and isinstance(own.get(field), CommentedMap):
            seen[field] = _in_order(own[field], [named(entry) for entry in whole], line_of(own, (field,)) - 1)
    return seen


def _in_order(own: CommentedMap, names: list[str], line: int) -> CommentedSeq:
    """A mapping by name as the list that it stands for; what the file does not write is where the mapping is."""
    listed = CommentedSeq([own.get(name, CommentedMap()) for name in names])
    for number, name in enumerate(names):
        at = own.lc.key(name)[0] if name in own else line
        listed.lc.add_idx_line_col(number, [at, 0])
    return listed
