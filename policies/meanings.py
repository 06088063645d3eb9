"""Meanings: what customers say, with the words that say it. A reading is a hint, never a verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Literal

from pydantic import Field

from control_tower.errors import PolicyError, nearest
from control_tower.nouns import Noun
from control_tower.wording import folded
from control_tower.written.faults import Fault
from policies.messages import LANGUAGES, Language
from policies.papers import Paper, read_paper
from policies.terms import Identifier, Term

Kind = Literal["return_reason", "contact", "mention"]
BETWEEN = r"\W+(?:[\w'-]+\W+){0,5}?"
LONGEST = 5_000  # characters of a text that are read
BEFORE = 2  # words in front of a match that can take it back


class Meaning(Term):
    """One thing that customers mean, and whose it is."""

    id: Identifier
    kind: Kind
    means: str = Field(min_length=5)
    team: str = Field(min_length=2)
    itself_a_no: bool = False
    says: dict[Language, tuple[str, ...]]


class Said(Noun):
    """A meaning in a text, and the words that gave it."""

    meaning: str
    language: Language
    start: int
    end: int
    words: str
    weight: int = Field(description="words of the pattern: what says more says it more surely")


class Meanings(Paper):
    """All of them."""

    negators: dict[Language, tuple[str, ...]]
    meanings: tuple[Meaning, ...] = Field(min_length=1)

    @cached_property
    def by_id(self) -> dict[str, Meaning]:
        """Each by its id."""
        return {one.id: one for one in self.meanings}

    def read(self, text: str, kinds: Sequence[Kind] = ("return_reason", "contact", "mention")) -> tuple[Said, ...]:
        """What a text says, the surest first; for each meaning its surest words.

        Args:
            text: any text; its first five thousand characters are read.
        """
        text = text[:LONGEST].replace("’", "'")
        plain = folded(text)
        found = [said for one in self.meanings if one.kind in kinds if (said := self._said(one, text, plain))]
        return tuple(sorted(found, key=lambda said: -said.weight))

    def surest(self, text: str, kinds: Sequence[Kind]) -> Said | None:
        """What a text says most surely."""
        return next(iter(self.read(text, kinds)), None)

    def words(self, meaning: str, text: str) -> str | None:
        """The words of a text that most surely say one thing; nothing where none do.

        Raises:
            PolicyError: no such meaning.
        """
        if meaning not in self.by_id:
            near = nearest(meaning, [*self.by_id])
            raise PolicyError(f"there is no meaning {meaning!r}", where=self.reference, remedy=near)
        text = text[:LONGEST].replace("’", "'")
        said = self._said(self.by_id[meaning], text, folded(text))
        return said.words if said else None

    def _said(self, meaning: Meaning, text: str, plain: str) -> Said | None:
        best: Said | None = None
        for language, patterns in meaning.says.items():
            for written in patterns:
                compiled, weight = _pattern(written)
                if best is not None and weight <= best.weight:
                    continue
                for match in compiled.finditer(plain):
                    if meaning.itself_a_no or not self._taken_back(plain[: match.start()], language):
                        start, end = match.span()
                        best = Said(
                            meaning=meaning.id, language=language, start=start, end=end, words=text[start:end],
                            weight=weight,
                        )  # fmt: skip
                        break
        return best

    def _taken_back(self, before: str, language: Language) -> bool:
        near = re.findall(r"[\w']+|[.!?;]", before[-60:])[-BEFORE:]
        if any(mark in near for mark in ".!?;"):
            near = near[max(place for place, word in enumerate(near) if word in ".!?;") + 1 :]
        return bool(set(near) & _negators(self.negators.get(language, ())))


@lru_cache(maxsize=8)
def _negators(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(folded, words))


@lru_cache(maxsize=4000)
def _pattern(written: str) -> tuple[re.Pattern[str], int]:
    """`word*` any ending, `a|b` either, `...` up to five words between; and how many words it has."""
    parts, weight = [], 0
    for part in written.split("..."):
        words = []
        for word in part.split():
            either = [
                re.escape(folded(one.rstrip("*"))) + (r"[\w'-]*" if one.endswith("*") else "")
                for one in word.split("|")
            ]
            words.append(f"(?:{'|'.join(either)})")
            weight += 1
        parts.append(r"\W+".join(words))
    return re.compile(r"(?<!\w)" + BETWEEN.join(parts) + r"(?!\w)"), weight


def faults(meanings: Meanings) -> list[Fault]:
    """What is wrong beyond the form: an id twice, a language without words, a pattern of nothing."""
    found: list[Fault] = []
    ids = [one.id for one in meanings.meanings]
    for number, one in enumerate(meanings.meanings):
        place = ("meanings", number)
        if ids.index(one.id) != number:
            found.append(Fault((*place, "id"), f"{one.id!r} is there twice"))
        for language in LANGUAGES:
            patterns = one.says.get(language, ())
            if not patterns:
                found.append(Fault((*place, "says"), f"{one.id} has no words in {language}"))
            for pattern in patterns:
                if any(not word.strip("*|.") for part in pattern.split("...") for word in (part.split() or [""])):
                    found.append(Fault((*place, "says", language), f"{pattern!r} would be found in anything"))
    return found


@lru_cache(maxsize=1)
def meanings() -> Meanings:
    """The ones in force."""
    return read_paper(Meanings, "meanings", faults)
