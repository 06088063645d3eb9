"""A provider on loopback for the session, and a tower of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger import Ledger
from control_tower.settings import Settings
from tests.model.provider import Provider, serving


@pytest.fixture(scope="session")
def loopback() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the session's models, so that one process serves all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def tower(folder: Path, loopback: Provider, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a tower whose models are served on loopback; a model is named by how it behaves."""

    def settings(model: str | None = "well", fallback: str | None = None, **more: Any) -> Settings:
        named = {"model": f"openai/{model}" if model else None, "model_url": loopback.url, "model_key": "sk-loopback"}
        if fallback:
            named |= {"model_fallback": f"openai/{fallback}", "model_fallback_url": loopback.url}
        return Settings(home=folder, ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", **(named | more))

    return settings
