"""Records: what the solver found, evaluated as policies are, and written as an example is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from control_tower.errors import PolicyError
from control_tower.nouns import Answer
from policies.document import Document, Entitlement, Policy
from policies.examples import said_of
from policies.lint.solver import Plain
from policies.readings import conclude_one, entitle_one
from policies.tables import Decision
from policies.terms import Example
from policies.verdict import is_missing, verdict

Record = Mapping[str, Plain]
Said = Mapping[str, Any]  # yes, unknown, proposes, advises, and gives by name

PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_@.-]*( [A-Za-z0-9_@.-]+)*")
NOT_TEXT = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


class Evaluator:
    """A document on one day, evaluated as the lanes evaluate it."""

    def __init__(self, document: Document, day: date) -> None:
        self.document, self.day = document, day

    def whole(self, record: Record) -> dict[str, Any]:
        """Every fact: as the record has it, and else as in an ordinary case; missing where neither says."""
        return {name: record.get(name, self.document.ordinary.get(name)) for name in self.document.facts} | dict(record)

    def concluded(self, record: Record) -> dict[str, Any]:
        """The whole record, with what the document and its entitlements conclude from it, and the thresholds."""
        facts = self.whole(record)
        if isinstance(self.document, Policy) and self.document.bound:
            facts, _ = entitle_one(self.document, facts, self.day)
        else:
            facts |= conclude_one(_judged(self.document), facts, self.day)[0]
        return {**facts, **self.document.thresholds_on(self.day)}

    def decision(self, table: str, record: Record) -> Decision:
        """What a table of the document decides."""
        facts = self.whole(record)
        if isinstance(self.document, Policy) and self.document.bound:
            facts, readings = entitle_one(self.document, facts, self.day)
        else:
            _, readings = conclude_one(_judged(self.document), facts, self.day)
        return next(one.decision for one in readings if one.table == table and one.document is self.document)

    def answer(self, text: str | None, record: Record) -> Answer:
        """What a condition of the document says."""
        if text is None:
            return Answer.yes
        expression = self.document.expression(text)
        row = self.concluded(record)
        return verdict(expression, row, self.document.catalogue, self.document.facts).answer


def _judged(document: Document) -> Policy | Entitlement:
    if not isinstance(document, Policy | Entitlement):
        raise PolicyError(f"{document.reference} is neither a lane's policy nor an entitlement")
    return document


def examples(
    document: Document, day: date, family: Sequence[Entitlement], named: Sequence[tuple[str, Record, Sequence[str]]]
) -> list[str]:
    """Situations in the form of a file of examples, with what is said of them today.

    Args:
        family: the entitlements that may be in force beside this one.
        named: of each its name, its record, and the tables to tell of; rules are told where there are none.
    """
    situations = [Example(name=name[:200], facts=_of_facts(document, record)) for name, record, _ in named]
    said = _said(document, situations, day, family)
    return [
        _text(document, day, example, one, tables)
        for example, one, (_, _, tables) in zip(situations, said, named, strict=True)
    ]


def _of_facts(document: Document, record: Record) -> dict[str, Plain]:
    return {name: value for name, value in record.items() if name in document.facts}


def _said(document: Document, situations: list[Example], day: date, family: Sequence[Entitlement]) -> Sequence[Said]:
    together = [one for one in family if not one.shadow or one.reference == document.reference]
    evaluator = Evaluator(document, day)
    alone: list[Said] = [{"gives": evaluator.concluded(example.facts)} for example in situations]
    try:
        return said_of(document, situations, day, together)
    except PolicyError:  # no version, or two, in force on the day: then it speaks for itself
        return alone


def _text(document: Document, day: date, example: Example, said: Said, tables: Sequence[str]) -> str:
    lines = [f"- name: {written(example.name)}"]
    if day != document.in_force.since:
        lines.append(f"  {'as_of' if isinstance(document, Policy) else 'bought_on'}: {day}")
    lines.append(f"  facts: {written(dict(example.facts))}")
    if tables:
        gives = said["gives"]
        lines.append(f"  gives: {written({table: gives.get(table) for table in tables})}")
    parts = ("yes", "unknown", "proposes", "advises")
    lines += [f"  {part}: {written(list(said[part]))}" for part in parts if said.get(part)]
    return "\n".join(lines) + "\n"


def written(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        plain = PLAIN_WORD.fullmatch(value) and value.lower() not in NOT_TEXT
        return value if plain or re.fullmatch(r"\d{4}-\d\d-\d\d", value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool) or is_missing(value):
        return {True: "true", False: "false"}.get(value, "null") if isinstance(value, bool) else "null"
    return json.dumps(int(value) if float(value).is_integer() else float(value))
