"""`tower policy lint`: tables for people, JSON for scripts, YAML for the examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from desk.policy_lint import lint_policies

HERE = Path(__file__).parent
FAULTY, SOUND = str(HERE / "last_day.yaml"), str(HERE / "last_day_repaired.yaml")


def test_a_fault_ends_the_command_with_one(capsys):
    with pytest.raises(SystemExit) as ended:
        lint_policies([FAULTY], json=False, examples=False, shop="")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "1 faults, 0 notes, 0 undecided" in said
    assert "last_day.yaml:12" in said


def test_without_a_fault_there_is_nothing_to_say(capsys):
    lint_policies([SOUND], json=False, examples=False, shop="")
    assert capsys.readouterr().out == "Nothing is wrong with the policies.\n"


def test_what_is_only_noted_is_no_failure(tmp_path, capsys):
    accepted = "\naccepted: [{check: boundary, where: eligibility, because: the thirtieth day is ruled by a person}]\n"
    (tmp_path / "last_day.yaml").write_text(Path(FAULTY).read_text() + accepted)
    lint_policies([str(tmp_path / "last_day.yaml")], json=True, examples=False, shop="")
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["level"], one["accepted"]) == ("note", "the thirtieth day is ruled by a person")


def test_json_holds_the_whole_finding(capsys):
    with pytest.raises(SystemExit):
        lint_policies([FAULTY], json=True, examples=False, shop="")
    (one,) = json.loads(capsys.readouterr().out)
    assert one["record"] == {"days_held": 30, "reason": "change_of_mind"}
    assert (one["document"], one["where"], one["line"]) == ("last_day@1", "tables.eligibility", 12)


def test_examples_are_yaml_that_can_be_put_beside_the_policy(capsys, tmp_path):
    from policies import read
    from policies.examples import failing

    with pytest.raises(SystemExit):
        lint_policies([FAULTY], json=False, examples=True, shop="")
    (tmp_path / "last_day.yaml").write_text(Path(FAULTY).read_text())
    (tmp_path / "last_day.examples.yaml").write_text(capsys.readouterr().out)
    document = read(tmp_path / "last_day.yaml")
    assert [example.gives for example in document.examples] == [{"eligibility": None}]
    assert failing(document) == []
