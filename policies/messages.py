"""Messages: what customers may be written, and how a slot is filled. No model writes any of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from string import Formatter
from typing import Literal

from pydantic import Field

from control_tower.written.faults import Fault
from policies.papers import Paper, read_paper
from policies.terms import Identifier, Term

Language = Literal["en", "pt", "es"]
Tone = Literal["plain", "warm"]
LANGUAGES: tuple[Language, ...] = ("en", "pt", "es")
TONES: tuple[Tone, ...] = ("plain", "warm")
DAYS = {"en": "d MMMM y", "pt": "d 'de' MMMM 'de' y", "es": "d 'de' MMMM 'de' y"}


class Message(Term):
    """One message in every language and tone."""

    id: Identifier
    about: Identifier = Field(description="what a case must be about: an order, a return")
    means: str = Field(min_length=5)
    words: dict[Language, dict[Tone, str]]


class Never(Term):
    """Words that no customer may read, and why."""

    because: str = Field(min_length=5)
    words: tuple[str, ...] = Field(min_length=1, description="patterns with commas between")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Each pattern by itself."""
        return tuple(pattern.strip() for line in self.words for pattern in line.split(",") if pattern.strip())


class Messages(Paper):
    """All of them."""

    slots: dict[Identifier, str]
    messages: tuple[Message, ...] = Field(min_length=1)
    placed: dict[Language, str]
    never: tuple[Never, ...] = Field(min_length=1)
    hosts: tuple[str, ...] = ()
    longest: int = Field(ge=200, le=10_000)

    def about(self, what: str) -> Message | None:
        """The message of what a case is about. Nothing else chooses it."""
        return next((one for one in self.messages if one.about == what), None)


def faults(messages: Messages) -> list[Fault]:
    """What is wrong beyond the form: a language or tone that is missing, an unknown slot, a word that leaks."""
    from policies.leaks import leaks

    found: list[Fault] = []
    abouts = [one.about for one in messages.messages]
    for number, message in enumerate(messages.messages):
        place = ("messages", number)
        if abouts.index(message.about) != number:
            found.append(Fault((*place, "about"), f"a second message about {message.about!r}", "there is one choice"))
        for language in LANGUAGES:
            for tone in TONES:
                text = message.words.get(language, {}).get(tone)
                where = (*place, "words", language, tone)
                if text is None:
                    found.append(Fault(where, f"{message.id} has no {tone} words in {language}"))
                    continue
                if wrong := _wrong_slot(text, messages):
                    found.append(Fault(where, wrong, f"there are {', '.join(messages.slots)}"))
                    continue
                said = filled(messages, message, language, tone, {"order": "A1", "shop": "B2"}, date(2026, 1, 2))
                for leak in leaks(said, messages, said):
                    found.append(Fault(where, f"{leak.found!r}: {leak.because}"))
    return found


def _wrong_slot(text: str, messages: Messages) -> str:
    try:
        names = [(name, form, conversion) for _, name, form, conversion in Formatter().parse(text) if name is not None]
    except ValueError as fault:
        return f"words that can't be read: {fault}"
    return next(
        (f"no slot {name!r}" for name, form, conversion in names if name not in messages.slots or form or conversion),
        "",
    )


def filled(
    messages: Messages,
    message: Message,
    language: Language,
    tone: Tone,
    slots: Mapping[str, str],
    placed_on: date | None,
) -> str:
    """The words with their slots; the day is written as that language writes days."""
    from babel.dates import format_date

    placed = ""
    if placed_on is not None:
        day = format_date(placed_on, DAYS[language], locale=language)
        placed = messages.placed[language].replace("{day}", day)
    shown = {name: " ".join(value.split()) for name, value in slots.items()} | {"placed_on": placed}
    parts = []
    for text, name, _, _ in Formatter().parse(message.words[language][tone]):
        parts += [text, shown[name] if name is not None else ""]
    return "".join(parts).strip()


@lru_cache(maxsize=1)
def messages() -> Messages:
    """The ones in force."""
    return read_paper(Messages, "messages", faults)
