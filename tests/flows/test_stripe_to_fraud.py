"""From what Stripe sends to what a reviewer sees: disputes, reviews and early warnings, through the fraud lane."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.watch_fraud import watch_fraud

pytestmark = pytest.mark.slow

PLACED = datetime(2026, 3, 1, 9, tzinfo=UTC)


def orders(folder: Path, *numbers: int) -> Path:
    """Orders of a shop, a day apart, none of them shipped."""
    folder.mkdir()
    rows = [f"{n},approved,{(PLACED + timedelta(days=n - 2001)).isoformat()},EUR,4000" for n in numbers]
    (folder / "orders.csv").write_text("\n".join(["order_id,status,placed_at,currency,total_amount", *rows]) + "\n")
    (folder / "fulfillments.csv").write_text("fulfillment_id,order_id,status,label_created_at\n")
    (folder / "shop.yaml").write_text("id: shop\ntime_zone: Europe/Berlin\ncountry: DE\ncurrency: EUR\n")
    return folder


def charge(number: int, card: str) -> dict[str, Any]:
    return {
        "object": "charge", "id": f"ch_{number}", "status": "succeeded", "captured": True, "amount": 4000,
        "currency": "eur", "created": int((PLACED + timedelta(days=number - 2001)).timestamp()),
        "metadata": {"order_id": str(number)}, "outcome": {"risk_level": "normal"},
        "payment_method_details": {"type": "card", "card": {"fingerprint": card, "checks": {"cvc_check": "pass"}}},
    }  # fmt: skip


def sent(folder: Path, *objects: dict[str, Any]) -> Path:
    """Stripe's events, one a file, as webhooks leave them."""
    folder.mkdir()
    for number, one in enumerate(objects):
        event = {"object": "event", "id": f"evt_{number}", "created": one["created"], "data": {"object": one}}
        (folder / f"stripe-{number}.json").write_text(json.dumps(event))
    return folder


def found(tower: Any, tmp_path: Path, *objects: dict[str, Any], numbers: tuple[int, ...] = (2001, 2002)) -> set[Any]:
    source = f"folder:{orders(tmp_path / 'orders', *numbers)}+stripe:{sent(tmp_path / 'stripe', *objects)}"
    report = watch_fraud(source, dry_run=True)
    assert report.quarantined["disputes"] == report.quarantined["risk_signals"] == 0
    judged = tower.kept(report, "judge")
    return {(row.subject, row.kind) for row in judged.itertuples() if row.answer == "yes"}


def at(days: int) -> int:
    return int((PLACED + timedelta(days=days)).timestamp())


def test_a_dispute_makes_the_next_order_of_its_card_one_to_review(tower: Any, tmp_path: Path) -> None:
    dispute = {
        "object": "dispute", "id": "dp_1", "charge": "ch_2001", "status": "needs_response", "reason": "fraudulent",
        "amount": 4000, "currency": "eur", "created": at(5),
    }  # fmt: skip
    said = found(tower, tmp_path, charge(2001, "fp_1"), charge(2002, "fp_1"), dispute)
    assert ("2002", "linked_to_dispute") in said and ("2001", "linked_to_dispute") not in said


@pytest.mark.parametrize(
    ("one", "is_high"),
    [
        ({"object": "radar.early_fraud_warning", "id": "issfr_1"}, True),
        ({"object": "review", "id": "prv_1", "open": False, "closed_reason": "refunded_as_fraud"}, True),
        ({"object": "review", "id": "prv_1", "open": True}, False),
        ({"object": "review", "id": "prv_1", "open": False, "closed_reason": "approved"}, False),
    ],
)
def test_a_warning_or_a_review_that_ended_in_fraud_is_the_providers_highest_level(
    tower: Any, tmp_path: Path, one: dict[str, Any], is_high: bool
) -> None:
    told = one | {"charge": "ch_2001", "created": at(4)}
    other = {
        "object": "dispute", "id": "dp", "charge": "x", "reason": "general", "amount": 1, "currency": "eur",
        "created": at(1),
    }  # fmt: skip
    cards = charge(2001, "fp_1"), charge(2002, "fp_2"), other
    said = found(tower, tmp_path, *cards, told)
    assert (("2001", "provider_high_risk") in said) is is_high
    assert ("2002", "provider_high_risk") not in said
