"""A tower of its own for each test: shop, ledger and artifacts in a folder, on the session's server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyotp
import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from control_tower.keeping.records import Record, chain
from control_tower.keeping.step import open_archive
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import Credentials, enrol
from control_tower.ledger.proofs import Token
from control_tower.ledger.proposals import waiting_proposals
from control_tower.ledger.rulings import rule
from control_tower.nouns import Action, Proposal, Ruling, Verdict
from control_tower.server import Server
from control_tower.settings import Settings, settings
from control_tower.stores.generator import Rates, Truth, generate
from control_tower.stores.shop import EmbeddedShop
from desk.deploy import deploy
from desk.worker import work
from tasks.authority import written_authority
from tasks.report import LaneReport
from tests.thorough import own_seed

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
MANY_LOST = Rates(lost_shipment=0.02)
"""Of what is lost, some is lost for so long that a reship is proposed, on whatever day a shop ends."""


@pytest.fixture(scope="session")
def deployed(server: Server) -> dict[UUID, Any]:
    """The flows of this project by deployment id, deployed on the session's server."""
    return {each.id: each.flow for each in deploy(settings()) if each.id}


def code_of(given: Credentials, at: datetime | None = None) -> str:
    """The one-time code that a person's device shows now, or at a moment."""
    return pyotp.parse_uri(given.code_address).generate_otp(int((at or datetime.now(UTC)).timestamp()) // 30)


@dataclass
class Tower:
    """One tower under test. What its shop was made of comes first, so that a failed test shows it."""

    made: str = field(default="", init=False)
    settings: Settings
    flows: dict[UUID, Any]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings.ledger)

    @property
    def shop(self) -> EmbeddedShop:
        return EmbeddedShop(self.settings.shop)

    def fill(self, orders: int, *, seed: int = 3, as_of: datetime = AS_OF, **rest: Any) -> Truth:
        self.made = f"{orders=}, {seed=}, as_of={as_of.isoformat()}"
        return generate(self.settings.shop, orders=orders, seed=seed, as_of=as_of, **rest)

    def fill_now(self, orders: int, rates: Rates = MANY_LOST, **rest: Any) -> Truth:
        """Up to now, and like no other: tests share one Prefect server, where the same proposal is the same run."""
        now = datetime.now(UTC).replace(microsecond=0)
        return self.fill(orders, seed=own_seed(), as_of=now, rates=rates, **rest)

    def watch(self, **given: Any) -> LaneReport:
        from flows.watch_fulfilment import watch_fulfilment

        return watch_fulfilment(**({"as_of": AS_OF} | given))

    def records(self, report: LaneReport) -> dict[str, Record]:
        return {record.step: record for record in chain(open_archive(self.settings.artifacts), report.run_id)}

    def kept(self, report: LaneReport, step: str, name: str = "result") -> pd.DataFrame:
        address = self.records(report)[step].outputs[name]
        return pd.read_parquet(open_archive(self.settings.artifacts).path(*address))

    def waiting(self, action: Action) -> list[Proposal]:
        found = (Proposal.model_validate(row.body) for row in waiting_proposals(self.ledger))
        return [proposal for proposal in found if proposal.action is action]

    def rule(
        self,
        proposal: Proposal,
        verdict: Verdict = Verdict.approve,
        name: str = "ana",
        reason: str = "seen",
        amount: int | None = None,
    ) -> Ruling:
        if name not in self.tokens:
            self.tokens[name] = enrol(self.ledger, name, datetime.now(UTC)).token
        said = rule(
            self.ledger,
            proposal.digest,
            verdict,
            by=Token(name, self.tokens[name]),
            authority=written_authority(""),
            reason=reason,
            amount=amount,
            via="command",
            now=datetime.now(UTC),
        )
        assert isinstance(said, Ruling)
        return said

    def work(self) -> int:
        """Carry out whatever is due, as a worker would, until nothing is."""
        resolving = {id: flow for id, flow in self.flows.items() if flow.name == "resolve-case"}
        return work(resolving, self.settings, once=True)

    def refunds(self, order: str) -> list[int]:
        """What the shop's own book says went back on an order since it was filled, through our hands."""
        import sqlite3

        from control_tower.stores.shop import sqlite_file

        with sqlite3.connect(sqlite_file(self.settings.shop)) as book:
            rows = book.execute("SELECT amount FROM refunds WHERE order_id = ?", (order,)).fetchall()
        return [amount for (amount,) in rows]


@contextmanager
def own_tower(folder: Path, flows: dict[UUID, Any]) -> Iterator[Tower]:
    """A tower whose ledger, shop and artifacts lie in a folder, for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        environment.setenv("TOWER_SHOP_URL", f"sqlite:///{folder / 'shop.db'}")
        environment.setenv("TOWER_ARTIFACTS_URL", (folder / "artifacts").as_uri())
        # Prefect's heartbeat keeps the end of every run waiting for up to a second; a test has no need of it.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield Tower(settings(), flows)


@pytest.fixture
def tower(tmp_path: Path, deployed: dict[UUID, Any]) -> Iterator[Tower]:
    with own_tower(tmp_path, deployed) as mine:
        yield mine


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Iterator[Tower]:
    """One tower for a file of tests: its lane has run live, and proposals of every action wait."""
    with own_tower(tmp_path_factory.mktemp("watched"), deployed) as mine:
        mine.fill_now(2500)
        mine.watch(as_of=None)
        yield mine


def data(name: str) -> Path:
    """A folder of public data; the test skips where it is absent."""
    given = os.environ.get("TOWER_DATA")
    folder = (Path(given) if given else Path(__file__).parents[3] / "shared" / "data") / name
    if not folder.is_dir():
        pytest.skip(f"public data {name!r} is absent; name its folder in TOWER_DATA")
    return folder


@pytest.fixture
def public_data() -> Callable[[str], Path]:
    """A folder of public data; the test skips where it is absent."""
    return data
