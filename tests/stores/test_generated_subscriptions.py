"""The subscriptions of a generated shop are believable, and what is planted in them is the truth and all of it.

The rules here are written from the words of the business, over the rows that the shop's own source gives.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from control_tower.stores.generator import KINDS, SUBSCRIPTION_KINDS, Rates, Truth
from tests.stores.test_generated_returns import MOMENTS, Frames, Truths, made, moments

HARD = {
    "incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization",
    "revocation_of_all_authorizations", "authentication_required", "highest_risk_level", "transaction_not_allowed",
}  # fmt: skip


def facts_of(frames: Frames) -> pd.DataFrame:
    """One row for each subscription, with its one unpaid invoice that was tried, and its next order."""
    invoices = frames["invoices"]
    owed = invoices[invoices.paid_at.isna() & (invoices.attempts > 0)].set_index("subscription_id")
    assert owed.index.is_unique
    facts = frames["subscriptions"].set_index("subscription_id").drop(columns=["observed_at", "unreadable"])
    facts = facts.join(owed[["attempts", "last_attempt_at", "next_attempt_at", "decline_code"]])
    facts["failed"] = facts.attempts.notna()
    wrong = invoices[invoices.paid_at < invoices.created_at]
    facts["contradicts"] = facts.index.isin(wrong.subscription_id)
    parcels = frames["fulfillments"].set_index("order_id").handed_over_at
    facts["left"] = facts.next_order_id.map(parcels.to_dict()).notna()
    held = frames["holds"][frames["holds"].released_at.isna()].order_id
    facts["held"] = facts.next_order_id.isin(held)
    return facts


def holding(frames: Frames, now: datetime) -> Truths:
    """Every (subscription, kind) that holds, by the rules as a person would read them."""
    s = facts_of(frames)
    runs = ~s.status.isin(["paused", "cancelled"])
    hard, planned, indian = s.decline_code.isin(HARD), s.next_attempt_at.notna(), s.method_country == "IN"
    soft = s.failed & ~hard
    expired = (s.method_kind == "card") & (s.method_expires_at <= now)
    soon = s.next_charge_at <= now + timedelta(days=30)
    found = {
        "payment_failing": runs & soft & planned & ~indian,
        "retries_ended": runs & soft & (~planned | indian),
        "hard_decline": runs & s.failed & hard,
        "retry_of_hard_decline": s.failed & hard & planned,
        "method_expired": runs & expired,
        "method_expiring": runs & ~expired & (s.method_expires_at <= s.next_charge_at) & soon,
        "no_method": runs & (s.method_kind == "none"),
        "shipment_unpaid": s.failed & s.next_order_id.notna() & ~s.left & ~s.held
        & (s.next_ship_at <= now + timedelta(hours=48)) & ~(s.next_attempt_at < s.next_ship_at),
        "subscription_contradiction": s.contradicts,
    }  # fmt: skip
    return {(each, kind) for kind, holds in found.items() for each in s.index[np.asarray(holds, bool)]}


def pairs(truth: Truth) -> Truths:
    return set(truth.subscription_pairs.itertuples(index=False, name=None))


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments("Easter Monday", "in the last days of the holiday season's returns"))
def test_the_truth_is_what_a_person_would_find(tmp_path: Path, moment: datetime) -> None:
    frames, truth = made(tmp_path, moment)
    assert holding(frames, truth.as_of) == pairs(truth)
    # On the fourth day of a holiday every order has left, or waits for its payment.
    assert {kind for kind in SUBSCRIPTION_KINDS if not truth.planted["subscriptions"][kind]} <= {"shipment_unpaid"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(5), pytest.param(5, marks=pytest.mark.large)])
def test_the_truth_is_the_truth_for_any_seed_and_size(tmp_path: Path, seed: int) -> None:
    as_of = datetime(2026, 5, 12, 14, 5, tzinfo=UTC) + timedelta(hours=31 * seed)
    frames, truth = made(tmp_path, as_of, orders=(1, 40, 200, 700, 1500, 20_000)[seed], seed=seed)
    assert holding(frames, as_of) == pairs(truth)


def test_none_are_planted_when_none_are_asked_for_and_some_are_refused_all_the_same(tmp_path: Path) -> None:
    none = Rates(**(dict.fromkeys(Rates.model_fields, 0)))
    frames, truth = made(tmp_path, MOMENTS["Easter Monday"], rates=none)
    assert holding(frames, truth.as_of) == pairs(truth) == set()
    assert facts_of(frames).failed.any(), "a cancelled subscription may owe its last period"


def test_subscriptions_touch_nothing_that_orders_are_judged_by(tmp_path: Path) -> None:
    frames, truth = made(tmp_path, MOMENTS["a Wednesday morning"])
    faulty = {each for kind in KINDS for each in truth.planted["fulfilment"][kind]}
    named = set(frames["subscriptions"].next_order_id.dropna())
    assert named and not named & faulty
    with_order = frames["subscriptions"].dropna(subset="next_order_id")
    customer = frames["orders"].set_index("order_id").customer_id
    assert (customer.loc[with_order.next_order_id].to_numpy() == with_order.customer_id.to_numpy()).all()


def test_what_was_charged_is_a_month_apart_and_most_of_it_is_paid(tmp_path: Path) -> None:
    frames, truth = made(tmp_path, MOMENTS["a Wednesday morning"])
    invoices, subscriptions = frames["invoices"], frames["subscriptions"].set_index("subscription_id")
    assert subscriptions.customer_id.is_unique
    due = invoices.sort_values("due_at").groupby("subscription_id").due_at.diff().dropna()
    assert (due == timedelta(days=30)).all()
    assert (invoices.created_at >= invoices.subscription_id.map(subscriptions.started_at)).all()
    assert (invoices.last_attempt_at.dropna() <= truth.as_of).all() and (invoices.paid_at.dropna() <= truth.as_of).all()
    assert 0.9 < invoices.paid_at.notna().mean() < 1
    assert ((invoices.attempts == 0) == invoices.last_attempt_at.isna()).all() and (invoices.attempts == 0).any()
    assert (invoices.decline_code.notna() == (invoices.paid_at.isna() & (invoices.attempts > 0))).all()
    assert set(subscriptions.status) == {"active", "past_due", "unpaid", "paused", "cancelled"}
