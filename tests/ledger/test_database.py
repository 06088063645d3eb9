"""The ledger's database: what is not a ledger of this release is refused before anything is read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from control_tower.errors import LedgerError
from control_tower.ledger import Ledger


def test_a_ledger_of_another_release_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{file}").engine.dispose()
    with sqlite3.connect(file) as book:
        book.execute("ALTER TABLE approvers DROP COLUMN email")
    before = file.read_bytes()
    with pytest.raises(LedgerError, match="its table approvers has no email: another release made it"):
        Ledger(f"sqlite:///{file}")
    assert file.read_bytes() == before
