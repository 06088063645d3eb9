"""What Prometheus reads of a tower is what is in its book, and a book that can't be read is said to be so."""

from __future__ import annotations

import logging
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update
from sqlmodel import col

from control_tower.errors import SettingError
from control_tower.ledger import Ledger
from control_tower.ledger.looks import record_look
from control_tower.ledger.proposals import find_proposal
from control_tower.ledger.tables import BreakerRow, CaseRow, EffectRow, LookRow, ProposalRow
from control_tower.metrics.collecting import registry
from control_tower.nouns import Action, Verdict
from control_tower.pause import resume
from control_tower.shops.document import OwnShop
from control_tower.stores.shop import sqlite_file
from desk.metrics import intervals, serve_metrics_beside, serving
from tests.flows.conftest import Tower, own_tower
from tests.postgres import new_database

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
Samples = dict[tuple[str, tuple[str, ...]], float]


def read(text: str) -> Samples:
    """Every sample by name and label values, in the order of the labels' names; an empty label is none."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()) if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def now_in(ledger: str) -> Samples:
    return read(generate_latest(registry(ledger, {})).decode())


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, deployed: Any) -> Iterator[Tower]:
    """A tower that looked twice, paid a refund, was told no about a reship, and doesn't know of one more refund."""
    with own_tower(tmp_path_factory.mktemp("busy"), deployed) as tower:
        tower.fill_now(800)
        tower.watch(as_of=None)
        tower.watch(as_of=None)
        paid, lost = tower.waiting(Action.refund)[:2]
        unwanted = tower.waiting(Action.reship)[0]
        for proposal, verdict in ((paid, Verdict.approve), (lost, Verdict.approve), (unwanted, Verdict.reject)):
            tower.rule(proposal, verdict)
            resume(str(find_proposal(tower.ledger, proposal.digest).flow_run_id))
        tower.work()
        with tower.ledger.write() as session:
            session.execute(
                update(EffectRow)
                .where(col(EffectRow.key) == lost.digest)
                .values(state="unknown", intended_at=datetime.now(UTC) - timedelta(hours=1))
            )
        yield tower


@pytest.fixture(scope="module")
def scraped(busy: Tower) -> Samples:
    with serving(0) as address:
        answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    return read(answer.text)


def counted(tower: Tower, question: str) -> dict[tuple[Any, ...], float]:
    with sqlite3.connect(sqlite_file(tower.settings.ledger)) as book:
        return {row[:-1]: row[-1] for row in book.execute(question)}


def of(scraped: Samples, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (one, labels), value in scraped.items() if one == name}


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("tower_open_cases",
         "SELECT lane, severity, team, count(*) FROM cases WHERE standing = 'open' GROUP BY 1, 2, 3"),
        ("tower_overdue_cases",
         "SELECT lane, sum(due_at < strftime('%Y-%m-%d %H:%M:%f')) FROM cases WHERE standing = 'open' GROUP BY 1"),
        ("tower_waiting_proposals",
         "SELECT json_extract(body, '$.action'), json_extract(body, '$.lane'), count(*) FROM proposals"
         " WHERE standing = 'waiting' GROUP BY 1, 2"),
        ("tower_effects", "SELECT action, lane, state, count(*) FROM effects GROUP BY 1, 2, 3"),
        ("tower_outbox_messages", "SELECT state, count(*) FROM outbox GROUP BY 1"),
        ("tower_looks_total",
         "SELECT 'fulfilment', 'read', count(*) FROM looks UNION SELECT 'fulfilment', 'stopped', 0"),
        ("tower_rulings_total",
         "SELECT c.lane, r.verdict, r.via, count(*) FROM rulings r JOIN proposals p ON p.digest = r.proposal"
         " JOIN cases c ON c.id = p.case_id GROUP BY 1, 2, 3"),
        ("tower_look_rows",
         "WITH newest AS (SELECT * FROM looks ORDER BY at DESC LIMIT 1)"
         " SELECT lane, source, 'accepted', key, value FROM newest, json_each(accepted) UNION ALL"
         " SELECT lane, source, 'quarantined', key, value FROM newest, json_each(quarantined)"),
    ],
)  # fmt: skip
def test_what_is_scraped_is_what_is_in_the_book(busy: Tower, scraped: Samples, name: str, question: str) -> None:
    found = of(scraped, name)
    assert found and found == counted(busy, question)


def test_an_effect_of_which_nobody_knows_is_seen_with_its_age(scraped: Samples) -> None:
    assert scraped["tower_effects", ("refund", "fulfilment", "unknown")] == 1
    assert 3600 <= scraped["tower_oldest_unsettled_effect_age_seconds", ("fulfilment", "unknown")] < 4200


