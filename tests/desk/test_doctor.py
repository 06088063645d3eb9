"""`tower doctor` says of every part how it is and what to do, soon, and tells no secret."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections import namedtuple
from pathlib import Path

import pytest

from control_tower.ledger import Ledger
from control_tower.ledger.revisions import HEAD
from control_tower.server import Server
from control_tower.settings import Settings, settings
from desk.command import main
from desk.doctor import machine
from desk.doctor.finding import looked
from desk.doctor.machine import time_apart

Found = dict[str, tuple[str, str | None]]


@pytest.fixture
def home(tmp_path: Path, no_server: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tower of its own, with nothing in it."""
    monkeypatch.setenv("TOWER_HOME", str(tmp_path))
    return tmp_path


def nobody() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, Found]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)
    found = {each["part"]: (each["is"], each["what_to_do"]) for each in said["parts"]}
    assert said["well"] == (not any(remedy for _, remedy in found.values()))
    return int(ended.value.code or 0) if isinstance(ended.value.code, int | None) else 1, found


def test_a_new_tower_is_well_and_nothing_of_it_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = doctor(capsys)
    assert code == 0, found
    assert found["ledger"][0] == "sqlite: none yet; the first run makes it" and not (home / "ledger.db").exists()
    assert found["prefect server"][0].startswith("none runs")
    assert found["artifacts"][0].endswith("written and read back")
    assert found["store stripe"][0] == "not asked: no key is set"
    assert found["sqlalchemy"][0].startswith("2.0.") and "GB free" in found["disk"][0]


def test_with_everything_down_it_ends_soon_names_each_and_tells_no_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = nobody()
    secrets = {
        "TOWER_SLACK_TOKEN": "xoxb-not-to-be-told",
        "TOWER_HANDS": "vendure",
        "TOWER_VENDURE_KEY": "vendure-not-to-be-told",
        "TOWER_STRIPE_KEY": "sk_test_nottobetold",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")
    monkeypatch.setenv("TOWER_LEDGER_URL", f"postgresql+psycopg://tower:hush-hush@127.0.0.1:{port}/tower")
    monkeypatch.setenv("TOWER_TRACES_URL", f"http://127.0.0.1:{port}/v1/traces")
    monkeypatch.setenv("TOWER_VENDURE_URL", f"http://127.0.0.1:{port}/admin-api")
    monkeypatch.setenv("TOWER_STRIPE_API_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("TOWER_SLACK_API_URL", f"http://127.0.0.1:{port}/")
    begun = time.monotonic()
    code, found = doctor(capsys)
    assert code == 2 and time.monotonic() - begun < 30, "the bound holds on a busy machine too"
    unwell = {part for part, (_, remedy) in found.items() if remedy}
    assert {"prefect server", "ledger", "traces", "store vendure", "store stripe"} <= unwell, found
    assert any(part.startswith("slack") for part in unwell)
    told = json.dumps(found)
    assert not [value for value in (*secrets.values(), "hush-hush") if value in told and value != "vendure"]


def test_a_variable_that_nothing_reads_is_named_with_the_nearest_and_not_what_it_is_set_to(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_STRIPE_KYE", "not-to-be-told")
    monkeypatch.setenv("TOWER_SLACK_CHANNEL", "#orders")
    code, found = doctor(capsys)
    assert code == 2
    assert found["setting TOWER_STRIPE_KYE"] == ("is read by nothing", "did you mean 'TOWER_STRIPE_KEY'?")
    assert found["settings"][0] == "TOWER_HOME, TOWER_SLACK_CHANNEL"
    assert "not-to-be-told" not in json.dumps(found) and "#orders" not in json.dumps(found)


def test_a_setting_that_makes_no_sense_is_named_and_not_what_it_is_set_to(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_MODEL_DEADLINE", "soon-and-secret")
    code, found = doctor(capsys)
    assert code == 2 and found["setting TOWER_MODEL_DEADLINE"][0] == "makes no sense"
    assert "soon-and-secret" not in json.dumps(found)


def test_a_ledger_of_another_release_is_told_with_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Ledger(f"sqlite:///{home / 'ledger.db'}").engine.dispose()
    assert doctor(capsys)[1]["ledger"] == (f"sqlite, at revision {HEAD}", None)
    with sqlite3.connect(home / "ledger.db") as book:
        book.execute("UPDATE ledger_version SET version_num = '0001'")
    code, found = doctor(capsys)
    assert code == 2 and "`tower ledger upgrade`" in str(found["ledger"][1])


def test_a_server_says_its_version_who_works_for_it_and_what_is_not_deployed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    _, found = doctor(capsys)
    assert "answers, version" in found["prefect server"][0] and found["prefect server"][1] is None
    assert found["clock of the Prefect server"] == ("agrees", None)
    assert any(part.startswith("work pool") for part in found)
    assert "deployments" in found


def test_clocks_that_differ_and_a_full_disk_are_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_apart(-2.0, "the ledger").remedy == ""
    late = time_apart(-61.0, "the ledger")
    assert late.found == "is -61 s from this machine's" and "NTP" in late.remedy
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**20))
    assert [each.remedy for each in looked("disk", lambda: machine.disk(settings()))] != [""]


def test_traces_without_the_packages_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_can_export", lambda: False)
    tower = Settings(home=tmp_path, traces_url="http://127.0.0.1:4318/v1/traces")
    assert next(machine.traces(tower)).remedy == "pip install 'control-tower[traces]'"
