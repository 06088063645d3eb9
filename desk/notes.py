"""`tower note`: what the customer of a case may be told, and whether a person's wording of it may be sent."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from control_tower.errors import NotFound, SettingError, nearest
from control_tower.ledger import open_ledger
from control_tower.ledger.dossiers import dossier
from control_tower.settings import settings
from desk.show import as_json, out, printable
from policies.messages import Language, Tone
from tasks.customer_note import checked, note_of

LARGEST = 100_000  # bytes of a wording


def show_note(handle: str, language: str, tone: str, text: Path | None, *, json: bool) -> None:
    """The draft, or a wording that passed.

    Raises:
        MessageRefused: the wording tells what a customer may not read.
    """
    for given, kind, option in ((language, Language, "--language"), (tone, Tone, "--tone")):
        if given not in get_args(kind):
            raise SettingError(f"there is no {given!r}", where=option, remedy=nearest(given, get_args(kind)))
    spoken = TypeAdapter[Language](Language).validate_python(language)
    told = TypeAdapter[Tone](Tone).validate_python(tone)
    case = dossier(open_ledger(settings().ledger), handle).case
    draft = note_of(case, spoken, told)
    if not draft:
        raise NotFound("there is no message about it", where=case.id, remedy="it concerns no one customer")
    final = checked(case, _read(text) if text else draft, spoken, told)
    if json:
        as_json({"case": case.id, "language": language, "tone": tone, "text": final, "own_words": final != draft})
        return
    out.print(printable(final), markup=False, highlight=False)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingError("can't be read as UTF-8 text", where=str(file)) from fault
