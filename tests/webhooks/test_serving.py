"""`tower webhooks` as a process: killed, stopped, looked at by the doctor, and read by a lane."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_tower.ledger.cases import queue
from control_tower.settings import settings
from control_tower.sources import open_source
from desk.doctor.webhooks import webhooks as looked_at
from desk.webhooks import receiving
from tests.flows.conftest import deployed, tower  # noqa: F401 - fixtures
from tests.sources.test_payloads import rows
from tests.webhooks.conftest import Post, secrets_as_json, settings_of
from tests.webhooks.senders import SECRETS, SHOPIFY_ORDER


@contextmanager
def command(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`tower webhooks` in a process of its own, and its address."""
    told = {
        "TOWER_HOME": str(folder / "home"), "TOWER_WEBHOOKS_FOLDER": str(folder / "in"), "TOWER_WEBHOOKS_PORT": "0",
        "TOWER_WEBHOOK_SECRETS": secrets_as_json(),
    }  # fmt: skip
    program = [sys.executable, "-c", "from desk.command import main; main(['webhooks'])"]
    running = subprocess.Popen(
        program, env=os.environ | told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout
    try:
        (address,) = re.findall(r"(http://\S+:\d+)/", running.stdout.readline())
        yield running, address
    finally:
        running.kill()
        running.wait()


def test_a_receiver_that_is_killed_lost_nothing_that_it_answered_for_and_shows_nothing_half(tmp_path: Path) -> None:
    answered: list[int] = []

    def send_all(post: Post) -> None:
        note = "x" * 200_000
        for number in range(1, 400):
            try:
                if post.send("shopify", SHOPIFY_ORDER | {"id": number, "note": note}).status_code == 200:
                    answered.append(number)
            except httpx.TransportError:
                return

    with command(tmp_path) as (running, address):
        sending = [threading.Thread(target=send_all, args=(Post(address, tmp_path / "in"),)) for _ in range(3)]
        for each in sending:
            each.start()
        while len(answered) < 12:
            assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        for each in sending:
            each.join()
    source = open_source(f"shopify:{tmp_path / 'in' / 'shopify'}", None, settings())
    assert {str(number) for number in answered} <= {row["order_id"] for row in rows(source, "orders")}


def test_a_receiver_stops_when_it_is_told_to_and_says_no_secret(tmp_path: Path) -> None:
    with command(tmp_path) as (running, address):
        assert Post(address, tmp_path / "in").send("shippo").status_code == 200
        assert httpx.post(f"{address}/shippo/{SECRETS['shippo']}x", content=b"{}").status_code == 401
        running.send_signal(signal.SIGTERM)
        said, heard = running.communicate(timeout=30)
    assert running.returncode == 0 and said.endswith("stopped\n")
    assert not [secret for secret in SECRETS.values() if secret in said + heard]


def test_the_doctor_says_who_is_heard_and_whether_anybody_listens(tmp_path: Path) -> None:
    mine = settings_of(tmp_path, shopify=["the old secret", "the new secret"])
    with receiving(mine) as url:
        port = int(url.rpartition(":")[2])
        found = {each.part: each for each in looked_at(mine.model_copy(update={"webhooks_port": port}))}
    assert found["webhooks: shopify"].found == "heard, while 2 secrets hold"
    assert found["webhooks: port"].found.endswith("is listened at") and not found["webhooks: folder"].remedy
    (tmp_path / "in" / "shopify").chmod(0o755)
    found = {each.part: each for each in looked_at(mine.model_copy(update={"webhooks_port": port}))}
    assert found["webhooks: port"].remedy and found["webhooks: folder"].remedy.startswith("chmod -R go=")
    assert "secret" not in str([each.found for each in found.values() if "secrets hold" not in each.found])


@pytest.mark.slow
def test_an_order_that_a_webhook_brought_opens_a_case(tmp_path: Path, tower: Any) -> None:  # noqa: F811
    from flows.watch_fulfilment import watch_fulfilment

    placed = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    order = SHOPIFY_ORDER | {"created_at": placed, "updated_at": placed}
    authorised = {"id": 5, "order_id": 1001, "kind": "authorization", "status": "success", "created_at": placed}
    with receiving(settings_of(tmp_path)) as url:
        post = Post(url, tmp_path / "in")
        assert post.send("shopify", order).text == "kept"
        assert post.send("shopify", authorised, X_Shopify_Topic="order_transactions/create").text == "kept"
        report = watch_fulfilment(f"shopify:{post.folder / 'shopify'}")
    assert report.accepted["orders"] == 1
    (case,) = queue(tower.ledger)
    assert case.standing == "open" and "1001" in case.title
    found = tower.kept(report, "judge")
    assert {(row.kind, row.answer) for row in found.itertuples() if row.answer == "yes"} == {("unpaid_order", "yes")}
    assert report.proposals == {}
