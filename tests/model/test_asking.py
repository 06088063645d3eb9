"""A model may be slow, wrong, rude or broke: the desk gets an answer that holds, or the reason, in time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import update

from control_tower.ledger import Ledger
from control_tower.model import Question, Why, ask
from control_tower.model.asking import providers, replayed
from control_tower.model.calls import Calls
from control_tower.model.process import Process, Reply, process_in
from control_tower.model.process import Provider as Provides
from control_tower.model.prompts import Prompt
from control_tower.model.tables import ModelCall
from control_tower.settings import Settings
from tests.model.provider import Provider

Towers = Callable[..., Settings]
DEADLINE = 1.5
LATE = 1.5  # seconds that a busy machine may add; a provider that stalls does so for half a minute


class Colour(StrEnum):
    red = "red"
    blue = "blue"


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: Colour


def question(content: str = "which colour?", check: Callable[[Answer], str] = lambda _: "") -> Question[Answer]:
    told = Prompt(name="colour", version=1, text="Name the colour.")
    return Question("returns", "case-1", told, content, "evidence-1", Answer, check)


def rows(ledger: Ledger) -> list[ModelCall]:
    return Calls(ledger).of_case("case-1")


HOW = {
    "stall": Why.deadline, "drip": Why.deadline, "drip-head": Why.deadline, "flood": Why.deadline,
    "wait": Why.rate_limited, "unauthorised": Why.unauthorised, "broken": Why.provider_error,
    "cut": Why.provider_error, "html": Why.provider_error, "prose": Why.schema, "other-form": Why.schema,
    "half": Why.schema, "truncate": Why.truncated, "refuse": Why.refusal,
    "filter": Why.filtered, "tools": Why.tool_call, "tools-and-text": Why.tool_call, "null": Why.empty,
    "blank": Why.empty, "no-choices": Why.empty,
}  # fmt: skip
AGAIN = ("drip-head", "flood")  # each costs a process of the model's, as a drip does


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "why"), [pytest.param(*one, marks=pytest.mark.large if one[0] in AGAIN else ()) for one in HOW.items()]
)
def test_a_provider_that_behaves_badly_is_named_for_it_within_the_deadline(
    how: str, why: Why, tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower(how, model_deadline=DEADLINE)
    process_in(given.folder, ()).ready()
    before = len(loopback.asked)
    begun = time.monotonic()
    found = ask(ledger, given, question())
    took = time.monotonic() - begun
    print(f"{how}: {found.why} after {took:.2f} s of {DEADLINE}")
    assert (found.answer, found.why) == (None, why)
    assert took <= DEADLINE + LATE
    assert len(loopback.asked) - before == 1, "nothing is tried again behind our back"
    assert [row.outcome for row in rows(ledger)] == [why.value]


def test_a_good_answer_is_given_and_the_key_goes_to_the_provider_only(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    found = ask(ledger, tower(), question())
    assert found.answer == Answer(colour=Colour.red)
    assert loopback.authorised[-1] == "Bearer sk-loopback"
    (row,) = rows(ledger)
    assert (row.outcome, row.tokens_in, row.tokens_out) == ("answered", 100, 20)
    assert row.cost == 100 * 10 + 20 * 40
    assert "sk-loopback" not in row.model_dump_json()


def test_a_key_that_the_provider_repeats_is_kept_nowhere(tower: Towers, ledger: Ledger, tmp_path: Path) -> None:
    ask(ledger, tower("unauthorised"), question())
    ledger.engine.dispose()
    assert not any(b"sk-loopback" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize("first", ["stall", "prose", pytest.param("wait", marks=pytest.mark.large)])
def test_where_the_first_model_fails_the_second_answers_in_the_time_that_is_left(
    first: str, tower: Towers, ledger: Ledger
) -> None:
    given = tower(first, "well", model_deadline=2.0)
    process_in(given.folder, ()).ready()
    begun = time.monotonic()
    found = ask(ledger, given, question())
    assert time.monotonic() - begun <= 2.0 + LATE
    assert found.answer and found.model == "openai/well"
    assert len(rows(ledger)) == 2


def test_two_models_that_stall_share_one_deadline(
    tower: Towers, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tower("stall", "drip", model_deadline=DEADLINE)
    process_in(given.folder, ()).ready()
    shares: list[float] = []
    real = Process.complete

    def complete(self: Process, provider: Provides, messages: Any, schema: Any, seconds: float, tokens: int) -> Reply:
        shares.append(seconds)
        return real(self, provider, messages, schema, seconds, tokens)

    monkeypatch.setattr(Process, "complete", complete)
    begun = time.monotonic()
    assert ask(ledger, given, question()).why in (Why.deadline, Why.loading), "a slow machine may still be loading"
    assert time.monotonic() - begun <= DEADLINE + LATE
    assert len(shares) == 2 and sum(shares) < DEADLINE


@pytest.mark.slow
def test_a_model_whose_process_loads_again_is_not_waited_for_nor_blamed_nor_paid(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower("drip", "well", model_deadline=DEADLINE)
    process = process_in(given.folder, ())
    process.ready()
    asked = len(loopback.asked)
    begun = time.monotonic()
    assert ask(ledger, given, question()).why is Why.loading
    assert time.monotonic() - begun <= DEADLINE + LATE
    assert len(loopback.asked) - asked == 1, "the second was never asked"
    second = next(row for row in rows(ledger) if row.model == "openai/well")
    assert (second.outcome, second.cost) == ("loading", 0) and not Why.loading.counts
    assert process.ready(), "and it went on loading meanwhile"
    assert ask(ledger, tower("well"), question("again")).answer == Answer(colour=Colour.red)


@pytest.mark.slow
def test_after_three_failures_a_model_rests_and_then_one_try_is_let_through(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower("broken")
    for number in range(3):
        assert ask(ledger, given, question(f"{number}")).why is Why.provider_error
    asked = len(loopback.asked)
    assert ask(ledger, given, question("4")).why is Why.breaker
    assert len(loopback.asked) == asked
    with ledger.write() as session:
        session.execute(update(ModelCall).values(at=datetime.now(UTC) - timedelta(minutes=11)))
    assert ask(ledger, given, question("5")).why is Why.provider_error
    assert ask(ledger, given, question("6")).why is Why.breaker


@pytest.mark.slow
def test_a_question_that_was_answered_is_not_asked_again_unless_anything_in_it_changed(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower()
    ask(ledger, given, question())
    asked = len(loopback.asked)
    again = ask(ledger, given, question())
    assert again.again and again.answer == Answer(colour=Colour.red)
    assert len(loopback.asked) == asked
    ask(ledger, given, question("and now?"))
    ask(ledger, tower("well-too"), question())
    assert len(loopback.asked) == asked + 2


@pytest.mark.slow
def test_a_question_that_was_answered_badly_is_not_paid_for_twice(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower("prose", "well")
    assert ask(ledger, given, question()).model == "openai/well"
    assert ask(ledger, tower("prose"), question()).why is Why.schema
    asked = len(loopback.asked)
    assert ask(ledger, tower("prose"), question()).why is Why.schema
    assert len(loopback.asked) == asked


def test_what_is_kept_is_held_against_the_evidence_again(tower: Towers, ledger: Ledger, loopback: Provider) -> None:
    given = tower()
    ask(ledger, given, question())
    found = ask(ledger, given, question(check=lambda _: "the evidence says blue"))
    assert (found.answer, found.why) == (None, Why.ungrounded)


def test_a_check_that_breaks_on_an_answer_has_not_passed_it(tower: Towers, ledger: Ledger) -> None:
    def broken(_: Answer) -> str:
        raise StopIteration

    assert ask(ledger, tower(), question(check=broken)).why is Why.ungrounded


def test_a_kept_try_reads_the_same_when_it_is_replayed(tower: Towers, ledger: Ledger) -> None:
    for how in ("well", "prose"):
        ask(ledger, tower(how), question())
    good, bad = rows(ledger)
    assert replayed(question(), good) == Answer(colour=Colour.red)
    assert replayed(question(), bad) is Why.schema


def test_the_days_budget_is_never_overdrawn_even_by_many_at_once(
    tower: Towers, ledger: Ledger, loopback: Provider
) -> None:
    given = tower(model_dollars_a_day=0.2, model_deadline=60)
    asked = len(loopback.asked)
    found: list[Why | None] = []
    threads = [
        threading.Thread(target=lambda number=number: found.append(ask(ledger, given, question(f"{number}")).why))
        for number in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = sum(cost for _, _, cost in Calls(ledger).since(datetime.now(UTC) - timedelta(days=1)))
    assert spent <= 200_000
    assert Why.budget in found or spent < 200_000
    assert len(loopback.asked) - asked == found.count(None)


def test_a_lane_that_spent_its_share_leaves_the_others_theirs(tower: Towers, ledger: Ledger) -> None:
    given = tower(model_dollars_a_lane=0.06, model_dollars_a_day=1.0)
    assert ask(ledger, given, question("1")).answer
    for number in range(20):
        if ask(ledger, given, question(f"more {number}")).why is Why.budget:
            break
    else:
        pytest.fail("the lane's share has no end")
    told = question().prompt
    other = Question("fraud", "case-2", told, "x", "evidence", Answer, lambda _: "")
    assert ask(ledger, given, other).answer


def test_a_try_that_was_killed_is_paid_for_and_is_no_failure_of_the_model(tower: Towers, ledger: Ledger) -> None:
    given = tower(model_dollars_a_day=0.1)
    calls = Calls(ledger)
    for number in range(3):
        left = ModelCall(key=f"{number}", lane="returns", case_id="case-1", prompt="colour@1", model="openai/well",
                         evidence="e", sent=[], outcome="asked", cost=30_000, at=datetime.now(UTC))  # fmt: skip
        assert calls.reserve(left, 0.1, 0.1)
    assert not calls.resting("openai/well", datetime.now(UTC))
    assert ask(ledger, given, question()).why is Why.budget


def test_a_provider_that_lies_about_tokens_does_not_lower_or_break_the_budget(tower: Towers, ledger: Ledger) -> None:
    ask(ledger, tower("lying"), question())
    (row,) = rows(ledger)
    assert row.cost > 1200 * 40  # the most that it can have been


@pytest.mark.slow
def test_a_process_that_dies_is_replaced(tower: Towers, ledger: Ledger) -> None:
    given = tower()
    process = process_in(given.folder, ())
    assert ask(ledger, given, question("before")).answer
    assert process._running
    process._running.kill()
    process._running.wait()
    assert ask(ledger, given, question("after")).answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "stays"), [("stall", True), ("drip", False), pytest.param("flood", False, marks=pytest.mark.large)]
)
def test_a_provider_that_goes_on_sending_is_not_listened_to_any_longer(
    how: str, stays: bool, tower: Towers, ledger: Ledger
) -> None:
    given = tower(how, model_deadline=DEADLINE)
    process = process_in(given.folder, ())
    process.ready()
    before = process._running
    assert before
    assert ask(ledger, given, question()).why is Why.deadline
    assert (before.poll() is None) is stays


def test_without_a_model_nothing_is_started_and_nothing_is_written(tower: Towers, ledger: Ledger) -> None:
    assert ask(ledger, tower(None), question()).why is Why.not_configured
    assert providers(tower(None)) == []


@pytest.mark.slow
def test_this_process_never_loads_the_library_and_no_env_file_is_read(tmp_path: Path, loopback: Provider) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-from-a-file\n")
    program = """
import sys
from control_tower.ledger import Ledger
from control_tower.settings import Settings
from tests.model.test_asking import question
from control_tower.model import ask
given = Settings()
found = ask(Ledger("sqlite:///ledger.db"), given, question())
print(found.answer is not None, "litellm" in sys.modules)
"""
    root = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOWER_")} | {
        "TOWER_HOME": ".", "TOWER_MODEL": "openai/well", "TOWER_MODEL_URL": loopback.url, "PYTHONPATH": root,
    }  # fmt: skip
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["True", "False"]
    assert loopback.authorised[-1] == "Bearer none"
