"""One thing that the server has otherwise than the files say."""

from __future__ import annotations

from typing import Any, NamedTuple

NEW, NOT_IN_THE_FILE, GONE = "new", "not in the file", "gone"


class Difference(NamedTuple):
    """What it is, which field of it, and both sides. Where the whole thing is on one side only, the field says so."""

    what: str
    field: str
    server: Any
    file: Any
