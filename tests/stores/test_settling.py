"""What is in the air is read again until it is settled, and what stays unknown is said once, out loud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proposals import find_proposal
from control_tower.nouns import EffectState
from control_tower.settings import settings
from control_tower.slack.outbox import Outbox
from control_tower.stores.hostile import HostileStore, Malice
from control_tower.stores.protocol import undoing
from tasks.act import carry_out
from tasks.settle_effects import settle_open
from tests.ledger.books import approved, proposal
from tests.stores.stands import EmbeddedStand, embedded


@pytest.fixture
def tower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_SHOP_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    yield settings()


def said(ledger: Ledger) -> list[str]:
    from control_tower.slack.tables import OutboxMessage

    Outbox(ledger.engine)
    with ledger.read() as session:
        return [row.text for row in session.query(OutboxMessage)]


def deaf(shop: EmbeddedStand, malice: Malice) -> HostileStore:
    """A store whose reply is lost and whose book can't be read at once."""
    return HostileStore(shop.store, seed=1, mix={malice: 1}, lag=0.05)


def test_a_sweep_settles_what_the_store_shows_by_now(tower: Any, tmp_path: Path) -> None:
    ledger, shop = open_ledger(tower.ledger), embedded(tmp_path)
    leave = approved(ledger, proposal(shop.order()))
    assert carry_out(ledger, deaf(shop, Malice.lost_request), leave).state is EffectState.unknown
    key = leave.proposal.digest
    shop.store.refund(key, "1001", leave.proposal.money, "it came late")
    swept = settle_open()
    assert [each.key for each in swept.settled] == [key]
    assert find_effect(ledger, key).state is EffectState.confirmed
    assert find_proposal(ledger, key).standing == "done"
    assert shop.refunds("1001") == [1200]
    assert settle_open().settled == ()


def test_what_no_read_shows_stays_unknown_and_the_channel_is_told_once(tower: Any, tmp_path: Path) -> None:
    ledger, shop = open_ledger(tower.ledger), embedded(tmp_path)
    leave = approved(ledger, proposal(shop.order()))
    carry_out(ledger, deaf(shop, Malice.lost_request), leave)
    for _ in range(3):
        assert [key for key, _ in settle_open().unknown] == [leave.proposal.digest]
    assert shop.refunds("1001") == [], "a sweep reads and never pays"
    told = [text for text in said(ledger) if "not known whether this happened" in text]
    assert len(told) == 1
    assert carry_out(ledger, shop.store, leave).state is EffectState.confirmed
    assert shop.refunds("1001") == [1200]


def test_what_a_store_did_twice_is_told(tower: Any, tmp_path: Path) -> None:
    ledger, shop = open_ledger(tower.ledger), embedded(tmp_path)
    leave = approved(ledger, proposal(shop.order()))
    carry_out(ledger, deaf(shop, Malice.duplicate), leave)
    assert settle_open().alarms[0][1].startswith("the store did it 2 times")
    assert any("did it 2 times" in text for text in said(ledger))


def test_before_it_is_approved_a_person_is_told_what_can_be_undone() -> None:
    assert undoing("refund") == "A refund can't be undone."
    assert undoing("reship") == (
        "A reship is compensable, by cancel reship, until the new parcel is handed to the carrier."
    )
    assert undoing("hold") == "A hold is reversible, by release."
