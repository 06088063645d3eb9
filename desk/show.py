"""How the command shows things: tables for people, one JSON object for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 120  # columns to write to where nobody watches

out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True)
WHOLE = {"case", "proposal", "id", "proposed", "flow run"}  # what people copy is never broken over lines


def as_json(content: Any) -> None:
    """Print one JSON document on standard output, and nothing else."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print a table; every cell is text from outside and is shown as it is, never as markup."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in WHOLE
        )
    for row in rows:
        shown.add_row(*(Text(printable(str(cell))) for cell in row))
    out.print(shown)


def printable(text: str) -> str:
    """Text without terminal control characters, which could rewrite what a person reads."""
    return "".join(ch if ch.isprintable() or ch == "\n" else "�" for ch in text)


def money(amounts: dict[str, int]) -> str:
    """Amounts in minor units by currency, for people."""
    from control_tower.nouns import Money

    return ", ".join(str(Money(amount=amount, currency=currency)) for currency, amount in amounts.items()) or "-"