def test_ages_are_of_the_oldest_and_the_newest(busy: Tower, scraped: Samples) -> None:
    (opened,) = counted(busy, "SELECT (julianday('now') - julianday(min(opened_at))) * 86400 FROM cases").values() or [
        0
    ]
    assert scraped["tower_oldest_open_case_age_seconds", ("fulfilment",)] == pytest.approx(opened, abs=60)
    assert 0 <= scraped["tower_newest_look_age_seconds", ("fulfilment",)] < 120
    assert scraped["tower_up", ()] == 1 and scraped["tower_breaker_open", ("fulfilment",)] == 0


def test_no_label_names_a_case_an_order_or_a_person(busy: Tower, scraped: Samples) -> None:
    labels = {value for _, values in scraped for value in values}
    with sqlite3.connect(sqlite_file(busy.settings.ledger)) as book:
        private = {row[0] for row in book.execute("SELECT id FROM cases UNION SELECT order_id FROM proposals")}
        private |= {row[0] for row in book.execute("SELECT name FROM approvers UNION SELECT digest FROM proposals")}
    assert not labels & private and all(len(value) <= 40 for value in labels)


def test_the_command_prints_what_a_scrape_would_read(busy: Tower) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from desk.command import main; main(['metrics', '--once'])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert of(read(said.stdout), "tower_open_cases") == of(now_in(busy.settings.ledger), "tower_open_cases")
    assert said.stderr == ""


def test_beside_tower_up_it_is_served_until_that_stops(
    busy: Tower, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(SettingError, match=f"port {port}"), serving(port):
            pass
    monkeypatch.setenv("TOWER_METRICS_PORT", str(port))
    stop = threading.Event()
    beside = threading.Thread(target=serve_metrics_beside, args=(stop,), daemon=True)
    beside.start()
    address = f"http://127.0.0.1:{port}/metrics"
    with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=5)) as client:
        answer = client.get(address)
    assert of(read(answer.text), "tower_lane_interval_seconds")["fulfilment",] == 1800
    stop.set()
    beside.join(5)
    assert not beside.is_alive() and address in capsys.readouterr().out


def test_each_lane_has_the_interval_of_its_schedule() -> None:
    assert intervals() == {
        ("fulfilment", ""): 1800, ("fraud", ""): 1800, ("returns", ""): 3600, ("inventory", ""): 3600,
        ("subscriptions", ""): 3600,
    }  # fmt: skip


def test_each_shop_has_the_lanes_that_watch_it() -> None:
    both, one = OwnShop(source="folder:berlin"), OwnShop(source="folder:recife", lanes=("returns",))
    found = intervals({"berlin": both, "recife": one})
    assert {shop for lane, shop in found if lane == "returns"} == {"berlin", "recife"}
    assert [shop for lane, shop in found if lane == "fulfilment"] == ["berlin"]


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    sqlite = request.param == "sqlite"
    opened = Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}" if sqlite else new_database(request.getfixturevalue("postgres"))
    )
    yield opened
    opened.engine.dispose()


