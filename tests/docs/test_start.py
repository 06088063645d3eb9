"""The ten minutes of the first page: its own commands, one after the other, beside a tower that stays up."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PROJECT, blocks
from tests.docs.terminal import TOKEN, Terminal, eventually


def installed(folder: Path) -> None:
    """What `make` leaves behind, as far as the page uses it: an environment with the tower command."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f"export PATH='{programs}':$PATH\n")
    command = f"exec env PYTHONPATH='{PROJECT}' '{sys.executable}' -c \"from desk.command import main; main()\" \"$@\""
    (programs / "tower").write_text(f"#!/bin/sh\n{command}\n")
    (programs / "tower").chmod(0o755)


@pytest.mark.large
@pytest.mark.timeout(1200)
def test_the_ten_minutes_are_as_the_page_says(tmp_path: Path) -> None:
    installed(tmp_path)
    terminal, said, up = Terminal(tmp_path, COLUMNS="200"), "", tmp_path / "up"
    with ExitStack() as running:
        for block in blocks(DOCS / "start.md"):
            if block.mark == "keep running":
                running.enter_context(terminal.keep(block.text, up))
                eventually(lambda: "Ctrl-C stops it all" in up.read_text(), 120)
            elif block.mark == "run":
                token = TOKEN.search(said)
                said += terminal.type(block.text, f"{token[1]}\n" if token else "", 400)
                if "tower effects" in block.text:
                    eventually(lambda: "confirmed" in terminal.type("tower effects"), 200)
    assert "every row is what was written" in said
    assert "Traceback" not in said + up.read_text()
