"""The lanes over payloads as an API gave them: what they do not tell is unknown, and nothing is proposed on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.watch_fulfilment import watch_fulfilment
from flows.watch_subscriptions import watch_subscriptions
from tests.flows.conftest import data

pytestmark = pytest.mark.slow


def fetched(folder: Path) -> datetime:
    """A minute after the newest payload was written."""
    return datetime.fromtimestamp(max(file.stat().st_mtime for file in folder.iterdir()), UTC) + timedelta(minutes=1)


def said(tower: Any, report: Any) -> dict[tuple[str, str], str]:
    found = tower.kept(report, "judge")
    return {(row.subject, row.kind): row.answer for row in found.itertuples()}


def test_shopifys_own_orders_have_no_promises_and_so_are_neither_late_nor_fine(tower: Any) -> None:
    folder = data("fixtures_shopify_api")
    report = watch_fulfilment(f"shopify:{folder}", as_of=fetched(folder), dry_run=True)
    assert sum(report.accepted.values()) + sum(report.quarantined.values()) == 1 + 3 + 0 + 1 + 1 + 1
    assert set(report.absent) == {"promises", "holds", "support_contacts", "reviews"}
    assert {"orders.approved_at", "fulfillments.handed_over_at"} <= set(report.untold)
    answers = said(tower, report)
    assert answers["450789469", "stuck_order"] == answers["450789469", "contradiction"] == "unknown"
    assert "yes" not in answers.values() and report.proposals == {}


def test_stripes_subscriptions_fail_by_their_codes_and_nobody_knows_what_ships(tower: Any, tmp_path: Path) -> None:
    def subscription(name: str) -> dict[str, Any]:
        return {
            "object": "subscription",
            "id": name,
            "status": "past_due",
            "currency": "eur",
            "start_date": 1_700_000_000,
        }

    def invoice(name: str, code: str, again: int | None) -> dict[str, Any]:
        return {
            "object": "invoice", "id": f"i-{name}", "status": "open", "amount_due": 2400, "currency": "eur",
            "created": 1_750_000_000, "attempt_count": 2, "subscription": name, "next_payment_attempt": again,
            "payment_intent": {"object": "payment_intent", "last_payment_error": {"decline_code": code}},
        }  # fmt: skip

    told = {"soft": ("insufficient_funds", 1_900_000_000), "ended": ("do_not_honor", None),
            "hard": ("stolen_card", None), "again": ("lost_card", 1_900_000_000)}  # fmt: skip
    objects = [subscription(name) for name in told] + [invoice(name, *codes) for name, codes in told.items()]
    (tmp_path / "fetched.json").write_text(json.dumps(objects))
    report = watch_subscriptions(f"stripe:{tmp_path}", as_of=fetched(tmp_path), dry_run=True)
    assert report.quarantined == {"subscriptions": 0, "invoices": 0}
    answers = said(tower, report)
    yes = {pair for pair, answer in answers.items() if answer == "yes"}
    assert yes == {
        ("soft", "payment_failing"), ("ended", "retries_ended"), ("hard", "hard_decline"), ("again", "hard_decline"),
        ("again", "retry_of_hard_decline"),
    }  # fmt: skip
    for name in told:
        # The default method may be the customer's, and what is shipped is in no subscription of Stripe's.
        assert answers[name, "no_method"] == answers[name, "method_expired"] == "unknown"
        assert answers[name, "shipment_unpaid"] == "unknown"
    assert report.proposals == {}


def test_the_fixture_of_stripe_goes_through_the_subscriptions_lane(tower: Any) -> None:
    folder = data("fixtures_stripe")
    report = watch_subscriptions(f"stripe:{folder}", as_of=fetched(folder), dry_run=True)
    assert sum(report.accepted.values()) + sum(report.quarantined.values()) == 2
    assert set(report.absent) == {"orders", "fulfillments", "holds"}
    assert "yes" not in said(tower, report).values()
