"""Medusa's hands on a real server: paid once by six runs at once, and a 400 that lies is found out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from control_tower.errors import OutcomeUnknown, StoreError
from control_tower.ledger import Ledger
from control_tower.nouns import EffectState, Money
from control_tower.stores.hostile import HostileStore, Malice
from control_tower.stores.medusa import MedusaStore
from tasks.act import carry_out
from tests.ledger.books import approved, proposal
from tests.stores.medusa_service import MedusaStand

pytestmark = pytest.mark.large


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_six_runs_of_one_refund_at_once_leave_one(book: Ledger, medusa: MedusaStand) -> None:
    order = medusa.order(3500)
    leave = approved(book, proposal(order, source="folder:exports"))
    with ThreadPoolExecutor(6) as pool:
        effects = list(pool.map(lambda _: carry_out(book, medusa.store, leave), range(6)))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert medusa.refunds(order) == [1200]


def test_two_refunds_of_one_payment_side_by_side_are_both_made_and_both_known(
    book: Ledger, medusa: MedusaStand
) -> None:
    order = medusa.order(3500)
    leaves = [approved(book, proposal(order, amount, source="folder:exports")) for amount in (1200, 1300)]
    with ThreadPoolExecutor(2) as pool:
        effects = list(pool.map(lambda leave: carry_out(book, medusa.store, leave), leaves))
    assert {effect.state for effect in effects} == {EffectState.confirmed}
    assert medusa.refunds(order) == [1200, 1300]


@pytest.mark.parametrize("malice", [Malice.lost_reply, Malice.error_after_commit, Malice.early_reply])
def test_a_lost_or_lying_reply_pays_once(book: Ledger, medusa: MedusaStand, malice: Malice) -> None:
    order = medusa.order(3500)
    leave = approved(book, proposal(order, source="folder:exports"))
    carry_out(book, HostileStore(medusa.store, seed=1, mix={malice: 1}, lag=1.0), leave)
    assert carry_out(book, medusa.store, leave).state is EffectState.confirmed
    assert medusa.refunds(order) == [1200]


def test_a_wrong_key_is_told_and_never_shown(medusa: MedusaStand) -> None:
    stranger = MedusaStore(str(medusa.http.base_url), "sk_planted0123456789")
    with pytest.raises(StoreError, match="refuses the key") as refusal:
        stranger.refund("key", medusa.order(), Money(amount=100, currency="EUR"), "lost")
    assert not isinstance(refusal.value, OutcomeUnknown)
    assert "planted" not in str(refusal.value)
