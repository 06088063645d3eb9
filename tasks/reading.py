"""Reading: what a customer's text means, with the words that say so: by the meanings on paper, or by a model.

Either way a meaning is on the list and its words are in the text, or it is not told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from control_tower.ledger import Ledger
from control_tower.model import Question, ask
from control_tower.model.prompts import prompt
from control_tower.model.redaction import Redactor, cleaned
from control_tower.nouns import Noun, digest_of
from control_tower.settings import Settings
from policies.meanings import Kind, meanings

PROMPT = "reading@1"
NONE = "none"
LONGEST = 1500


class Read(Noun):
    """What a text says, and the words that say so."""

    meaning: str
    words: str
    by: str = Field(description="the paper or the model that read it")


class Answer(BaseModel):
    """What a model may say of a text."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    meaning: str = Field(max_length=60)
    words: str = Field(max_length=400)


def read_by_paper(text: str, kinds: Sequence[Kind]) -> tuple[Read, ...]:
    """Everything that a text says, the surest first."""
    paper = meanings()
    return tuple(Read(meaning=one.meaning, words=one.words, by=paper.reference) for one in paper.read(text, kinds))


def read_by_model(
    ledger: Ledger, tower: Settings, key: bytes, name: str, text: str, kinds: Sequence[Kind]
) -> tuple[Read, ...]:
    """What a model reads in a text; nothing where it does not answer, or its words are not there.

    Args:
        name: what the text is kept under, as a case is.
    """
    redactor = Redactor(key, name, {})
    sent = redactor.redact(text, LONGEST)
    known = {one.id: one.means for one in meanings().meanings if one.kind in kinds}

    def check(answer: Answer) -> str:
        if answer.meaning == NONE:
            return ""
        said = bool(answer.words.strip()) and answer.words in sent
        whole = redactor.restore(answer.words) in cleaned(text, LONGEST)
        return "" if answer.meaning in known and said and whole else "a meaning or words that are not there"

    asked = Question(
        lane="reading",
        case_id=name,
        prompt=prompt(PROMPT),
        content=json.dumps({"text": sent, "meanings": known}, ensure_ascii=False),
        evidence=digest_of([text, sorted(known)]),
        form=Answer,
        check=check,
    )
    found = ask(ledger, tower, asked)
    if found.answer is None or found.answer.meaning == NONE:
        return ()
    return (Read(meaning=found.answer.meaning, words=redactor.restore(found.answer.words), by=found.model),)
