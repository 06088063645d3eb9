"""The lane on the public Olist export: real orders, known truth, and nothing from the future."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
THEN = datetime(2018, 9, 3, 18, 0, tzinfo=SAO_PAULO)
EVENTS = ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date")
FILES = {
    "orders": "olist_orders_dataset.csv.gz",
    "order_lines": "olist_order_items_dataset.csv.gz",
    "payments": "olist_order_payments_full.csv.gz",
    "reviews": "olist_order_reviews_dataset.csv.gz",
}


@pytest.fixture
def olist(public_data: Callable[[str], Path]) -> Path:
    return public_data("olist")


def rows_in(folder: Path, table: str) -> int:
    with gzip.open(folder / FILES[table], "rt", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def test_the_exceptions_of_olist_are_those_that_are_known(tower: Any, olist: Path) -> None:
    report = tower.watch(source=f"folder:{olist}", mapping="olist", as_of=THEN, dry_run=True)
    found = {kind: (answers.yes, answers.unknown) for kind, answers in report.findings.items()}
    assert found["stuck_order"] == (615, 2)
    assert found["unpaid_order"] == (5, 0)
    assert found["lost_shipment"] == (1103, 0)
    assert found["late_delivery"] == (341, 0)
    assert found["refund_due"] == (1018, 0)
    assert found["cancelled_in_transit"] == (75, 0)
    assert found["contradiction"][0] == 77 + 3 + 8  # the three handed over before purchase are among the 77
    assert report.proposals["refund"].model_dump() == {"count": 1018, "amount": {"BRL": 22638038}}
    for table in FILES:
        assert report.accepted[table] + report.quarantined[table] == rows_in(olist, table)
    assert {table: n for table, n in report.quarantined.items() if n} == {"payments": 9, "promises": 2}
    marks = tower.kept(report, "validate", "result.marks")
    assert marks.groupby("rule").size().to_dict() == {
        "fulfillments.handed_over_after_approval": 77,
        "fulfillments.handed_over_after_placement": 3,
        "fulfillments.delivered_after_hand_over": 3,
        "fulfillments.delivered_has_a_date": 8,
        "fulfillments.delivered_was_handed_over": 1,
        "reviews.written_after_placement": 58,
    }
    findings = tower.kept(report, "judge")
    yes = findings[findings["answer"] == "yes"].groupby("kind")["subject"].agg(set)
    undated = set(marks.loc[marks["rule"].str.contains("delivered_has|delivered_was"), "order_id"])
    assert undated <= yes["contradiction"]
    assert not undated & (yes["lost_shipment"] | yes["stuck_order"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "stuck"),
    [
        ("2017-12-01", 387),
        pytest.param("2018-03-01", 493, marks=pytest.mark.large),
        pytest.param("2018-06-01", 575, marks=pytest.mark.large),
        pytest.param("2018-08-15", 618, marks=pytest.mark.large),
    ],
)
def test_a_look_back_uses_nothing_that_happened_later(
    tower: Any, olist: Path, tmp_path: Path, moment: str, stuck: int
) -> None:
    as_of = datetime.fromisoformat(moment).replace(tzinfo=SAO_PAULO)
    whole = tower.watch(source=f"folder:{olist}", mapping="olist", as_of=as_of, dry_run=True)
    assert whole.findings["stuck_order"].yes == stuck
    blind = tmp_path / "olist"
    blind.mkdir()
    for name in FILES.values():
        shutil.copyfile(olist / name, blind / name)
    forget_what_came_later(blind, as_of.replace(tzinfo=None))
    without = tower.watch(source=f"folder:{blind}", mapping="olist", as_of=as_of, dry_run=True)
    assert without.findings == whole.findings
    cases, same = tower.kept(whole, "score"), tower.kept(without, "score")
    assert cases.equals(same)


def forget_what_came_later(folder: Path, moment: datetime) -> None:
    """Blank every event later than a moment, every status that such an event dates, and orders placed later."""
    orders = read(folder / FILES["orders"])
    seen = [row for row in orders if datetime.fromisoformat(row["order_purchase_timestamp"]) <= moment]
    for row in seen:
        later = [name for name in EVENTS if row[name] and datetime.fromisoformat(row[name]) > moment]
        row.update(dict.fromkeys(later, ""))
        if later and row["order_status"] not in ("canceled", "unavailable"):
            row["order_status"] = "created" if "order_approved_at" in later else "shipped"
    write(folder / FILES["orders"], seen)
    known = {row["order_id"] for row in seen}
    write(
        folder / FILES["order_lines"],
        [row for row in read(folder / FILES["order_lines"]) if row["order_id"] in known],
    )
    reviews = [row for row in read(folder / FILES["reviews"]) if row["order_id"] in known]
    reviews = [row for row in reviews if datetime.fromisoformat(row["review_answer_timestamp"]) <= moment]
    write(folder / FILES["reviews"], reviews)


@pytest.mark.slow
def test_who_says_of_a_delivered_order_that_it_never_came_is_evidence_with_their_words(tower: Any, olist: Path) -> None:
    report = tower.watch(source=f"folder:{olist}", mapping="olist", as_of=THEN, dry_run=True)
    findings = tower.kept(report, "judge")
    disputed = set(findings.loc[(findings.kind == "disputed_delivery") & (findings.answer == "yes"), "subject"])
    written = {row["order_id"]: row for row in read(olist / FILES["reviews"])}
    came = {
        row["order_id"]: row["order_delivered_customer_date"][:10] if row["order_status"] == "delivered" else ""
        for row in read(olist / FILES["orders"])
    }
    plainly = re.compile(r"não recebi|nao recebi|não chegou|nao chegou", re.IGNORECASE)
    texts = {id: f"{row['review_comment_title']}. {row['review_comment_message']}" for id, row in written.items()}
    plain = {
        id for id, text in texts.items()
        if plainly.search(text) and came[id] and written[id]["review_answer_timestamp"][:10] >= came[id]
    }  # fmt: skip
    print(f"{len(disputed)} deliveries disputed, {len(plain & disputed)} of the {len(plain)} that say so most plainly")
    assert len(plain) > 50 and plain <= disputed
    for id in disputed:
        assert written[id]["review_answer_timestamp"][:10] >= came[id], "before the delivery it was only true"
    facts = tower.kept(report, "detect").set_index("order_id").loc[sorted(disputed)]
    assert all(words in text for words, text in zip(facts["said_words"], facts["review_text"], strict=True))
    assert set(facts["said_to"]) == {"in a review"}
    proposed = tower.kept(report, "recommend")
    yes = findings[findings.answer == "yes"].groupby("subject")["kind"].agg(set)
    only = {id for id, kinds in yes.items() if kinds == {"disputed_delivery"}}
    assert only and not only & set(proposed["subject"]), "words alone move no money"


def read(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def write(file: Path, rows: list[dict[str, str]]) -> None:
    file.unlink()
    with gzip.open(file, "wt", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
