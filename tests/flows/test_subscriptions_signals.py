"""The signals of the subscriptions lane, from evidence that is written out: what failed, what is seen, what is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.flows.test_returns_signals import write

pytestmark = pytest.mark.slow

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
Rows = list[dict[str, Any]]


def at(days: float) -> str:
    """So many days after the moment; before it, when negative."""
    return (AS_OF + timedelta(days=days)).isoformat()


def subscription(name: str, **told: Any) -> dict[str, Any]:
    return {
        "subscription_id": name, "customer_id": "ana", "status": "active", "amount": 2000, "currency": "EUR",
        "started_at": at(-100), "next_charge_at": at(20), "next_ship_at": at(1), "next_order_id": "next",
        "method_kind": "card", "method_country": "DE", "method_expires_at": at(400), "observed_at": AS_OF.isoformat(),
    } | told  # fmt: skip


def invoice(of: str, days: float = -5, **told: Any) -> dict[str, Any]:
    return {
        "invoice_id": f"i-{of}", "subscription_id": of, "amount": 2000, "currency": "EUR", "created_at": at(days),
        "due_at": at(days), "status": "open", "attempts": 1, "last_attempt_at": at(days + 1),
        "decline_code": "do_not_honor", "observed_at": AS_OF.isoformat(),
    } | told  # fmt: skip


ORDERS: Rows = [
    {"order_id": name, "status": status, "placed_at": at(-3), "approved_at": at(-2), "currency": "EUR",
     "cancelled_at": cancelled, "observed_at": AS_OF.isoformat()}
    for name, status, cancelled in (("next", "approved", None), ("gone", "shipped", None), ("off", "cancelled", at(-1)))
]  # fmt: skip
PARCELS: Rows = [
    {"fulfillment_id": "f-gone", "order_id": "gone", "status": "in_transit", "handed_over_at": at(-1),
     "observed_at": AS_OF.isoformat()},
]  # fmt: skip
HOLDS: Rows = [
    {"hold_id": "h", "order_id": "off", "reason": "OTHER", "handle": "shop", "placed_at": at(-2),
     "observed_at": AS_OF.isoformat()},
]  # fmt: skip

Looked = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture
def look(tmp_path: Path, deployed: Any, tower: Any) -> Callable[..., Looked]:
    """What the lane makes of evidence: facts by subscription, and findings; of all tables but those left out."""
    from flows.watch_subscriptions import watch_subscriptions

    def looked(subscriptions: Rows, invoices: Rows, without: tuple[str, ...] = (), as_of: datetime = AS_OF) -> Looked:
        folder = tmp_path / f"evidence-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "shop.yaml").write_text("id: small\ntime_zone: Europe/Berlin\ncountry: DE\ncurrency: EUR\n")
        tables = {"subscriptions": subscriptions, "invoices": invoices, "orders": ORDERS, "fulfillments": PARCELS}
        for table, rows in (tables | {"holds": HOLDS}).items():
            if table not in without:
                write(folder, table, rows)
        report = watch_subscriptions(source=f"folder:{folder}", as_of=as_of, dry_run=True)
        assert report.quarantined == dict.fromkeys(report.quarantined, 0)
        return tower.kept(report, "detect").set_index("subscription_id"), tower.kept(report, "judge")

    return looked


def said(findings: pd.DataFrame, subject: str) -> dict[str, str]:
    mine = findings[findings["subject"] == subject]
    return dict(zip(mine["kind"], mine["answer"], strict=True))


def test_only_what_was_tried_and_is_owed_has_failed(look: Callable[..., Looked]) -> None:
    names = ["paid", "tried", "waits", "draft", "void", "written-off", "none"]
    facts, _ = look(
        [subscription(name) for name in names],
        [
            invoice("paid", status="paid", paid_at=at(-1), decline_code=None),
            invoice("tried", next_attempt_at=at(2)),
            invoice("waits", attempts=0, last_attempt_at=None, decline_code=None),
            invoice("draft", status="draft", attempts=0, last_attempt_at=None, decline_code=None),
            invoice("void", status="void"),
            invoice("written-off", status="uncollectible"),
        ],
    )
    assert facts.loc[names, "failed"].tolist() == [False, True, False, False, False, False, False]
    assert facts.loc["tried", ["failed_invoices", "unpaid_amount", "attempts"]].tolist() == [1, 2000, 1]


def test_of_several_unpaid_invoices_the_newest_attempt_speaks_and_all_are_owed(look: Callable[..., Looked]) -> None:
    facts, findings = look(
        [subscription("two", next_ship_at=at(9))],
        [
            invoice("two", -40, invoice_id="old", decline_code="stolen_card", attempts=3, next_attempt_at=at(3)),
            invoice("two", -10, invoice_id="new", decline_code="insufficient_funds", attempts=2, next_attempt_at=at(1)),
        ],
    )
    row = facts.loc["two"]
    assert (row["invoice_id"], row["decline_code"], row["unpaid_amount"], row["attempts"]) == (
        "new", "insufficient_funds", 4000, 2,
    )  # fmt: skip
    assert row["hours_unpaid"] == pytest.approx(40 * 24)
    assert said(findings, "two") == {"payment_failing": "yes"}


def test_an_attempt_that_came_later_is_not_seen_and_what_it_said_is_unknown(look: Callable[..., Looked]) -> None:
    """Read today, looked at as of last week: the invoice was owed, and whether it had been refused is not on file."""
    evidence = [subscription("late")], [invoice("late", -10, attempts=3, last_attempt_at=at(-1))]
    now, _ = look(*evidence)
    then, findings = look(*evidence, as_of=AS_OF - timedelta(days=7))
    assert now.loc["late", "failed"]
    assert pd.isna(then.loc["late", "failed"]) and pd.isna(then.loc["late", "decline_code"])
    assert set(said(findings, "late").values()) == {"unknown"}


def test_a_code_that_nobody_classified_is_neither_soft_nor_hard(look: Callable[..., Looked]) -> None:
    _, findings = look([subscription("odd")], [invoice("odd", decline_code="card_on_the_moon", next_attempt_at=at(3))])
    assert said(findings, "odd") == {
        "payment_failing": "unknown", "hard_decline": "unknown", "retry_of_hard_decline": "unknown",
        "shipment_unpaid": "yes",
    }  # fmt: skip


def test_without_invoices_nobody_can_say_whether_anything_failed(look: Callable[..., Looked]) -> None:
    facts, findings = look([subscription("blank")], [], without=("invoices",))
    assert facts["failed"].isna().all()
    assert said(findings, "blank") == dict.fromkeys(
        ("payment_failing", "retries_ended", "hard_decline", "retry_of_hard_decline", "shipment_unpaid"), "unknown"
    )


def test_a_source_that_never_tells_of_plans_leaves_open_whether_it_is_tried_again(look: Callable[..., Looked]) -> None:
    facts, findings = look([subscription("a"), subscription("b")], [invoice("a"), invoice("b")])
    assert facts["retry_planned"].isna().all()
    assert said(findings, "a")["payment_failing"] == said(findings, "a")["retries_ended"] == "unknown"
    told, _ = look([subscription("a"), subscription("b")], [invoice("a"), invoice("b", next_attempt_at=at(2))])
    assert told["retry_planned"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("order", "here"),
    [
        ("next", True),
        ("gone", False),
        pytest.param("off", False, marks=pytest.mark.large),
        ("nowhere", None),
        pytest.param(None, None, marks=pytest.mark.large),
    ],
)
def test_a_shipment_can_be_held_while_it_is_here(
    look: Callable[..., Looked], order: str | None, here: bool | None
) -> None:
    facts, findings = look([subscription("s", next_order_id=order)], [invoice("s"), invoice("s", invoice_id="b")])
    value = facts.loc["s", "shipment_here"]
    assert (None if pd.isna(value) else bool(value)) is here
    assert said(findings, "s").get("shipment_unpaid", "no") == {True: "unknown", False: "no", None: "unknown"}[here]


def test_without_holds_nobody_knows_whether_it_is_held_already(look: Callable[..., Looked]) -> None:
    _, findings = look(
        [subscription("s"), subscription("t", next_ship_at=at(30))],
        [invoice("s"), invoice("t", next_attempt_at=at(3))],
        without=("holds",),
    )
    assert said(findings, "s")["shipment_unpaid"] == "unknown"


def test_only_a_card_has_an_end_and_nothing_on_file_is_not_silence(look: Callable[..., Looked]) -> None:
    kinds = {"card": at(-1), "bank_debit": None, "none": None, None: None}
    facts, findings = look(
        [subscription(f"m-{kind}", method_kind=kind, method_expires_at=end) for kind, end in kinds.items()],
        [invoice("m-card", status="paid", paid_at=at(-1))],
    )
    assert facts.loc["m-card", ["has_method", "method_expired"]].tolist() == [True, True]
    assert facts.loc["m-bank_debit", ["has_method", "method_expired"]].tolist() == [True, False]
    assert said(findings, "m-none") == {"no_method": "yes"}
    assert said(findings, "m-None") == dict.fromkeys(("method_expired", "method_expiring", "no_method"), "unknown")


@pytest.mark.parametrize("status", ["cancelled", pytest.param("paused", marks=pytest.mark.large)])
def test_what_does_not_run_asks_nobody_for_a_method(look: Callable[..., Looked], status: str) -> None:
    ended = {"cancelled_at": at(-1)} if status == "cancelled" else {}
    _, findings = look(
        [subscription("s", status=status, next_ship_at=None, next_order_id=None, method_kind="none", **ended),
         subscription("t")],
        [invoice("s"), invoice("t", next_attempt_at=at(3))],
    )  # fmt: skip
    assert said(findings, "s") == {}
