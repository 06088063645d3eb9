"""A receiver on loopback, for as long as a test lasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_tower.settings import Settings
from desk.webhooks import receiving
from tests.webhooks.senders import PAYLOADS, SECRETS, SOURCES, body_of, path, signed


@dataclass
class Post:
    """Where deliveries are sent, and the folders that they end in."""

    url: str
    folder: Path

    def send(self, sender: str, content: object = None, body: bytes | None = None, **headers: str) -> httpx.Response:
        sent = body_of(PAYLOADS[sender] if content is None else content) if body is None else body
        told = signed(sender, sent) | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(self.url + path(sender), content=sent, headers=told, timeout=20)

    def kept(self, sender: str) -> list[Path]:
        return sorted((self.folder / SOURCES.get(sender, sender)).glob(f"{sender}-*"))


def settings_of(folder: Path, **secrets: Any) -> Settings:
    known = {sender: [secret] for sender, secret in SECRETS.items()} | secrets
    return Settings(home=folder / "home", webhooks_folder=folder / "in", webhooks_port=0, webhook_secrets=known)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with receiving(settings_of(tmp_path)) as url:
        yield Post(url, tmp_path / "in")


def secrets_as_json() -> str:
    return json.dumps({sender: [secret] for sender, secret in SECRETS.items()})
