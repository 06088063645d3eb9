"""The stores that the conformance suite is run over, and the ledgers that hands are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_tower.ledger import Ledger
from tests.postgres import new_database
from tests.stores import medusa_service, shopify_stand, stands, stripe_services, vendure_service
from tests.stores.stands import Stand

HERE = {"embedded": stands.embedded, "hostile, but quiet": stands.hostile_but_quiet}
NODE = {"shopify's schema": "shopify"}
SERVICES = {
    "vendure on sql.js": "vendure_on_sqljs",
    "vendure on postgresql": "vendure_on_postgres",
    "medusa": "medusa",
    "stripe-stateful-mock": "mocked_stripe",
    "localstripe": "careless_stripe",
}


@pytest.fixture(params=[*HERE, *NODE, *(pytest.param(name, marks=pytest.mark.large) for name in SERVICES)])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Stand:
    """One store after the other."""
    if request.param in HERE:
        return HERE[request.param](tmp_path)
    found: Stand = request.getfixturevalue((NODE | SERVICES)[request.param])
    return found


@pytest.fixture(scope="session")
def vendure_on_sqljs(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A Vendure that keeps its book in memory."""
    assert request.config.cache
    with vendure_service.vendure(request.config.cache.mkdir("vendure")) as server:
        yield vendure_service.stand(server)


@pytest.fixture(scope="session")
def vendure_on_postgres(request: pytest.FixtureRequest, postgres: str) -> Iterator[Stand]:
    """A Vendure that pays one payment back several times when it is asked at once."""
    assert request.config.cache
    with vendure_service.vendure(
        request.config.cache.mkdir("vendure"), new_database(postgres), refund_ms=300
    ) as server:
        yield vendure_service.stand(server)


@pytest.fixture(scope="session")
def medusa(request: pytest.FixtureRequest, postgres: str) -> Iterator[Stand]:
    """A Medusa, whose 400 can lie."""
    assert request.config.cache
    with medusa_service.medusa(request.config.cache.mkdir("medusa"), new_database(postgres)) as made:
        yield made


@pytest.fixture(scope="session")
def shopify(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A stand-in that executes Shopify's published schema."""
    assert request.config.cache
    with shopify_stand.stand(request.config.cache.mkdir("shopify")) as made:
        yield made


@pytest.fixture(scope="session")
def mocked_stripe(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A Stripe that keeps Stripe's rules."""
    pytest.importorskip("stripe", reason="Stripe's SDK is not installed")
    assert request.config.cache
    with stripe_services.stateful_mock(request.config.cache.mkdir("stripe-stateful-mock")) as url:
        yield stripe_services.make_stand(url, by_intent=False)


@pytest.fixture(scope="session")
def careless_stripe(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A Stripe that pays whatever it is asked, as often as it is asked."""
    pytest.importorskip("stripe", reason="Stripe's SDK is not installed")
    assert request.config.cache
    with stripe_services.localstripe(request.config.cache.mkdir("localstripe")) as url:
        yield stripe_services.make_stand(url, by_intent=True)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """The same book on either database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = new_database(request.getfixturevalue("postgres"))
    book = Ledger(url)
    yield book
    book.engine.dispose()
