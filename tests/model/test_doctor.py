"""What `tower doctor` says of the model: configured, answering, and what the queue would cost; never its key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import record_cases
from desk.command import main
from tests.model.cases import LATE, a_case
from tests.model.provider import Provider

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, no_server: None, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("TOWER_HOME", str(tmp_path))
    return open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def said(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], object]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    return {each["part"]: each["is"] for each in found["parts"]}, ended.value.code


def test_without_a_model_it_says_so_and_all_is_well(home: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    found, code = said(capsys)
    assert code == 0
    assert "TOWER_MODEL" in found["model"]
    assert "returns@1" in found["policies"] and "messages@1" in found["policies"]


def test_a_model_that_answers_is_named_with_what_the_queue_would_cost(
    home: Ledger, loopback: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_MODEL", "openai/well")
    monkeypatch.setenv("TOWER_MODEL_URL", loopback.url)
    monkeypatch.setattr(loopback, "answer", lambda body: '{"well": true}')
    cases = [a_case(**LATE, return_id=f"R-{number}") for number in range(3)]
    record_cases(home, "returns", "main", cases, set(), datetime.now(UTC))
    found, code = said(capsys)
    assert code == 0
    assert found["model: configured"] == "openai/well" and found["model: answers"].startswith("openai/well, in")
    assert found["model: open cases"] == "3" and "about USD 0.0" in found["model: a day at this queue"]


def test_a_model_that_does_not_answer_is_told_and_is_an_exit_code(
    home: Ledger, loopback: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_MODEL", "openai/unauthorised")
    monkeypatch.setenv("TOWER_MODEL_URL", loopback.url)
    monkeypatch.setenv("TOWER_MODEL_KEY", "sk-a-secret")
    found, code = said(capsys)
    assert code == 2 and found["model: answers"].startswith("no: ")
    assert "sk-a-secret" not in json.dumps(found)
