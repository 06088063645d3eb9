"""Selection: the only form in which a model answers about a case, and what the evidence lets stand of it.

It has ids, stances, quotes and codes. There is no text of the model's own, no amount, no verdict and no action.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from control_tower.model import Answered, Question
from control_tower.model.briefs import Brief, Quoted
from control_tower.model.prompts import prompt
from control_tower.model.redaction import Redactor, cleaned
from control_tower.nouns import Case
from policies.meanings import Kind
from tasks.exhibits import Exhibits, Note
from tasks.reading import read_by_paper

PROMPT = "brief@1"
UNCLEAR = "unclear"
KINDS: tuple[Kind, ...] = ("contact", "mention", "return_reason")
Id = Annotated[str, Field(min_length=2, max_length=80)]


class Strict(BaseModel):
    """Nothing beside its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(Strict):
    """One item of evidence that matters."""

    evidence: Id
    stance: Literal["supports", "weakens", "context"]


class Quote(Strict):
    """A part of a note, letter by letter."""

    note: Id
    text: str = Field(min_length=3, max_length=240)


class Selection(Strict):
    """What a model may say."""

    points: tuple[Point, ...] = Field(max_length=8)
    quotes: tuple[Quote, ...] = Field(max_length=2)
    reason: Id
    missing: tuple[Id, ...] = Field(max_length=8)


def question(case: Case, exhibits: Exhibits, redactor: Redactor) -> Question[Selection]:
    """What is asked about a case: only exhibits, and of notes only what is left without personal data."""
    notes = {id: redactor.redact(note.text, exhibits.longest_note) for id, note in exhibits.notes.items()}
    sent = {
        "evidence": _evidence(exhibits, redactor),
        "notes": [{"id": id, "by": exhibits.notes[id].written_by, "text": text} for id, text in notes.items()],
        "reasons": [*exhibits.reasons, UNCLEAR],
        "missing": list(exhibits.missing),
    }
    return Question(
        lane=case.lane,
        case_id=case.id,
        prompt=prompt(PROMPT),
        content=json.dumps(sent, ensure_ascii=False, indent=1),
        evidence=exhibits.digest,
        form=Selection,
        check=lambda selection: complaint(selection, exhibits, notes) or _half_a_token(selection, exhibits, redactor),
    )


def _evidence(exhibits: Exhibits, redactor: Redactor) -> list[dict[str, object]]:
    facts = exhibits.policy.facts
    means = {rule.kind: rule.means for rule in exhibits.policy.rules}
    items: list[dict[str, object]] = []
    for id, told in exhibits.findings.items():
        finding = told.finding
        items.append(
            {"id": id, "kind": "finding", "means": means.get(finding.kind, finding.kind), "answer": finding.answer}
        )
        for name, (fact, value) in exhibits.facts.items():
            if name.partition(".")[0] == id:
                shown = redactor.redact(value, 80) if isinstance(value, str) else value
                items.append({"id": name, "kind": "fact", "means": facts[fact].means, "value": shown})
    return items


def complaint(selection: Selection, exhibits: Exhibits, notes: dict[str, str]) -> str:
    """What the evidence does not bear out, as words for the desk; nothing if it bears out all of it."""
    stances = exhibits.stances
    cited = [point.evidence for point in selection.points]
    if len(set(cited)) < len(cited):
        return "the same evidence twice"
    for point in selection.points:
        if point.stance not in stances.get(point.evidence, ()):
            return "evidence that is not there, or a stance that the rules do not give it"
    for quote in selection.quotes:
        if quote.text not in notes.get(quote.note, "") or not quote.text.strip():
            return "a quote that nobody wrote"
    if selection.reason not in (*exhibits.reasons, UNCLEAR):
        return "a reason that is not on the list"
    if selection.reason != UNCLEAR and not selection.quotes:
        return "a reason without the words that give it"
    if set(selection.missing) - set(exhibits.missing) or len(set(selection.missing)) < len(selection.missing):
        return "something missing that is not on the list"
    return ""


def _half_a_token(selection: Selection, exhibits: Exhibits, redactor: Redactor) -> str:
    """A quote that is cut through what stands for personal data is not what somebody wrote."""
    for quote in selection.quotes:
        written = cleaned(exhibits.notes[quote.note].text, exhibits.longest_note)
        if redactor.restore(quote.text) not in written:
            return "a quote that nobody wrote"
    return ""


def brief_of(case: Case, exhibits: Exhibits, redactor: Redactor, found: Answered[Selection]) -> Brief:
    """The brief of an answer; a template where there is none."""
    if found.answer is None:
        return template(case, exhibits, found.why.value if found.why else "")
    selection = found.answer
    chosen = [point.evidence for point in selection.points]
    # What the rules relied on is there whether or not it was chosen.
    left_out = [id for id in exhibits.findings if id not in chosen]
    return Brief(
        case_id=case.id,
        evidence=exhibits.digest,
        source="model",
        model=found.model,
        prompt=PROMPT,
        points=(*chosen, *left_out),
        quotes=tuple(_quoted(quote, exhibits, redactor) for quote in selection.quotes),
        reason="" if selection.reason == UNCLEAR else selection.reason,
        missing={name: exhibits.policy.facts[name].owner for name in selection.missing},
    )


def _quoted(quote: Quote, exhibits: Exhibits, redactor: Redactor) -> Quoted:
    note = exhibits.notes[quote.note]
    return quoted(note, redactor.restore(quote.text))


def quoted(note: Note, text: str) -> Quoted:
    """Words of a note, and what the whole of it is read as by the meanings on paper, where a customer wrote it."""
    read = read_by_paper(note.text, KINDS) if note.written_by == "the customer" else ()
    return Quoted(
        subject=note.subject, fact=note.fact, written_by=note.written_by, text=text,
        read_as=read[0].meaning if read else "",
    )  # fmt: skip


def template(case: Case, exhibits: Exhibits, why: str) -> Brief:
    """The brief without a model: every finding in the order of the rules, notes as they begin, the rules' own gaps."""
    quotes = tuple(quoted(note, cleaned(note.text, 240)) for note in list(exhibits.notes.values())[:2])
    return Brief(
        case_id=case.id,
        evidence=exhibits.digest,
        source="template",
        why=why,
        points=tuple(exhibits.findings),
        quotes=quotes,
        reason=_reason_by_paper(exhibits),
    )


def _reason_by_paper(exhibits: Exhibits) -> str:
    """What a customer's note most surely gives as the reason, by the meanings on paper; empty if nothing does."""
    for note in exhibits.notes.values():
        for read in read_by_paper(note.text, ("return_reason",)) if note.written_by == "the customer" else ():
            if read.meaning in exhibits.reasons:
                return read.meaning
    return ""
