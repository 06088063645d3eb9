"""One tower, two shops at two stores of their own: what is approved for one reaches that store alone, by its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy.orm import Session

import data_contracts
from control_tower.ledger.approvers import enrol
from control_tower.ledger.effects import find_effect
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.rulings import rule
from control_tower.nouns import Action, EffectState, Proposal, Verdict
from control_tower.settings import settings
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.tables import OrderRow, PaymentRow
from flows.sweep_approvals import sweep_approvals
from tasks.authority import authority_over
from tests.flows.conftest import Tower, deployed, own_tower  # noqa: F401 - fixtures
from tests.stores.shopify_stand import ShopifyStand, stand

BERLIN, RECIFE = "berlin", "recife"
KEYS = {BERLIN: "shpat_of_berlin_0123456789", RECIFE: "shpat_of_recife_0123456789"}
SHOPS = """
shops:
  berlin:
    source: "folder:berlin"
    hands: {{store: shopify, url: "{berlin}", key: BERLIN_TOKEN}}
  recife:
    source: "folder:recife"
    hands: {{store: shopify, url: "{recife}", key: RECIFE_TOKEN}}
"""


@dataclass
class TwoStores:
    """A tower over two shops, and the store of each."""

    tower: Tower
    stores: dict[str, ShopifyStand]

    def waiting(self) -> dict[str, Proposal]:
        return {each.shop: each for each in self.tower.waiting(Action.refund)}

    def approve(self, asked: Proposal) -> None:
        known = self.tower.tokens
        if asked.shop not in known:
            given = enrol(self.tower.ledger, asked.shop, datetime.now(UTC), roles=("lead",), shops=(asked.shop,))
            known[asked.shop] = given.token
        by = Token(asked.shop, known[asked.shop])
        rule(
            self.tower.ledger, asked.digest, Verdict.approve, by=by, authority=authority_over(asked), reason="seen",
            via="command", now=datetime.now(UTC),
        )  # fmt: skip
        sweep_approvals()
        self.tower.work()


@pytest.fixture
def both(
    tmp_path: Path,
    deployed: Any,  # noqa: F811
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TwoStores]:
    """In each shop the same order, under one id: paid, cancelled since, and never paid back."""
    assert request.config.cache
    cache = request.config.cache.mkdir("shopify")
    with ExitStack() as open_ones, own_tower(tmp_path, deployed) as tower:
        stores = {shop: open_ones.enter_context(stand(cache, KEYS[shop])) for shop in KEYS}
        for shop, store in stores.items():
            cancelled_and_paid(tmp_path / shop, store.order(paid=4000))
            monkeypatch.setenv(f"{shop.upper()}_TOKEN", KEYS[shop])
        (tmp_path / "shops.yaml").write_text(SHOPS.format(**{shop: store.url for shop, store in stores.items()}))
        monkeypatch.setenv("TOWER_SHOPS", str(tmp_path / "shops.yaml"))
        tower.settings = settings()
        yield TwoStores(tower, stores)


def cancelled_and_paid(folder: Path, order: str) -> None:
    """One shop's evidence as files: every table there is, most of them empty."""
    folder.mkdir()
    placed, now = datetime.now(UTC) - timedelta(days=9), datetime.now(UTC)
    shop = EmbeddedShop(f"sqlite:///{folder.parent / folder.name}.db")
    common: dict[str, Any] = {"order_id": order, "currency": "EUR", "observed_at": now}
    with Session(shop.engine) as session, session.begin():
        session.add(
            OrderRow(
                **common, customer_id="C7", status="cancelled", status_at=now - timedelta(days=4), placed_at=placed,
                approved_at=placed, cancelled_at=now - timedelta(days=4), total_amount=4000,
            )
        )  # fmt: skip
        session.add(PaymentRow(**common, payment_id="P1", amount=4000, paid_at=placed))
    with duckdb.connect() as connection:
        for table in set(shop.tables()) & set(data_contracts.names()):
            columns = data_contracts.load(table).duckdb_types()
            named = ", ".join(f'"{name}"' for name in columns)
            rows = connection.sql(f"SELECT {named} FROM ({shop.relation(connection, table, columns)})")
            rows.write_parquet(str(folder / f"{table}.parquet"))
    shop.engine.dispose()


@pytest.mark.large
def test_what_is_approved_for_one_shop_reaches_its_own_store_alone_and_by_its_own_key(both: TwoStores) -> None:
    for shop in KEYS:
        both.tower.watch(source=f"shop:{shop}", as_of=None)
    asked = both.waiting()
    assert asked.keys() == KEYS.keys()
    order = asked[BERLIN].order_id
    assert order == asked[RECIFE].order_id and asked[BERLIN].money == asked[RECIFE].money
    both.approve(asked[BERLIN])
    assert both.stores[BERLIN].refunds(order) == [4000] and both.stores[RECIFE].refunds(order) == []
    effect = find_effect(both.tower.ledger, asked[BERLIN].digest)
    assert effect and effect.state is EffectState.confirmed
    assert find_effect(both.tower.ledger, asked[RECIFE].digest) is None
    assert find_proposal(both.tower.ledger, asked[RECIFE].digest).standing == "waiting"
    assert set(both.stores[RECIFE].shop.calls) <= {(KEYS[RECIFE], "query")}, "nothing but reads, by its own key"
    assert {key for key, _ in both.stores[BERLIN].shop.calls} == {KEYS[BERLIN]}

    both.approve(asked[RECIFE])
    assert [store.refunds(order) for store in both.stores.values()] == [[4000], [4000]]
    assert {key for key, _ in both.stores[RECIFE].shop.calls} == {KEYS[RECIFE]}
    assert {key for key, _ in both.stores[BERLIN].shop.calls} == {KEYS[BERLIN]}


@pytest.mark.large
def test_a_shop_whose_key_is_gone_acts_by_no_other_shops_key(both: TwoStores, monkeypatch: pytest.MonkeyPatch) -> None:
    for shop in KEYS:
        both.tower.watch(source=f"shop:{shop}", as_of=None)
    asked = both.waiting()
    monkeypatch.delenv("BERLIN_TOKEN")
    both.approve(asked[BERLIN])
    assert [store.refunds(asked[BERLIN].order_id) for store in both.stores.values()] == [[], []]
    assert [call for store in both.stores.values() for call in store.shop.calls if call[1] == "mutation"] == []
