"""The doctor says which model is configured, whether it answers, and what the present queue would cost a day."""

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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    return open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def said(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, object], object]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    return json.loads(capsys.readouterr().out), ended.value.code


def test_without_a_model_it_says_so_and_all_is_well(home: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    found, code = said(capsys)
    assert code == 0
    assert "TOWER_MODEL" in str(found["model"])
    assert "returns@1" in str(found["policies"]) and "messages@1" in str(found["policies"])


def test_a_model_that_answers_is_named_with_what_the_queue_would_cost(
    home: Ledger, loopback: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_MODEL", "openai/well")
    monkeypatch.setenv("TOWER_MODEL_URL", loopback.url)
    monkeypatch.setattr(loopback, "answer", lambda body: '{"well": true}')
    cases = [a_case(**LATE, return_id=f"R-{number}") for number in range(3)]
    record_cases(home, "returns", "main", cases, set(), datetime.now(UTC))
    found, code = said(capsys)
    model = found["model"]
    assert code == 0 and isinstance(model, dict)
    assert model["configured"] == "openai/well" and str(model["answers"]).startswith("openai/well, in")
    assert model["open cases"] == 3 and "about USD 0.0" in model["a day at this queue"]


def test_a_model_that_does_not_answer_is_told_last_and_is_an_exit_code(
    home: Ledger, loopback: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOWER_MODEL", "openai/unauthorised")
    monkeypatch.setenv("TOWER_MODEL_URL", loopback.url)
    monkeypatch.setenv("TOWER_MODEL_KEY", "sk-a-secret")
    found, code = said(capsys)
    assert code == 2 and isinstance(found["model"], dict) and found["model"]["answers"] == "no"
    assert "sk-a-secret" not in json.dumps(found)
