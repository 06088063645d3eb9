"""Plain YAML: a document as a tree that knows its lines, without what makes YAML larger or other than it looks.

Size, depth, length of lists, anchors, aliases, tags and merge keys are refused while the text is still
being read, before anything is built of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, ScalarEvent

from control_tower.errors import PolicyError

LARGEST = 200_000  # bytes
DEEPEST = 12
LONGEST = 1000  # entries of one list, keys and values of one mapping


def tree_of(content: bytes, file: str) -> CommentedMap:
    """The YAML with its line numbers.

    Raises:
        PolicyError: it is no YAML, or has what is not allowed here; names file and line.
    """
    try:
        text = content[: LARGEST + 1].decode("utf-8", errors="strict" if len(content) <= LARGEST else "ignore")
    except UnicodeDecodeError as fault:
        raise PolicyError(f"is not UTF-8 at byte {fault.start}", where=file) from None
    try:
        _refuse_tricks(YAML(typ="safe").parse(text), file)
        if len(content) > LARGEST:
            line = content[:LARGEST].count(b"\n") + 1
            raise PolicyError(f"is larger than {LARGEST:,} bytes", where=f"{file}:{line}", remedy="a policy is short")
        tree = _loader().load(text)
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


class _Written(RoundTripConstructor):
    """Leaves dates and moments as they are written: what they mean, and on which line not, is said later."""


_Written.add_constructor("tag:yaml.org,2002:timestamp", lambda self, node: str(node.value))


def _loader() -> YAML:
    loader = YAML(typ="rt", pure=True)
    loader.Constructor = _Written
    return loader


def _refuse_tricks(events: Iterable[Event], file: str) -> None:
    entries: list[int] = []  # of each collection that is open
    for event in events:
        if entries and not isinstance(event, CollectionEndEvent):
            entries[-1] += 1
        if isinstance(event, CollectionStartEvent):
            entries.append(0)
        elif isinstance(event, CollectionEndEvent):
            entries.pop()
        what, remedy = _trick(event), "write it out"
        if len(entries) > DEEPEST:
            what = "nested too deep"
        elif entries and entries[-1] > LONGEST:
            what, remedy = f"a list of more than {LONGEST:,} entries", "a policy is read by people; split it"
        if what:
            line = event.start_mark.line + 1
            raise PolicyError(f"{what} is not allowed here", where=f"{file}:{line}", remedy=remedy)


def _trick(event: Event) -> str:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        return "an anchor or alias"
    if getattr(event, "tag", None):
        return "a tag"
    if isinstance(event, ScalarEvent) and event.value == "<<":
        return "a merge key"
    return ""


def plain(node: object) -> JsonValue:
    """Plain JSON values of the YAML; dates and moments as the text they are written as."""
    if isinstance(node, CommentedMap):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(value) for value in node]
    if node is None or isinstance(node, bool):
        return node
    return next((kind(node) for kind in (int, float) if isinstance(node, kind)), str(node))


def line_of(tree: CommentedMap, place: Sequence[str | int]) -> int:
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