def many(cases: int) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Cases as large as real ones, with a proposal that waits for each, and an effect."""
    for number in range(cases):
        id, lane = f"{number:016x}", ("fulfilment", "returns", "fraud")[number % 3]
        body = {"lane": lane, "action": "refund", "evidence": "x" * 3000}
        yield (
            {"id": id, "lane": lane, "shop": "shop", "pivot": id, "title": id, "standing": "open", "material": id,
             "severity": f"sev{1 + number % 3}", "team": f"team-{number % 4}", "owner": "", "priority": 1.0,
             "due_at": NOW + timedelta(minutes=number - cases // 2), "opened_at": NOW - timedelta(seconds=number),
             "seen_as_of": NOW, "closed_reason": "", "body": body},
            {"digest": f"{number:064x}", "case_id": id, "order_id": id, "standing": "waiting", "detail": "",
             "undoes": "", "opened_at": NOW - timedelta(seconds=number), "body": body},
            {"key": f"{number:064x}", "action": "refund", "order_id": id, "state": "confirmed", "store_reference": "",
             "prior": {}, "detail": "", "holder": "", "lane": lane, "shop": "shop", "customer": "", "approver": "",
             "intended_at": NOW, "changed_at": NOW},
        )  # fmt: skip


def test_ten_thousand_cases_are_counted_in_less_than_a_second(ledger: Ledger) -> None:
    rows = list(zip(*many(10_000), strict=True))
    with ledger.engine.begin() as connection:
        for table, them in zip((CaseRow, ProposalRow, EffectRow), rows, strict=True):
            connection.execute(insert(table), list(them))
        looked = [
            {"run": f"{lane}-{number}", "lane": lane, "source": "shop", "shop": "shop", "as_of": NOW, "breach": "",
             "at": NOW - timedelta(minutes=30 * number), "accepted": {"orders": number}, "quarantined": {}}
            for lane in ("fulfilment", "returns") for number in range(5000)
        ]  # fmt: skip
        connection.execute(insert(LookRow), looked)
    url = ledger.engine.url.render_as_string(hide_password=False)
    now_in(url)
    began = time.perf_counter()
    found = now_in(url)
    took = time.perf_counter() - began
    assert sum(of(found, "tower_open_cases").values()) == sum(of(found, "tower_waiting_proposals").values()) == 10_000
    assert sum(of(found, "tower_overdue_cases").values()) == pytest.approx(5000, abs=20)
    assert found["tower_look_rows", ("fulfilment", "shop", "accepted", "orders")] == 0, "of the newest look alone"
    assert took < 1.0, f"{took:.2f} s"
    print(f"{ledger.engine.dialect.name}: {took:.3f} s")


def test_a_shop_that_nobody_looks_at_is_not_hidden_by_another(ledger: Ledger) -> None:
    for hours, shop in ((30, "berlin"), (1, "recife"), (7, "gone")):
        record_look(
            ledger, f"run-{shop}", lane="returns", source=f"shop:{shop}", shop=shop, as_of=NOW,
            now=NOW - timedelta(hours=hours), accepted={"orders": hours},
        )  # fmt: skip
    rows = list(zip(*many(30), strict=True))
    with ledger.engine.begin() as connection:
        for table, them in zip((CaseRow, ProposalRow, EffectRow), rows, strict=True):
            connection.execute(insert(table), [one | {"shop": "berlin"} if "shop" in one else one for one in them])
    trip(ledger, "fraud", "berlin")
    url = ledger.engine.url.render_as_string(hide_password=False)
    found = read(generate_latest(registry(url, {}, ("berlin", "recife"))).decode())
    ages = of(found, "tower_newest_look_age_seconds")
    assert ages["returns", "berlin"] > 30 * 3600 - 60 and ages["returns", "recife"] < 2 * 3600
    assert ages["returns",] > 6 * 3600, "a shop that is no longer in the file is none of its own"
    assert found["tower_look_rows", ("returns", "berlin", "shop", "accepted", "orders")] == 30
    assert sum(number for labels, number in of(found, "tower_open_cases").items() if "berlin" in labels) == 30
    assert found["tower_breaker_open", ("fraud", "berlin")] == 1


def trip(ledger: Ledger, lane: str, shop: str) -> None:
    with ledger.write() as session:
        session.add(BreakerRow(lane=lane, shop=shop, why="", tripped_at=NOW))


def test_a_look_that_a_broken_contract_stopped_is_seen(ledger: Ledger) -> None:
    for hours, breach in ((2, ""), (1, "orders@1: orders.columns")):
        record_look(
            ledger, f"run-{hours}", lane="returns", source="folder:/exports/secret-place", shop="", as_of=NOW,
            now=NOW - timedelta(hours=hours), accepted={} if breach else {"orders": 5}, breach=breach,
        )  # fmt: skip
    found = now_in(ledger.engine.url.render_as_string(hide_password=False))
    assert found["tower_look_stopped", ("returns", "folder")] == 1
    assert of(found, "tower_looks_total") == {("returns", "read"): 1, ("returns", "stopped"): 1}
    assert not of(found, "tower_look_rows") and "secret-place" not in str(found)


def unreadable(url: str, caplog: pytest.LogCaptureFixture) -> str:
    """The reason in the log of a scrape that told nothing but that it can tell nothing."""
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "control_tower.metrics"):
        found = now_in(url)
    assert time.monotonic() - began < 5
    assert found["tower_up", ()] == 0
    assert {name for name, _ in found} == {"tower_up", "tower_read_seconds"}
    assert "Traceback" not in caplog.text
    return caplog.text


def test_a_ledger_that_is_gone_is_said_to_be_gone_and_not_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "unable to open" in unreadable(f"sqlite:///{tmp_path / 'gone.db'}", caplog)
    assert not (tmp_path / "gone.db").exists()


def test_a_ledger_that_somebody_keeps_locked_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    opened.engine.dispose()
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as keeper:
        keeper.execute("PRAGMA locking_mode=EXCLUSIVE")
        keeper.execute("BEGIN EXCLUSIVE")
        assert "locked" in unreadable(opened.url, caplog)


def test_a_server_that_does_not_answer_is_told_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    said = unreadable("postgresql+psycopg://tower:hunter22@127.0.0.1:9/ledger", caplog)
    assert "can't be read" in said and "hunter22" not in said


def test_a_trouble_is_logged_once_and_its_end_lets_it_be_logged_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    watching: CollectorRegistry = registry(url, {})
    with caplog.at_level(logging.WARNING, "control_tower.metrics"):
        generate_latest(watching)
        generate_latest(watching)
        assert len(caplog.records) == 1
        Ledger(url).engine.dispose()
        assert read(generate_latest(watching).decode())["tower_up", ()] == 1
        (tmp_path / "ledger.db").unlink()
        generate_latest(watching)
    assert len(caplog.records) == 2
