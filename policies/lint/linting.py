"""Linting: every check over every version of documents, on each day on which other numbers hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from control_tower.errors import PolicyError
from control_tower.written.plain_yaml import line_of, tree_of
from policies import reader
from policies.document import Document, Entitlement, Policy
from policies.entitlements import in_force
from policies.inheriting import laid_over, overridden
from policies.lint import evidence, order, versions
from policies.lint.accepted import settled
from policies.lint.asking import Scene
from policies.lint.findings import Finding, Found, undecided
from policies.lint.records import Evaluator, Record, examples
from policies.lint.rules import Ruled, floors, offers
from policies.lint.tables import Examined

MILLISECONDS = 2000  # for one question


def lint(
    documents: Sequence[str | Path] = (), *, today: date | None = None, milliseconds: int = MILLISECONDS
) -> list[Finding]:
    """Everything that is wrong with documents.

    Args:
        documents: names of documents of this house, each with every version, or files; all of the house when
            left out.
        today: the day by which a list may have ended; the current day in UTC when left out.
        milliseconds: how long the solver may think about one question.

    Returns:
        By file and line. A fault that the document's owner accepted is a note.

    Raises:
        PolicyError: there is no such document, or a file is malformed.
    """
    day = today or datetime.now(UTC).date()
    files = [file for named in documents or reader.names() for file in reader.files_of(named)]
    found = [finding for file in dict.fromkeys(files) for finding in _of_file(file, day, milliseconds)]
    return sorted(found, key=lambda one: (one.file, one.line, one.check, one.sentence))


def lint_overrides(folder: Path, *, today: date | None = None, milliseconds: int = MILLISECONDS) -> list[Finding]:
    """Everything that is wrong with what a shop's folder makes of the documents of this house.

    Raises:
        PolicyError: an override is malformed.
    """
    day, found = today or datetime.now(UTC).date(), list[Finding]()
    for name in dict.fromkeys(file.stem.partition("@")[0] for file in overridden(folder)):
        every = laid_over(name, folder)
        family = [laid.document for laid in every if isinstance(laid.document, Entitlement)]
        for document, file in every:
            if file:
                seen = found_in(document, milliseconds, family)
                seen += versions.of_lists(document, day) if isinstance(document, Policy) else []
                tree = tree_of(file.read_bytes(), str(file))
                told = list(settled(document, seen))
                found += [_finding(document, file, tree, one, "", because) for one, because in told]
    return sorted(found, key=lambda one: (one.file, one.line, one.check, one.sentence))


def _of_file(file: Path, today: date, milliseconds: int) -> Iterator[Finding]:
    document = reader.read(file)
    family = reader.family(file)
    found = found_in(document, milliseconds, family)
    found += versions.of_version(document, _versions(file))
    found += versions.of_extension(document, family)
    if isinstance(document, Policy):
        found += versions.of_lists(document, today)
    tree = tree_of(file.read_bytes(), str(file))
    told = list(settled(document, found))
    texts = _examples(document, family, [one for one, _ in told])
    for (one, because), text in zip(told, texts, strict=True):
        yield _finding(document, file, tree, one, text, because)


def _versions(file: Path) -> list[Document]:
    """Every version of a file's document that lies beside it."""
    name = file.stem.partition("@")[0]
    beside = [other for other in sorted(file.parent.glob("*.yaml")) if other.stem.partition("@")[0] == name]
    return [reader.read(other) for other in beside]


def found_in(document: Document, milliseconds: int = MILLISECONDS, family: Sequence[Entitlement] = ()) -> list[Found]:
    """What one version has wrong, on each day on which other numbers hold.

    What is found on several of them is told once, of the first.

    Args:
        family: the entitlements that may be in force beside this one.
    """
    found: dict[tuple[str, str, str], Found] = {}
    for number, day in enumerate(days_of(document)):
        for one in _on(document, day, milliseconds, family):
            since = f"From {day} on: " if number else ""
            dated = replace(one, day=day, sentence=since + one.sentence)
            found.setdefault((one.check, one.where, one.topic), dated)
    return list(found.values())


def days_of(document: Document) -> list[date]:
    """The first day of each set of numbers that holds while a document is in force."""
    last = document.in_force.until or date.max
    changes = {dated.since for threshold in document.thresholds.values() for dated in threshold.values}
    days = [document.in_force.since, *sorted(day for day in changes if document.in_force.since < day <= last)]
    return [
        day
        for number, day in enumerate(days)
        if not number or document.thresholds_on(day) != document.thresholds_on(days[number - 1])
    ]


def _on(document: Document, day: date, milliseconds: int, family: Sequence[Entitlement]) -> Iterator[Found]:
    scene, evaluator = Scene(document, day, milliseconds), Evaluator(document, day)
    if scene.contradicted:
        yield undecided("missing_evidence", "entitlements", ("entitlements",), why=scene.contradicted)
    for name in document.tables if not scene.contradicted else ():
        yield from Examined(scene, evaluator, name).findings()
        yield from _rising(scene, evaluator, name, family)
        yield from evidence.of_table(scene, evaluator, name)
    if isinstance(document, Policy):
        for number in range(len(document.rules)):
            yield from Ruled(scene, document, number).findings()
            if not scene.contradicted:
                yield from evidence.of_rule(scene, evaluator, document, number)
        yield from floors(scene, document)
        yield from offers(scene, document)


def _rising(scene: Scene, evaluator: Evaluator, table: str, family: Sequence[Entitlement]) -> Iterator[Found]:
    """Order in a table; of an extension, in what it and the version it extends give together."""
    if not order.extends(scene.document):
        yield from order.rising(scene, evaluator, table)
        return
    own = [one for one in family if one.reference == scene.document.reference]
    bases = [one for one in family if not one.extends and not one.shadow]
    try:
        ruler = in_force([*bases, *own], scene.day)
    except PolicyError:  # two versions: said by `versions`
        return
    if ruler is not None and ruler.extensions:
        yield from order.rising(scene, evaluator, table, ruler)


def _examples(document: Document, family: Sequence[Entitlement], found: Sequence[Found]) -> list[str]:
    """The records of each finding, as examples; empty where there is none."""
    texts = [""] * len(found)
    for day in sorted({one.day for one in found if one.day and one.record}):
        of_day = [number for number, one in enumerate(found) if one.day == day and one.record]
        named = [(number, name, record) for number in of_day for name, record in _records(found[number])]
        written = examples(document, day, family, [(name, r, found[number].tables) for number, name, r in named])
        for (number, _, _), text in zip(named, written, strict=True):
            texts[number] += text
    return texts


def _records(found: Found) -> Iterator[tuple[str, Record]]:
    """The records of a finding, each with a name."""
    name = f"{found.check} in {found.where}"
    yield (name if found.other is None else f"{name}, before"), found.record
    if found.other is not None:
        yield f"{name}, after", found.other


def _finding(document: Document, file: Path, tree: CommentedMap, found: Found, text: str, because: str) -> Finding:
    return Finding(
        check=found.check,
        level=found.level,
        document=document.reference,
        where=found.where,
        file=str(file),
        line=line_of(tree, found.place),
        sentence=found.sentence,
        record=found.record,
        other=found.other,
        example=text,
        accepted=because,
    )
