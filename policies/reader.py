"""The reader: YAML becomes a frozen document, or is refused with file, line and remedy.

A file with rules is a lane's policy, one without is an entitlement. `name.yaml` and `name@2.yaml` are
versions of one document, and `name.examples.yaml` holds the situations that are run as its tests.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from ruamel.yaml.comments import CommentedMap

from control_tower.errors import PolicyError, nearest
from control_tower.written.faults import Fault
from control_tower.written.plain_yaml import line_of, plain
from control_tower.written.refusals import WORKED_OUT, refusal
from control_tower.written.validation import content_of
from control_tower.written.validation import tree as tree_in
from policies.checks import faults
from policies.document import Document, Entitlement, Policy, day_of
from policies.papers import is_paper
from policies.situations import EXAMPLES, beside, undecided, with_examples
from policies.validation import validated

HOUSE = Path(__file__).parent
LOG = logging.getLogger(__name__)


def load(policy: str | Path, as_of: date) -> Policy:
    """The lane's policy in force on a day.

    Args:
        policy: the name of one of this house, such as `fulfilment`, or the path of a YAML file.
        as_of: a day, or an aware datetime, whose day in UTC is meant.

    Raises:
        PolicyError: there is none, none or two are in force on that day, or a file is malformed.
    """
    day = day_of(as_of)
    held, refused = _sound(files_of(policy))
    held = [version for version in held if not version.shadow]
    covering = [version for version in held if version.in_force.covers(day)]
    if len(covering) != 1:
        if refused and not covering:  # the one that would be in force may be the one that is malformed
            raise refused[0]
        what = f"{' and '.join(v.reference for v in covering) or 'no version'} in force on {day}"
        dates = [f"{v.reference} from {v.in_force.since} until {v.in_force.until or 'further notice'}" for v in held]
        raise PolicyError(what, where=str(policy), remedy="there is " + ", ".join(dates))
    for fault in refused:
        LOG.warning("%s stays in force; refused: %s", covering[0].reference, fault)
    found = covering[0]
    if not isinstance(found, Policy):
        raise PolicyError(f"{found.reference} has no rules", where=str(policy), remedy="a lane's policy has rules")
    return found.model_copy(update={"as_of": day})


def _sound(files: Sequence[Path]) -> tuple[list[Document], list[PolicyError]]:
    """The documents that can be read, in the order of their versions, and why the others can't."""
    held, refused = [], []
    for file in files:
        try:
            held.append(read(file))
        except PolicyError as fault:
            refused.append(fault)
    return sorted(held, key=lambda document: document.version), refused


def shadows(policy: str, as_of: date) -> list[Policy]:
    """The versions of a lane's policy that are tried on a day beside the one in force, and served to nobody."""
    day = day_of(as_of)
    held, refused = _sound(files_of(policy))
    for fault in refused:
        LOG.warning("no shadow of it: %s", fault)
    tried = [one for one in held if one.shadow and one.in_force.covers(day)]
    return [one.model_copy(update={"as_of": day}) for one in tried if isinstance(one, Policy)]


def names(folder: Path = HOUSE) -> tuple[str, ...]:
    """The documents that a folder holds."""
    return tuple(sorted({file.stem.partition("@")[0] for file in documents_in(folder)}))


def versions(policy: str | Path) -> list[Document]:
    """Every version of a document, shadows included, in the order of their numbers.

    Raises:
        PolicyError: one of them is malformed.
    """
    held, refused = _sound(files_of(policy))
    if refused:
        raise refused[0]
    return held


def version(reference: str) -> Document:
    """One version, as `returns@1` names it; the newest when no number is given.

    Raises:
        PolicyError: there is no such version.
    """
    name, _, number = reference.partition("@")
    held = versions(name)
    found = [one for one in held if not number or str(one.version) == number]
    if not found:
        raise PolicyError(f"there is no {reference}", remedy=f"there is {', '.join(one.reference for one in held)}")
    return found[-1]


def family(file: Path) -> list[Entitlement]:
    """The entitlement of a file, its other versions, and whatever extends it: what may be in force together."""
    document = read(file)
    if not isinstance(document, Entitlement):
        return []
    root = document.extends or document.id
    folder = file.parent if _versions_in(file.parent, root) else HOUSE
    near = {other.name: other for other in (*documents_in(folder), file)}
    found = [read(other) for other in near.values()]
    return [one for one in found if isinstance(one, Entitlement) and root in (one.id, one.extends)]


def undecided_examples(file: Path) -> list[str]:
    """The situations beside a document that no version of it decides, because none is in force on their day."""
    held, _ = _sound(_versions_in(file.parent, file.stem.partition("@")[0]))
    return undecided(file, held)


def files_of(policy: str | Path) -> list[Path]:
    """One given file, or every version of a document of this house.

    Raises:
        PolicyError: there is no such document; offers the nearest.
    """
    if isinstance(policy, Path) or policy.endswith((".yaml", ".yml")):
        return [Path(policy)]
    found = _versions_in(HOUSE, policy)
    if not found:
        raise PolicyError(f"there is no policy {policy!r}", remedy=nearest(policy, names()))
    return found


def documents_in(folder: Path) -> list[Path]:
    """The files of a folder that are documents, and no papers or examples."""
    return sorted(file for file in folder.glob("*.yaml") if not file.name.endswith(EXAMPLES) and not is_paper(file))


def _versions_in(folder: Path, name: str) -> list[Path]:
    return [file for file in documents_in(folder) if file.stem.partition("@")[0] == name]


def read(file: Path) -> Document:
    """Read one file: a `Policy` with the entitlements it reads, or an `Entitlement`.

    Raises:
        PolicyError: it can't be read, or says something that is not understood; names file and line.
    """
    content = content_of(file)
    examples = beside(file)
    situations = (str(examples), content_of(examples)) if examples.is_file() else None
    return _read(str(file), content, situations, others_of(file))


