"""The whole suite keeps to a folder of its own, and shares one real Prefect server.

Set before anything imports Prefect: the user's home, profile and servers are never touched.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

HOME = Path(tempfile.mkdtemp(prefix="tower-tests-"))
OURS = ("TOWER_DATA", "TOWER_TEST_POSTGRES")  # what a test run itself is told
for name in [name for name in os.environ if name.startswith(("PREFECT_", "TOWER_")) and name not in OURS]:
    del os.environ[name]
os.environ["TOWER_HOME"] = str(HOME)
os.environ["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] = "2"  # so that a test can see it turn
# Prefect's clients read every authority that certifies servers each time one is made, and none is asked over TLS here.
with Path(certifi.where()).open() as known, (HOME / "authority.pem").open("w") as one:
    for line in known:
        if one.write(line) and line.startswith("-----END"):
            break
os.environ["PREFECT_API_SSL_CERT_FILE"] = str(HOME / "authority.pem")

from control_tower.server import Server, running_server, use  # noqa: E402
from control_tower.settings import Settings, settings  # noqa: E402
from tests.buckets import bucket_server  # noqa: E402
from tests.postgres import postgres_server  # noqa: E402
from tests.thorough import be_quick  # noqa: E402

use(settings())
be_quick()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is run on PostgreSQL, so that it can be left out where only Python is."""
    for item in items:
        params = item.callspec.params.values() if hasattr(item, "callspec") else ()
        asked = {*getattr(item, "fixturenames", ()), *(one for one in params if isinstance(one, str))}
        if any("postgres" in one and "://" not in one for one in asked):
            item.add_marker(pytest.mark.postgres)


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where a copy of Prefect's empty database is kept between runs: making its tables takes seconds."""
    from importlib.metadata import version

    assert request.config.cache is not None
    yield request.config.cache.mkdir(f"prefect-{version('prefect')}") / "empty.db"


@pytest.fixture(scope="session")
def server(migrated: Path) -> Iterator[Server]:
    """The one Prefect server of this session; `PREFECT_API_URL` names it."""
    folder = HOME / "prefect"
    if migrated.exists():
        shutil.copy(migrated, folder / "prefect.db")
    with running_server(settings(), port=0) as running:
        if not migrated.exists():
            _copy(folder / "prefect.db", migrated)
        yield running


def _copy(database: Path, to: Path) -> None:
    half = to.with_suffix(f".{os.getpid()}")
    with sqlite3.connect(database) as source, sqlite3.connect(half) as target:
        source.backup(target)
    half.rename(to)


@pytest.fixture(scope="module")
def another_tower(server: Server, migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Another tower's settings, with a database that is ready but for its server."""
    tower = Settings(home=tmp_path_factory.mktemp("another"))
    (tower.folder / "prefect").mkdir(mode=0o700)
    shutil.copy(migrated, tower.folder / "prefect" / "prefect.db")
    return tower


@pytest.fixture(scope="module")
def its_environment(another_tower: Settings) -> dict[str, str]:
    """The environment of a command that belongs to `another_tower`, and knows no server yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_"))}
    return kept | {"TOWER_HOME": str(another_tower.folder)}


@pytest.fixture
def no_server() -> Iterator[None]:
    """No server is known for as long as a test lasts; afterwards Prefect knows the session's again."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("PREFECT_API_URL", "TOWER_PAGE_URL"):  # what a running server sets
            environment.delenv(name, raising=False)
        yield
    use(settings())


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The URL of a bucket on loopback."""
    with bucket_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty database; skips where there is no PostgreSQL."""
    with postgres_server() as url:
        yield url
