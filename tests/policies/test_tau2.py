"""The tau2 retail tasks: their policy written as ours, and what it recommends beside what they end in."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.examples import failing
from tests.policies import drawing
from tests.policies.tau2.comparison import Compared, compare, ends_in, recommended, recommends, written
from tests.policies.tau2.page import PAGE, reasons, tables, with_tables
from tests.policies.tau2.requests import requests_of
from tests.policies.tau2.shop import Customer, Item, Order, Shop
from tests.thorough import up_to

DRAWN = settings(max_examples=up_to(150), deadline=None, suppress_health_check=list(HealthCheck))
MONEY = {"return", "exchange", "cancel"}


@pytest.fixture(scope="module")
def folder() -> Path:
    given_folder = os.environ.get("TOWER_DATA")
    found = Path(given_folder) if given_folder else Path(__file__).parents[3] / "shared" / "data"
    if not (found / "tau2_retail").is_dir():
        pytest.skip("public data 'tau2_retail' is absent; name its folder in TOWER_DATA")
    return found / "tau2_retail"


@pytest.fixture(scope="module")
def compared(folder: Path) -> list[Compared]:
    return compare(folder)


# -- the policy


def test_every_example_of_the_policy_is_kept() -> None:
    assert failing(written()) == []


def test_every_outcome_of_the_policy_has_an_example() -> None:
    policy = written()
    for name, table in policy.tables.items():
        assert {example.gives.get(name) for example in policy.examples} >= set(table.outcomes)


@DRAWN
@given(drawn=st.data())
def test_whatever_is_known_whole_gets_a_recommendation_and_only_on_its_terms(drawn: st.DataObject) -> None:
    facts = drawn.draw(drawing.record(written(), whole=True))
    said = recommends(facts)
    assert said is not None
    if said != "nothing":
        assert facts["authenticated"] and facts["own_order"] and facts["asked_for"]
    if said in ("return", "exchange"):
        assert facts["order_status"] == "delivered"
    if said == "cancel":
        assert facts["order_status"] == "pending" and facts["whole_order"] and facts["money_goes"] == "original"
    if said == "return":
        assert facts["money_goes"] in ("original", "own_gift_card")


@DRAWN
@given(drawn=st.data())
def test_missing_evidence_recommends_nothing_new(drawn: st.DataObject) -> None:
    facts = drawn.draw(drawing.record(written(), whole=True))
    lost = drawn.draw(st.sets(st.sampled_from(sorted(facts)), min_size=1))
    assert recommends(facts | dict.fromkeys(lost)) in (None, recommends(facts))


# -- the reader, on a customer who is in no data set


def lamp(item_id: str, color: str, *, available: bool = True) -> Item:
    return Item("Reading Lamp", item_id, {"color": color, "height": "4 ft"}, 30.0, available)


RED, BLUE, GREEN = lamp("1", "red"), lamp("2", "blue"), lamp("3", "green", available=False)
SOFA = Item("Sofa", "4", {"seats": "three seats"}, 900.0)
ANNA = Customer(
    id="anna_beck_1",
    name=("Anna", "Beck"),
    zip="10001",
    email="anna@example.com",
    orders=(
        Order("#W1000001", "delivered", (RED, SOFA), "paypal"),
        Order("#W1000002", "pending", (BLUE,), "credit_card"),
        Order("#W1000003", "pending", (BLUE, SOFA), "credit_card"),
    ),
    methods=("paypal", "credit_card", "gift_card"),
    gift_card=100.0,
)
SHOP = Shop((ANNA,), {"Reading Lamp": (RED, BLUE, GREEN), "Sofa": (SOFA,)})


@pytest.mark.parametrize(
    ("wish", "recommendations"),
    [
        ("I like to know what the lamp weighs.", []),
        ("I want to return the lamp.", ["return"]),
        ("The sofa is too big. I want to send it back.", ["return"]),
        ("I don't want to return the lamp.", []),
        ("I may return the lamp later.", []),
        ("Please return the lamp. But you change your mind and want to keep it.", []),
        ("I want to return everything except the sofa.", ["return"]),
        ("I want to return the lamp, refund it to my credit card.", ["nothing"]),
        ("I want to return the lamp. I would prefer the refund on my credit card.", ["return"]),
        ("I want to return the lamp and refund to my gift card.", ["return"]),
        ("Exchange the lamp you delivered for a blue one.", ["exchange"]),
        ("Exchange the lamp you delivered for a green one.", ["nothing"]),
        ("Exchange the lamp you delivered for the same item.", ["nothing"]),
        ("Exchange my pending lamp for a red one.", ["modify"]),
        ("Exchange the lamp you delivered for a green one. If that is not possible, return it.", ["nothing", "return"]),
        ("Exchange the lamp you delivered for a blue one. If that is not possible, return it.", ["exchange"]),
        ("Return the lamp and exchange the sofa.", ["return", "nothing"]),
        ("Cancel order #W1000002.", ["cancel"]),
        ("Cancel order #W1000001.", ["nothing"]),
        ("Cancel order #W7777777.", ["nothing"]),
        ("Cancel the sofa.", ["nothing"]),
        ("Cancel the sofa. If you can't cancel a single item, cancel the whole order.", ["nothing", "cancel"]),
        ("Cancel all pending orders.", ["cancel", "cancel"]),
        ("Cancel all pending orders and refund them to the gift card.", ["nothing", "nothing"]),
        ("If the moon is full, return the lamp.", [None]),
        ("Change the address of order #W1000002 to the office.", ["modify"]),
        ("Change the address of order #W1000001 to the office.", ["nothing"]),
        ("Undo the cancellation of my order.", ["hand_over"]),
        ("Return the lamp to my credit card, refund it there. If not, give me a human.", ["nothing", "hand_over"]),
    ],
)
def test_the_reader_takes_a_wish_as_it_is_said(wish: str, recommendations: list[str | None]) -> None:
    requests = requests_of("Anna Beck, 10001", wish, SHOP, recommends)
    assert [request.recommendation for request in requests] == recommendations


def test_nobody_is_served_who_can_not_be_found() -> None:
    requests = requests_of("Anna Beck, 99999", "I want to return the lamp.", SHOP, recommends)
    assert [request.recommendation for request in requests] == ["nothing"]


# -- the comparison


def test_the_tasks_end_in_what_is_known_of_them(folder: Path) -> None:
    ends = [{kind for kind, _ in actions} for actions in ends_in(folder).values()]
    assert len(ends) == 114
    counted = {kind: sum(kind in kinds for kinds in ends) for kind in ("return", "exchange", "cancel", "hand_over")}
    assert counted == {"return": 31, "exchange": 29, "cancel": 18, "hand_over": 4}
    assert sum(not kinds for kinds in ends) == 7


@pytest.mark.slow
def test_recommendations_are_made_without_the_answers(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "db.json.gz", tmp_path)
    with gzip.open(folder / "tasks.json.gz", "rt", encoding="utf-8") as file:
        tasks = json.load(file)
    blind = [{"id": task["id"], "user_scenario": task["user_scenario"]} for task in tasks]
    with gzip.open(tmp_path / "tasks.json.gz", "wt", encoding="utf-8") as file:
        json.dump(blind, file)
    assert recommended(tmp_path) == recommended(folder)


def test_a_cancellation_is_recommended_only_where_a_task_ends_in_one(compared: list[Compared]) -> None:
    assert not [one.task for one in compared if "cancel" in one.ours and "cancel" not in one.theirs]


def test_every_difference_has_its_reason_and_every_reason_its_difference(compared: list[Compared]) -> None:
    meanings, told = reasons()
    differing = {one.task: (one.ours, one.theirs) for one in compared if not one.agrees}
    assert {task: (reason.ours, reason.theirs) for task, reason in told.items()} == differing
    assert {reason.why for reason in told.values()} == set(meanings)
    assert all(len(reason.because) > 40 for reason in told.values())


def test_the_page_tells_the_comparison_as_it_comes_out(compared: list[Compared]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, tables(compared)) == page, "python -m tests.policies.tau2.page FOLDER writes it anew"


def test_the_page_holds_no_text_of_the_data(folder: Path) -> None:
    """No eight words in a row of a task, in the page or beside the policy."""
    with gzip.open(folder / "tasks.json.gz", "rt", encoding="utf-8") as opened:
        tasks = json.load(opened)
    runs = {run for task in tasks for text in task["user_scenario"]["instructions"].values() for run in in_a_row(text)}
    written_here = [PAGE, Path(__file__), *(Path(__file__).parent / "tau2").rglob("*.*")]
    for file in written_here:
        if file.suffix in (".md", ".yaml", ".py"):
            assert not runs & in_a_row(file.read_text(encoding="utf-8")), file


def in_a_row(text: str | None, number: int = 8) -> set[str]:
    words = (text or "").lower().split()
    return {" ".join(words[place : place + number]) for place in range(len(words) - number + 1)}
