"""Situations: the examples that lie beside a document, and which version of it decides each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import JsonValue

from control_tower.written.faults import Fault
from control_tower.written.plain_yaml import plain
from control_tower.written.refusals import refusal
from control_tower.written.validation import content_of, tree
from policies.checks import faults
from policies.document import Document, Policy
from policies.validation import validated

EXAMPLES = ".examples.yaml"


def beside(file: Path) -> Path:
    """The file in which a document's situations are written, whether it is there or not."""
    return file.with_name(file.stem.partition("@")[0] + EXAMPLES)


def with_examples(document: Document, file: str, content: bytes) -> Document:
    """The document with those situations of the file beside it that its version decides, each held against its facts.

    A situation that names a day belongs to the version in force on it; one that names none to every version.
    """
    written = tree(file, content)
    unknown = [name for name in written if name != "examples"]
    if unknown:
        raise refusal([Fault((unknown[0],), f"there is no field {unknown[0]!r}", "only `examples`")], written, file)
    listed = written.get("examples", [])
    mine = [number for number, each in enumerate(listed) if _decided_by(document, each)]
    bare = document.model_dump(mode="json", exclude={"as_of", "bound", "examples"}, exclude_none=True)
    # Those of other versions keep their places, so that a fault has its line.
    given: list[JsonValue] = [
        plain(each) if number in mine else {"name": "of another version"} for number, each in enumerate(listed)
    ]
    read = validated(type(document), {**bare, "examples": given}, written, file)
    bound = {"bound": document.bound} if isinstance(document, Policy) else {}
    found = [fault for fault in faults(read.model_copy(update=bound)) if fault.place[:1] == ("examples",)]
    if found:
        raise refusal(found, written, file)
    chosen = tuple(read.examples[number] for number in mine)
    return document.model_copy(update={"examples": (*document.examples, *chosen)})


def _decided_by(document: Document, written: object) -> bool:
    """Whether an example, as it is written, is this version's to decide; one that can't be read is everybody's."""
    if not isinstance(written, Mapping):
        return True
    day = written.get("as_of", written.get("bought_on"))
    try:
        return day is None or document.in_force.covers(date.fromisoformat(str(day)))
    except ValueError:
        return True


def undecided(file: Path, versions: list[Document]) -> list[str]:
    """The situations beside a document that none of its versions decides: none is in force on their day."""
    written = beside(file)
    if not written.is_file():
        return []
    listed = tree(str(written), content_of(written)).get("examples", [])
    return [str(each.get("name")) for each in listed if not any(_decided_by(one, each) for one in versions)]
