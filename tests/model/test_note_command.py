"""`tower note`: the approved words, and a person's own only if they may be sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_tower.ledger import open_ledger
from control_tower.ledger.cases import record_cases
from desk.command import main
from tests.model.cases import a_case


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("TOWER_LEDGER_URL", url)
    made = a_case("fraud", order_id="order-1001", placed_at="2026-02-27T07:00:00+00:00")
    record_cases(open_ledger(url), "fraud", "main", [made], set(), datetime.now(UTC))
    return made.id


def run(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main([*words])
    return ended.value.code


def test_the_draft_is_shown_in_the_language_that_is_asked_for(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("note", case, "--language", "pt") == 0
    assert "27 de fevereiro de 2026" in capsys.readouterr().out
    assert run("note", case, "--language", "fr") == 2
    assert "there is no 'fr'" in capsys.readouterr().err


def test_a_wording_that_tells_of_a_review_is_refused_and_a_harmless_one_is_not(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = tmp_path / "said.txt"
    said.write_text("Hello, your order order-1001 is under review because your addresses do not match.", "utf-8")
    assert run("note", case, "--text", str(said)) == 2
    assert "may not be sent" in capsys.readouterr().err
    said.write_text("Hello, your order order-1001 takes a little longer. Thank you for waiting!", "utf-8")
    assert run("note", case, "--text", str(said)) == 0
    assert "Thank you for waiting!" in capsys.readouterr().out


def test_a_case_about_which_no_model_was_asked_says_so(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("case", case, "--prompts") == 0
    assert "was sent to a model" in capsys.readouterr().out