def others_of(file: Path) -> tuple[tuple[str, bytes], ...]:
    """The other documents in a file's folder, and those of this house that it does not hold."""
    near = {other.name: other for folder in (HOUSE, file.parent) for other in documents_in(folder)}
    same = file.stem.partition("@")[0]
    return tuple((str(path), content_of(path)) for path in near.values() if path.stem.partition("@")[0] != same)


@lru_cache(maxsize=32)
def _read(
    file: str, content: bytes, situations: tuple[str, bytes] | None, others: tuple[tuple[str, bytes], ...]
) -> Document:
    tree = tree_in(file, content)
    document = _document(tree, file, others)
    named = Path(file).stem.partition("@")[0]
    if document.id != named:
        where = f"{file}:{line_of(tree, ('id',))}"
        raise PolicyError(f"holds the policy {document.id!r}", where=where, remedy=f"call the file {document.id}.yaml")
    if isinstance(document, Policy) and document.entitlements:
        document = document.model_copy(update={"bound": _bound(document, tree, file, others)})
    if found := faults(document):
        raise refusal(found, tree, file)
    return with_examples(document, *situations) if situations else document


def _bound(
    policy: Policy, tree: CommentedMap, file: str, others: tuple[tuple[str, bytes], ...]
) -> dict[str, tuple[Entitlement, ...]]:
    """Every served version of each document that a policy reads, and of those that extend it."""
    assert policy.entitlements is not None  # noqa: S101 - asked by the caller; narrows the type
    held = [(path, content) for path, content in others if "rules" not in _top(path, content)]
    found: dict[str, tuple[Entitlement, ...]] = {}
    for number, name in enumerate(policy.entitlements.documents):
        read, refused = _bindable([(p, c) for p, c in held if _speaks_of(p, c, name)], others)
        bound = [one for one in read if not one.shadow]
        if not any(one.id == name for one in bound):
            if refused:
                raise refused[0]
            known = [Path(path).stem.partition("@")[0] for path, _ in held]
            place = ("entitlements", "documents", number)
            raise refusal([Fault(place, f"there is no entitlement {name!r}", nearest(name, known))], tree, file)
        for malformed in refused:
            LOG.warning("%s reads the other versions; refused: %s", policy.reference, malformed)
        found[name] = tuple(sorted(bound, key=lambda one: (one.id, one.version)))
    return found


def _bindable(
    files: Sequence[tuple[str, bytes]], others: tuple[tuple[str, bytes], ...]
) -> tuple[list[Entitlement], list[PolicyError]]:
    read: list[Entitlement] = []
    refused: list[PolicyError] = []
    for path, content in files:
        try:
            document = _read(path, content, None, others)
        except PolicyError as fault:
            refused.append(fault)
        else:
            read += [document] if isinstance(document, Entitlement) else []
    return read, refused


def _speaks_of(file: str, content: bytes, name: str) -> bool:
    return Path(file).stem.partition("@")[0] == name or _top(file, content).get("extends") == name


def _top(file: str, content: bytes) -> Mapping[str, Any]:
    """What a file says at its top, nothing if it can't be read; whoever needs it is told why."""
    try:
        return tree_in(file, content)
    except PolicyError:
        return {}


def _document(tree: CommentedMap, file: str, others: tuple[tuple[str, bytes], ...]) -> Document:
    model: type[Document] = Policy if "rules" in tree else Entitlement
    return validated(model, _written(tree, file, others), tree, file)


def written_out(file: str, content: bytes, others: tuple[tuple[str, bytes], ...]) -> dict[str, JsonValue]:
    """What a file says, with what it reads of a document that it extends."""
    return _written(tree_in(file, content), file, others)


def _written(tree: CommentedMap, file: str, others: tuple[tuple[str, bytes], ...]) -> dict[str, JsonValue]:
    for name in WORKED_OUT:
        if name in tree:
            raise refusal([Fault((name,), f"{name!r} is not for the file to say")], tree, file)
    written = plain(tree)
    assert isinstance(written, dict)  # noqa: S101 - a tree is a mapping; narrows the type
    extends = "rules" not in tree and "extends" in tree
    return _inherited(written, tree, file, others) if extends else written


def _inherited(
    written: dict[str, JsonValue], tree: CommentedMap, file: str, others: tuple[tuple[str, bytes], ...]
) -> dict[str, JsonValue]:
    """An extension reads the facts of what it extends, and its tables have the outcomes of that one's."""
    name = str(tree["extends"])
    bases = [(path, content) for path, content in others if Path(path).stem.partition("@")[0] == name]
    if not bases:
        known = [Path(path).stem.partition("@")[0] for path, _ in others]
        raise refusal([Fault(("extends",), f"there is no document {name!r}", nearest(name, known))], tree, file)
    path, content = bases[-1]
    base: dict[str, Any] = _read(path, content, None, others).model_dump(mode="json")
    given = written.get("tables")
    tables: dict[str, JsonValue] = dict(given) if isinstance(given, dict) else {}
    for table, own in tables.items():
        if table not in base["tables"]:
            fault = Fault(("tables", table), f"{name} has no table {table!r}", nearest(table, base["tables"]))
            raise refusal([fault], tree, file)
        if isinstance(own, dict):
            shared = {key: base["tables"][table][key] for key in ("means", "outcomes", "unit", "hit", "falls_with")}
            tables[table] = {**shared, **own}
    own_facts = written.get("facts")
    facts = base["facts"] | (own_facts if isinstance(own_facts, dict) else {})
    return {**written, "facts": facts, "tables": tables, "ordinary": base["ordinary"]}
