"""Every look is in the book: what was read, what was set aside, and which contract stopped it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from control_tower.errors import ContractBreach
from control_tower.ledger.looks import looks, newest_looks
from tests.flows.conftest import AS_OF, Tower

pytestmark = pytest.mark.slow


def test_a_look_is_in_the_book_with_what_it_accepted_and_set_aside(tower: Tower) -> None:
    tower.fill(300)
    report = tower.watch()
    (row,) = looks(tower.ledger)
    assert (row.run, row.lane, row.shop, row.as_of, row.breach) == (report.run_id, "fulfilment", "shop", AS_OF, "")
    assert row.accepted == report.accepted and row.quarantined == report.quarantined
    assert sum(row.accepted.values()) > 300


def test_a_dry_run_is_no_look(tower: Tower) -> None:
    tower.fill(100)
    tower.watch(dry_run=True)
    assert looks(tower.ledger) == []


def test_a_look_that_a_breach_stopped_names_the_contract_and_the_rule(tower: Tower, tmp_path: Path) -> None:
    orders = pd.DataFrame({"order_id": ["1"], "status": ["approved"]})
    (tmp_path / "export").mkdir()
    orders.to_csv(tmp_path / "export" / "orders.csv", index=False)
    with pytest.raises(ContractBreach):
        tower.watch(source=f"folder:{tmp_path / 'export'}")
    (row,) = newest_looks(tower.ledger)
    assert row.lane == "fulfilment" and row.breach.startswith("orders@") and row.accepted == {}
