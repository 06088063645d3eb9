"""The reader: a policy's YAML becomes a frozen `Policy`, or is refused with file, line and remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, ScalarEvent

from control_tower.errors import PolicyError, nearest
from policies.checks import Fault, faults
from policies.document import Policy, day_of

HOUSE = Path(__file__).parent
LARGEST = 200_000
DEEPEST = 12


def load(policy: str | Path, as_of: date) -> Policy:
    """The policy in force on a day.

    Args:
        policy: the name of one of this house, such as `fulfilment`, or the path of a YAML file.
        as_of: a day, or an aware datetime, whose day in UTC is meant.

    Raises:
        PolicyError: there is none, none or two are in force on that day, or a file is malformed.
    """
    day = day_of(as_of)
    files = _files(policy)
    versions = [read(file) for file in files]
    held = [version for version in versions if version.in_force.covers(day)]
    if len(held) != 1:
        what = f"{' and '.join(v.reference for v in held) or 'no version'} in force on {day}"
        dates = [
            f"{v.reference} from {v.in_force.since} until {v.in_force.until or 'further notice'}" for v in versions
        ]
        raise PolicyError(what, where=str(policy), remedy="there is " + ", ".join(dates))
    return held[0].model_copy(update={"as_of": day})


def _files(policy: str | Path) -> list[Path]:
    """One given file, or every version of a named policy: `name.yaml` and `name@2.yaml` and so on."""
    if isinstance(policy, Path) or policy.endswith((".yaml", ".yml")):
        return [Path(policy)]
    by_name: dict[str, list[Path]] = {}
    for file in sorted(HOUSE.glob("*.yaml")):
        by_name.setdefault(file.stem.partition("@")[0], []).append(file)
    if policy not in by_name:
        raise PolicyError(f"there is no policy {policy!r}", remedy=nearest(policy, by_name))
    return by_name[policy]


def read(file: Path) -> Policy:
    """Read one policy file.

    Raises:
        PolicyError: it can't be read, or says something that is not understood; names file and line.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as fault:
        raise PolicyError(f"can't be read: {fault.strerror}", where=str(file)) from fault
    if len(content) > LARGEST:
        raise PolicyError(f"is larger than {LARGEST:,} bytes", where=str(file), remedy="a policy is short")
    return _read(str(file), content)


@lru_cache(maxsize=16)
def _read(file: str, content: bytes) -> Policy:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise PolicyError(f"is not UTF-8 at byte {fault.start}", where=file) from None
    tree = _tree(text, file)
    policy = _policy(tree, file)
    if found := faults(policy):
        raise _refusal(found, tree, file)
    named = Path(file).stem.partition("@")[0]
    if policy.id != named:
        raise PolicyError(f"holds the policy {policy.id!r}", where=file, remedy=f"call the file {policy.id}.yaml")
    return policy


def _tree(text: str, file: str) -> CommentedMap:
    """The YAML with its line numbers. Anchors, aliases, tags and merged or doubled keys are refused."""
    try:
        _plain_yaml(YAML(typ="rt", pure=True).parse(text), file)
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else 1
        what = ", ".join(part for part in (fault.context, fault.problem) if part)
        raise PolicyError(what, where=f"{file}:{line}") from None
    except (YAMLError, ValueError) as fault:
        raise PolicyError(f"is no YAML: {fault}", where=file) from None
    if not isinstance(tree, CommentedMap):
        raise PolicyError("is no policy", where=f"{file}:1", remedy="it begins with id, version and owner")
    return tree


def _plain_yaml(events: Iterable[Event], file: str) -> None:
    """Refuse what makes YAML larger or other than it looks, before anything is built of it."""
    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        what = "nested too deep" if depth > DEEPEST else _trick(event)
        if what:
            where = f"{file}:{event.start_mark.line + 1}"
            raise PolicyError(f"{what} is not allowed here", where=where, remedy="write it out")


def _trick(event: Event) -> str:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        return "an anchor or alias"
    if getattr(event, "tag", None):
        return "a tag"
    if isinstance(event, ScalarEvent) and event.value == "<<":
        return "a merge key"
    return ""


def _plain(node: object) -> JsonValue:
    """Plain JSON values of the YAML; dates and moments as ISO text."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, date):
        return node.isoformat()
    if node is None or isinstance(node, bool):
        return node
    return next((kind(node) for kind in (int, float) if isinstance(node, kind)), str(node))


def _policy(tree: CommentedMap, file: str) -> Policy:
    if "as_of" in tree:
        raise _refusal([Fault(("as_of",), "'as_of' is not for the file to say")], tree, file)
    try:
        # JSON, so that types are strict and dates and enums are still read from text.
        return Policy.model_validate_json(json.dumps(_written_out(_plain(tree))), strict=True)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        misspelt_in = {error["loc"][:-1] for error in errors if error["type"] == "extra_forbidden"}
        # A field that is missing beside a misspelt one is the misspelt one.
        causes = [error for error in errors if error["type"] != "missing" or error["loc"][:-1] not in misspelt_in]
        raise _refusal([_explained(error) for error in causes], tree, file) from None


def _written_out(document: JsonValue) -> JsonValue:
    """`severity: sev2` and `team: payments` are short for a list of one row without a condition."""
    rules = document.get("rules") if isinstance(document, dict) else None
    for rule in rules if isinstance(rules, list) else []:
        for field in ("severity", "team"):
            if isinstance(rule, dict) and isinstance(rule.get(field), str):
                rule[field] = [{field: rule[field]}]
    return document


def _explained(error: ErrorDetails) -> Fault:
    place = tuple(part for part in error["loc"] if part != "[key]")
    name, given = str(place[-1]) if place else "", error.get("input")
    if error["type"] == "extra_forbidden":
        return Fault(place, f"there is no field {name!r}", nearest(name, _fields(place)))
    if error["type"] == "missing":
        return Fault(place, f"{name!r} is missing")
    if error["type"] in ("enum", "literal_error"):
        expected = re.findall(r"'(\w+)'", str(error.get("ctx", {}).get("expected", "")))
        return Fault(place, f"{name} can't be {given!r}", nearest(str(given), expected))
    return Fault(place, f"{name}: {error['msg'].removeprefix('Value error, ').lower()}")


def _fields(place: Sequence[str | int]) -> list[str]:
    """The fields there are beside a misspelt one: walk the models down to where it lies."""
    model: type[BaseModel] = Policy
    for part in place[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(part, str) and part in fields:
            inner = _models(fields[part].annotation)
            model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items() if name != "as_of" or model is not Policy]


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _refusal(found: Sequence[Fault], tree: CommentedMap, file: str) -> PolicyError:
    """One error for the first fault by line, which counts the others."""
    inner = {fault.place[:length] for fault in found for length in range(len(fault.place))}
    causes = [fault for fault in found if fault.place not in inner]  # what is wrong around a fault follows from it
    lines = sorted(((_line(tree, fault.place), fault) for fault in causes), key=lambda pair: pair[0])
    line, first = lines[0]
    others = f"; {len(lines) - 1} more from line {lines[1][0]}" if len(lines) > 1 else ""
    return PolicyError(first.what + others, where=f"{file}:{line}", remedy=first.remedy)


def _line(tree: CommentedMap, place: Sequence[str | int]) -> int:
    """The line of a place in the document, or of the nearest thing around it."""
    node: Any = tree
    line = 1
    for part in place:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            break
        node = node[part]
    return line
