"""After the worst: the page's own lines, in a real tower that loses Prefect's database, its server and its ledger."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_tower.server import running_server
from control_tower.settings import Settings
from tests.docs.pages import DOCS, PROJECT, Block, blocks
from tests.docs.terminal import TOKEN, Terminal, eventually
from tests.docs.test_start import installed
from tests.postgres import new_database

BLOCKS = [block for block in blocks(DOCS / "recovery.md") if block.mark.startswith("run")]
SERVER = re.compile(r"UI +(http://\S+)")
SLOWLY = 240
"""Seconds that a block may take on a machine that has other things to do."""


def containing(words: str, mark: str = "run") -> Block:
    """The one block of the page that has these words under this mark."""
    (found,) = [block for block in BLOCKS if words in block.text and block.mark == mark]
    return found


def terminal_in(folder: Path, **environment: str) -> Terminal:
    """A terminal with the project's programs on its path, and nothing of whoever runs the tests."""
    installed(folder)
    programs, home = folder / ".venv" / "bin", folder / "home"
    home.mkdir()
    for name, module in (("prefect", " -m prefect"), ("python", "")):
        (programs / name).write_text(f"#!/bin/sh\nexec env PYTHONPATH='{PROJECT}' '{sys.executable}'{module} \"$@\"\n")
        (programs / name).chmod(0o755)
    terminal = Terminal(folder, COLUMNS="200", HOME=str(home), NO_PROXY="127.0.0.1,localhost", **environment)
    terminal.type(". .venv/bin/activate")
    return terminal


@contextmanager
def up(terminal: Terminal, name: str) -> Iterator[Path]:
    """`tower up` in another terminal; `SERVER` is what it says."""
    said = terminal.folder / name
    with terminal.keep("tower up --orders 600", said):
        eventually(lambda: "Ctrl-C stops it all" in said.read_text(), SLOWLY)
        terminal.type(f"export SERVER={SERVER.findall(said.read_text())[0]}")
        yield said
    assert "Traceback" not in said.read_text()


def suspended(terminal: Terminal) -> int:
    """How many cases wait at the server that the terminal knows."""
    return terminal.type("prefect flow-run ls --flow-name resolve-case --limit 200", seconds=SLOWLY).count("PAUSED")


def went_back(folder: Path) -> list[Any]:
    with sqlite3.connect(folder / ".tower" / "shop.db") as shop:
        return shop.execute("SELECT order_id, amount FROM refunds ORDER BY refund_id").fetchall()


@pytest.mark.large
@pytest.mark.timeout(2400)
def test_the_page_brings_a_tower_back_from_everything_that_it_speaks_of(
    tmp_path: Path, another_tower: Settings, no_server: None
) -> None:
    terminal, done = terminal_in(tmp_path), list[Block]()

    def follow(block: Block, answers: str = "") -> str:
        done.append(block)
        if block.mark == "run, ends with 1":
            return terminal.type(f"(\n{block.text}\n) && exit 9 || test $? = 1", seconds=SLOWLY)
        return terminal.type(block.text, answers, SLOWLY)

    with up(terminal, "first"):
        token = TOKEN.search(terminal.type("tower approver add fay --role finance", seconds=SLOWLY))
        assert token
        terminal.type("tower run fulfilment", seconds=SLOWLY)
        follow(containing("VACUUM INTO", "run on sqlite"))
        paying = "read -rs TOWER_TOKEN && export TOWER_TOKEN\ntower approve --all --action refund --as fay --yes"
        before = went_back(tmp_path)
        terminal.type(f"{paying}\nunset TOWER_TOKEN", f"{token[1]}\n", SLOWLY)
        eventually(lambda: "confirmed" in (told := terminal.type("tower effects")) and "intended" not in told, SLOWLY)
    paid = went_back(tmp_path)
    assert len(paid) > len(before)

    for lost in (tmp_path / ".tower" / "prefect").glob("prefect.db*"):
        lost.unlink()
    with up(terminal, "second"):
        follow(containing("or wait a quarter of an hour"))
        eventually(lambda: suspended(terminal) > 0, SLOWLY)

    with running_server(another_tower, port=0) as another:
        terminal.type(f"export ANOTHER_SERVER={another.ui}")
        follow(containing("ANOTHER_SERVER", "run on another server"))
        with up(terminal, "third"):
            eventually(lambda: suspended(terminal) > 0, SLOWLY)
    (copy,) = (tmp_path / "backup").iterdir()  # it is another day, and another shell
    terminal.type(f"unset PREFECT_API_URL; export BACKUP='{copy}'")

    follow(containing("ledger.db-wal", "run on sqlite"))
    follow(containing("ledger upgrade --check"))
    assert "it was restored from before them" in " ".join(
        follow(containing("tower recover", "run, ends with 1")).split()
    )
    assert "fay answers for it" in follow(containing("recover accept"), f"{token[1]}\n")
    with up(terminal, "fourth"):
        told = follow(containing("tower audit verify"))
    assert "fay answers for it" in " ".join(told.split()) and "every row is what was written" in told
    assert went_back(tmp_path) == paid, "what was paid is paid once, whatever was lost"
    assert {str(block) for block in done} == {str(block) for block in BLOCKS if block.mark != "run on postgres"}


@pytest.mark.large
@pytest.mark.timeout(600)
def test_a_ledger_on_postgresql_is_dumped_and_put_back_as_the_page_says(tmp_path: Path, postgres: str) -> None:
    for program in ("pg_dump", "pg_restore"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on the path")
    terminal = terminal_in(tmp_path, TOWER_LEDGER_URL=new_database(postgres))
    terminal.type("tower approver add fay --role finance", seconds=SLOWLY)
    (tmp_path / ".tower" / "artifacts").mkdir(exist_ok=True)
    terminal.type(containing("pg_dump", "run on postgres").text)
    terminal.type("tower approver add bo --role lead", seconds=SLOWLY)
    terminal.type(f"export TOWER_LEDGER_URL={new_database(postgres)}")
    terminal.type(containing("pg_restore", "run on postgres").text)
    terminal.type(containing("ledger upgrade --check").text, seconds=SLOWLY)
    listed = terminal.type("tower approver list", seconds=SLOWLY)
    assert "fay" in listed and "bo" not in listed.split()
    assert "behind neither" in " ".join(terminal.type("tower recover", seconds=SLOWLY).split())
