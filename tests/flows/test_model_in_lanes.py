"""A lane with a model: the same cases and proposals as without it, whatever it does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from control_tower.ledger.cases import queue
from control_tower.ledger.dossiers import dossiers
from control_tower.ledger.proposals import waiting_proposals
from control_tower.model.briefs import Briefs
from control_tower.model.calls import Calls
from control_tower.settings import settings
from control_tower.stores.shop import sqlite_file
from desk.command import main
from flows.watch_returns import watch_returns
from tasks.ask import request_for
from tasks.brief import brief
from tasks.prepare import briefs_for
from tests.flows.conftest import AS_OF, own_tower
from tests.model.attacker import honest, replying
from tests.model.provider import Provider, serving
from tests.model.texts import NOTES

pytestmark = pytest.mark.slow

ORDERS = 1500


@pytest.fixture(scope="module")
def loopback() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def hostile_shop(tmp_path: Path, deployed: Any) -> Iterator[Any]:
    """A shop in which every customer who returns something writes to the model."""
    with own_tower(tmp_path, deployed) as mine:
        mine.fill(ORDERS, seed=23)
        with sqlite3.connect(sqlite_file(mine.settings.shop)) as book:
            named = [row[0] for row in book.execute("SELECT return_id FROM returns ORDER BY return_id")]
            book.executemany(
                "UPDATE returns SET reason_text = ? WHERE return_id = ?", zip(cycle(NOTES), named, strict=False)
            )
        yield mine


@pytest.fixture
def with_model(loopback: Provider, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def configure(model: str, **more: object) -> None:
        told = {"model": f"openai/{model}", "model_url": loopback.url, "model_key": "sk-loopback",
                "model_cases_a_run": 10_000, "model_dollars_a_day": 1000, "model_dollars_a_lane": 1000}  # fmt: skip
        for name, value in (told | more).items():
            monkeypatch.setenv(f"TOWER_{name.upper()}", str(value))

    return configure


def book_of(tower: Any) -> tuple[list[Any], list[Any]]:
    """What the book holds that a person rules on or is told."""
    held = dossiers(tower.ledger, [row.id for row in queue(tower.ledger)])
    cases = sorted(json.dumps(each.case.model_dump(mode="json"), sort_keys=True) for each in held)
    return cases, sorted(row.digest for row in waiting_proposals(tower.ledger))


@pytest.mark.large
def test_an_obedient_attacker_in_the_lane_changes_no_case_proposal_owner_or_amount(
    hostile_shop: Any, with_model: Callable[..., None], loopback: Provider, tmp_path: Path, deployed: Any
) -> None:
    watch_returns(as_of=AS_OF)
    expected = book_of(hostile_shop)
    (tmp_path / "again").mkdir()
    with own_tower(tmp_path / "again", deployed) as again, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_SHOP_URL", hostile_shop.settings.shop)
        with_model("attacker")
        loopback.answer = replying
        asked = len(loopback.asked)
        watch_returns(as_of=AS_OF)
        assert book_of(again) == expected
        made = Briefs(again.ledger).of([row.id for row in queue(again.ledger)])
    attempts = len(loopback.asked) - asked
    by_model = sum(one.source == "model" for one in made.values())
    print(f"{attempts} attempts over the wire, {by_model} told, 0 changed a case or a proposal")
    assert attempts > 3 and len(made) == len(expected[0])
    assert all("approve" not in "".join(one.points) for one in made.values())


def test_what_a_model_chose_comes_first_in_the_paused_run_and_nothing_else_changes(
    hostile_shop: Any, with_model: Callable[..., None], loopback: Provider
) -> None:
    def last_first(sent: dict[str, Any]) -> str:
        said = honest(sent)
        return json.dumps(said | {"points": said["points"][::-1]}, ensure_ascii=False)

    loopback.answer = lambda body: replying(body, last_first)
    with_model("well")
    report = watch_returns(as_of=AS_OF)
    assert "prepare" in hostile_shop.records(report)
    ledger = hostile_shop.ledger
    waiting = waiting_proposals(ledger)
    assert waiting
    shown = request_for(ledger, waiting[0].digest).description_markdown
    assert "chosen by openai/well; every sentence is the rules' own" in shown
    assert "In their words" in shown
    asked = len(loopback.asked)
    watch_returns(as_of=AS_OF)
    assert len(loopback.asked) == asked, "what was read is not read again"


def test_a_model_that_is_down_costs_three_tries_and_every_brief_says_so(
    hostile_shop: Any, with_model: Callable[..., None], loopback: Provider
) -> None:
    with_model("broken")
    asked = len(loopback.asked)
    watch_returns(as_of=AS_OF)
    ledger = hostile_shop.ledger
    cases = [held.case for held in dossiers(ledger, [row.id for row in queue(ledger)])]
    made = briefs_for(ledger, settings(), cases)
    told = {case.id: brief(case, (), made[case.id]) for case in cases}
    assert len(loopback.asked) - asked == 3
    assert sum("because the provider failed" in text for text in told.values()) == 3
    assert sum("failed too often" in text for text in told.values()) == len(told) - 3


@pytest.mark.large
def test_what_a_model_has_no_turn_for_says_so_and_is_read_at_the_next_look(
    hostile_shop: Any, with_model: Callable[..., None], loopback: Provider
) -> None:
    loopback.answer = lambda body: replying(body, lambda sent: json.dumps(honest(sent)))
    with_model("well", model_cases_a_run=2)
    ledger = hostile_shop.ledger
    counted = []
    for _ in range(2):
        watch_returns(as_of=AS_OF)
        made = Briefs(ledger).of([row.id for row in queue(ledger)])
        counted.append(sum(one.source == "model" for one in made.values()))
        assert {one.why for one in made.values()} == {"", "too_many"}
    assert counted == [2, 4]


def test_what_was_sent_about_a_case_can_be_read_and_names_nobody(
    hostile_shop: Any, with_model: Callable[..., None], loopback: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.answer = lambda body: replying(body, lambda sent: json.dumps(honest(sent)))
    with_model("well")
    watch_returns(as_of=AS_OF)
    ledger = hostile_shop.ledger
    found = dossiers(ledger, [row.id for row in queue(ledger)])
    held = next(each for each in found if Calls(ledger).of_case(each.case.id))
    with pytest.raises(SystemExit):
        main(["case", held.case.id, "--prompts", "--json"])
    shown = json.loads(capsys.readouterr().out)
    (call,) = shown["prompts"]
    assert call["prompt"] == "brief@1" and call["outcome"] == "answered"
    sent = json.dumps(call["sent"])
    record = held.case.evidence.facts[0]
    assert not [name for name in ("return_id", "order_id", "customer_id") if str(record[name]) in sent]
    with pytest.raises(SystemExit):
        main(["case", held.case.id, "--prompts"])
    assert "brief@1" in capsys.readouterr().out
