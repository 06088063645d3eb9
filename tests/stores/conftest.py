"""The stores that the conformance suite is run over, and the ledgers that hands are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_tower.ledger import Ledger
from tests.ledger.books import new_database, postgres
from tests.stores import stands
from tests.stores.stands import Stand

STANDS = {"embedded": stands.embedded, "hostile, but quiet": stands.hostile_but_quiet}


@pytest.fixture(params=STANDS)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Stand:
    """One store after the other."""
    return STANDS[request.param](tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server, for as long as the session lasts."""
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """The same book on either database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = new_database(request.getfixturevalue("postgres_server"))
    book = Ledger(url)
    yield book
    book.engine.dispose()
