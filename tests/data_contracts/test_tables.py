"""What a check says of rows and of whole tables, over every contract."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_contracts
from control_tower.errors import ContractError
from data_contracts import Checked, Contract, examples
from data_contracts.expectations import CONTROL_CHARACTERS
from tests.thorough import up_to

NOW = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)
TEXT = pd.StringDtype("pyarrow")


def check(table: str, *changes: dict[str, Any], as_of: datetime = NOW) -> Checked:
    """A check of the contract's example row, once for each change."""
    contract = data_contracts.load(table)
    return data_contracts.check(contract, examples(contract, *changes), as_of)


def rules_by_row(checked: Checked) -> dict[int, set[str]]:
    assert not checked.breaches
    return checked.failures.groupby("row")["rule"].agg(set).to_dict()


def test_failures_are_a_table_of_their_own() -> None:
    checked = check("payments", {}, {"amount": 0, "method": "a\x00b"}, {"currency": "eur"})
    assert list(checked.failures.columns) == ["row", "rule", "severity", "column", "sentence"]
    assert checked.failures["row"].dtype == np.int64
    assert checked.failures["row"].is_monotonic_increasing
    assert (checked.rows, checked.bad_rows) == (3, 2)
    assert {(row.rule, row.column) for row in checked.failures.itertuples()} == {
        ("payments.no_control_characters", "method"),
        ("payments.amount_above_zero", "amount"),
        ("payments.currency_is_iso", "currency"),
        ("payments.currency_of_the_order", "currency"),
    }
    assert sum(rule.count for rule in checked.rules) == len(checked.failures)
    assert all(rule.ran for rule in checked.rules)


def test_a_row_is_named_by_its_position_whatever_the_index() -> None:
    contract = data_contracts.load("payments")
    frame = examples(contract, {}, {}, {"amount": 0}).set_index(pd.Index([7, 7, 7]))
    assert data_contracts.check(contract, frame, NOW).failures["row"].tolist() == [2]


def test_a_check_changes_nothing_in_what_it_is_given() -> None:
    contract = data_contracts.load("promises")
    frame = examples(contract, {}, {"due_at": None})
    before = frame.copy(deep=True)
    data_contracts.check(contract, frame, NOW)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("table", data_contracts.names())
def test_text_that_is_read_as_categories_breaks_the_same_rules(table: str) -> None:
    contract = data_contracts.load(table)
    broken = [rule.broken_by or {} for rule in contract.rules if rule.broken_by]
    frame = examples(contract, {}, *broken, {contract.key: "the same"}, {contract.key: "the same"})
    texts = [name for name in frame if isinstance(frame[name].dtype, pd.StringDtype)]
    plain = data_contracts.check(contract, frame, NOW)
    for coded in (texts, texts[:2], ["source", "order_currency"]):
        given = frame.astype({name: "category" for name in coded if name in frame})
        again = data_contracts.check(contract, given, NOW)
        pd.testing.assert_frame_equal(again.failures, plain.failures)
        assert again.rules == plain.rules


def test_a_coded_column_of_which_nothing_is_known_is_text_still() -> None:
    contract = data_contracts.load("holds")
    frame = examples(contract, {"handle": None}).astype({"handle": "category", "unreadable": "category"})
    assert rules_by_row(data_contracts.check(contract, frame, NOW)) == {0: {"holds.handle_present"}}
    numbers = frame.assign(handle=pd.Categorical([7]))
    assert [breach.rule for breach in data_contracts.check(contract, numbers, NOW).breaches] == ["holds.columns"]


# -- what a person would ask of each rule

REASONS = (
    "size_too_small", "size_too_large", "not_as_described", "color", "style", "defective", "damaged_in_transit",
    "missing_parts", "wrong_item", "late_delivery", "late_request", "unwanted", "better_price", "accidental",
    "unauthorized", "unknown",
)  # fmt: skip
HANDED, APPROVED = "2026-03-03T16:00:00Z", "2026-03-04T09:00:00Z"


def test_a_parcel_without_a_known_order_breaks_no_rule_about_the_order() -> None:
    assert rules_by_row(check("fulfillments", {"order_placed_at": None, "order_approved_at": None})) == {}


def test_a_warning_keeps_the_row() -> None:
    checked = check("fulfillments", {"order_approved_at": APPROVED})
    assert rules_by_row(checked) == {0: {"fulfillments.handed_over_after_approval"}}
    assert checked.failures["severity"].tolist() == ["warning"]
    assert checked.bad_rows == 0


@pytest.mark.parametrize(
    ("table", "without"),
    [
        ("returns", {"order_id": None, "line_id": None, "line_order_id": None, "line_quantity": None}),
        ("returns", {"reason": None, "reason_text": None, "photos": None, "gift": None, "method_wanted": None}),
        ("returns", {"approved_at": None, "received_at": None, "closed_at": None, "customer_id": None}),
        ("inspections", {"order_id": None, "condition": None, "disposition": None, "return_received_at": None}),
        ("refunds", {"order_id": None, "order_currency": None, "return_order_id": None}),
        ("refunds", {"return_id": None, "method": None, "return_order_id": None}),
        ("order_lines", {"final_sale": None, "category": None}),
    ],
)  # fmt: skip
def test_what_a_return_leaves_open_breaks_nothing(table: str, without: dict[str, Any]) -> None:
    """No purchase on file, no reason given, nothing received yet: unknown, and no fault of the row's."""
    assert rules_by_row(check(table, {}, without)) == {}


@pytest.mark.parametrize(
    ("table", "row", "rule", "bad"),
    [
        ("returns", {"received_at": "2026-03-05T17:59:59Z"}, "returns.received_after_request", 0),
        ("returns", {"order_placed_at": "2026-03-05T18:00:01Z"}, "returns.requested_after_placement", 0),
        ("returns", {"line_quantity": 0}, "returns.quantity_was_bought", 0),
        ("returns", {"line_order_id": "order-7"}, "returns.line_of_the_order", 0),
        ("inspections", {"return_received_at": "2026-03-06T10:00:01Z"}, "inspections.inspected_after_receipt", 0),
        ("refunds", {"return_order_id": "order-7"}, "refunds.order_of_the_return", 0),
        ("returns", {"quantity": -1}, "returns.quantity_above_zero", 1),
        ("returns", {"reason": "SIZE_TOO_SMALL"}, "returns.reason_known_word", 1),
        ("returns", {"status": "open"}, "returns.status_known_word", 1),
        ("refunds", {"method": "card"}, "refunds.method_known_word", 1),
        ("inspections", {"return_id": None}, "inspections.return_id_present", 1),
    ],
)
def test_a_contradiction_is_marked_and_what_nobody_understands_is_set_aside(
    table: str, row: dict[str, Any], rule: str, bad: int
) -> None:
    checked = check(table, {}, row)
    assert rules_by_row(checked) == {1: {rule}}
    assert checked.bad_rows == bad


@pytest.mark.parametrize("reason", REASONS)
def test_each_canonical_reason_is_understood(reason: str) -> None:
    assert rules_by_row(check("returns", {"reason": reason})) == {}


@pytest.mark.parametrize("known", [False, None])
def test_a_delivery_that_is_not_known_yet_needs_no_date(known: bool | None) -> None:
    """Its date was masked because it lies after `as_of`; so was its status, for whoever asks."""
    checked = check("fulfillments", {"delivered_at": None, "handed_over_at": None, "status_known": known})
    assert rules_by_row(checked) == {}


def test_handed_over_in_the_very_moment_of_approval_is_in_order() -> None:
    assert rules_by_row(check("fulfillments", {"order_approved_at": HANDED, "handed_over_at": HANDED})) == {}


@pytest.mark.parametrize(
    ("days", "breaks"), [(-2, True), (-1, False), (0, False), (366, False), (367, True), (3650, True)]
)
def test_a_promise_falls_due_within_a_year(days: int, breaks: bool) -> None:
    made = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year
    checked = check("promises", {"made_at": made.isoformat(), "due_at": (made + timedelta(days=days)).isoformat()})
    assert rules_by_row(checked) == ({0: {"promises.due_in_a_possible_year"}} if breaks else {})


@pytest.mark.parametrize(("late", "breaks"), [(0, False), (300, False), (301, True)])
def test_clocks_may_differ_by_five_minutes(late: int, breaks: bool) -> None:
    checked = check("refunds", {"refunded_at": (NOW + timedelta(seconds=late)).isoformat()})
    assert bool(rules_by_row(checked)) is breaks


@pytest.mark.parametrize("currency", ["EUR\n", "EURO", "eu", "", "€€€", "ＥＵＲ"])
def test_only_three_capital_letters_are_a_currency(currency: str) -> None:
    assert rules_by_row(check("orders", {}, {"currency": currency})) == {1: {"orders.currency_is_iso"}}


def test_a_billion_is_still_money_and_more_is_a_mistake() -> None:
    found = rules_by_row(check("payments", {"amount": 10**11}, {"amount": 10**11 + 1}, {"amount": 2**63 - 1}))
    assert found == {1: {"payments.amount_plausible"}, 2: {"payments.amount_plausible"}}


@pytest.mark.parametrize("moment", [2**63 - 1, -(2**63) + 1, 253_402_300_800_000_000])
@pytest.mark.parametrize("table", ["orders", "promises"])
def test_a_time_at_infinity_is_one_bad_row_and_not_the_end_of_the_check(table: str, moment: int) -> None:
    """A database may say `infinity`; adding to it overflows."""
    contract = data_contracts.load(table)
    frame = examples(contract, {}, {}, {})
    for name in ("observed_at", contract.born):
        odd = frame[name].to_numpy(dtype="datetime64[us]").astype("int64")
        odd[1] = moment
        frame[name] = pd.Series(odd.view("datetime64[us]")).dt.tz_localize("UTC")
    checked = data_contracts.check(contract, frame, NOW)
    assert set(rules_by_row(checked)) == {1}
    assert f"{table}.possible_times" in rules_by_row(checked)[1]


def test_ten_thousand_letters_are_text_in_any_script() -> None:
    found = rules_by_row(check("holds", {"reason": "ü" * 10_000}, {"reason": "ü" * 10_001}))
    assert found == {1: {"holds.text_length"}}


texts = st.text(alphabet=st.sampled_from("aé€\n\t\r \x00\x07\x0b\x1f\x7f\u2028😀"), max_size=12) | st.none()


@settings(max_examples=up_to(40), deadline=None)
@given(st.lists(texts, min_size=1, max_size=8), st.sampled_from(["str", TEXT]))
def test_control_characters_are_found_whatever_stands_beside_them(given: list[str | None], kind: Any) -> None:
    """The quick look at a column's bytes and the rule itself never differ."""
    contract = data_contracts.load("shipment_events")
    frame = examples(contract, *({"place": text} for text in given)).astype({"place": kind})
    expected = {row for row, text in enumerate(given) if text and re.search(CONTROL_CHARACTERS, text)}
    assert set(rules_by_row(data_contracts.check(contract, frame, NOW))) == expected


@settings(max_examples=up_to(8), deadline=None)
@given(st.data())
@pytest.mark.parametrize("table", data_contracts.names())
def test_rows_in_are_rows_accepted_and_rows_set_aside(table: str, data: st.DataObject) -> None:
    """Counterexamples in any order and number: each row answers for itself, whatever its neighbours are."""
    contract = data_contracts.load(table)
    known = [rule for rule in contract.rules if rule.broken_by]
    chosen = data.draw(st.lists(st.none() | st.sampled_from(known), max_size=12))
    changes = [dict(rule.broken_by or {}) if rule else {} for rule in chosen]
    if not changes:
        return
    checked = data_contracts.check(contract, examples(contract, *changes), NOW)
    found = checked.failures.groupby("row")["rule"].agg(list).to_dict()
    assert found == {row: [rule.name] for row, rule in enumerate(chosen) if rule}
    bad = [rule for rule in chosen if rule and rule.severity == "error"]
    accepted = set(range(checked.rows)) - set(checked.failures.query("severity == 'error'")["row"])
    assert len(accepted) + checked.bad_rows == len(changes)
    assert checked.bad_rows == len(bad)


# -- whole tables


def shape(contract: Contract, frame: pd.DataFrame) -> list[tuple[str, str]]:
    checked = data_contracts.check(contract, frame, NOW)
    assert not any(rule.ran for rule in checked.rules)
    assert (len(checked.failures), checked.bad_rows) == (0, 0)
    return [(breach.rule, breach.sentence) for breach in checked.breaches]


def test_a_column_that_is_gone_twice_there_or_of_another_type_is_a_breach() -> None:
    contract = data_contracts.load("orders")
    frame = examples(contract, {}, {})
    assert shape(contract, frame.rename(columns={"placed_at": "place_at"})) == [
        ("orders.columns", "column placed_at is gone: did you mean 'place_at'?")
    ]
    assert shape(contract, pd.concat([frame, frame[["currency"]]], axis=1)) == [
        ("orders.columns", "column currency is there 2 times")
    ]
    naive = frame.assign(placed_at=frame["placed_at"].dt.tz_localize(None))
    assert shape(contract, naive) == [("orders.columns", "column placed_at is datetime64[us], not timestamp")]
    fractions = frame.assign(total_amount=pd.array([1.5, 2.0], dtype="Float64"))
    assert shape(contract, fractions) == [("orders.columns", "column total_amount is Float64, not integer")]
    assert len(shape(contract, pd.DataFrame())) == len(contract.columns)


@pytest.mark.parametrize(
    ("table", "missing", "rules"),
    [
        ("orders", "unreadable", {"orders.readable"}),
        ("orders", "visible", {"orders.fresh"}),
        ("payments", "order_currency", {"payments.currency_of_the_order"}),
        (
            "fulfillments",
            "status_known",
            {"fulfillments.delivered_has_a_date", "fulfillments.delivered_was_handed_over"},
        ),
    ],
)
def test_a_rule_that_misses_its_column_is_not_asked_and_stops_the_lane(
    table: str, missing: str, rules: set[str]
) -> None:
    contract = data_contracts.load(table)
    checked = data_contracts.check(contract, examples(contract, {}).drop(columns=missing), NOW)
    assert {breach.rule for breach in checked.breaches} == rules
    assert all(f"column {missing} is not there" in breach.sentence for breach in checked.breaches)
    assert {rule.name for rule in checked.rules if not rule.ran} == rules - {"orders.fresh"}
    assert checked.bad_rows == 0


def test_context_of_a_table_that_no_source_has_breaks_nothing() -> None:
    contract = data_contracts.load("payments")
    frame = examples(contract, {}, {})
    frame["order_currency"] = None
    assert rules_by_row(data_contracts.check(contract, frame, NOW)) == {}


def test_a_fault_inside_great_expectations_is_a_breach_that_quotes_no_value() -> None:
    contract = data_contracts.load("fulfillments")
    frame = examples(contract, {}, {"order_id": "order-of-somebody"})
    frame["order_approved_at"] = ["a secret", "another"]
    checked = data_contracts.check(contract, frame, NOW)
    assert [breach.rule for breach in checked.breaches] == ["fulfillments.handed_over_after_approval"]
    assert "Great Expectations failed with" in checked.breaches[0].sentence
    assert "secret" not in checked.breaches[0].sentence
    assert len(checked.failures) == 0


def test_orders_of_which_none_is_good_are_no_orders() -> None:
    """Otherwise every case would close, as if its cause were gone."""
    checked = check("orders", {"status": "lost"}, {"currency": "eur"})
    assert [breach.rule for breach in checked.breaches] == ["orders.minimum_rows"]


def test_a_stale_table_is_told_by_what_was_visible_and_good() -> None:
    fresh = "2026-03-06T12:00:00Z"
    old = {"observed_at": "2026-03-06T11:00:00Z"}
    later = NOW + timedelta(hours=48, minutes=30)
    assert not check("orders", {"observed_at": fresh}, old, as_of=later).breaches[1:]
    for hidden in ({"visible": False}, {"status": "lost"}):
        checked = check("orders", {"observed_at": fresh, **hidden}, old, as_of=later)
        assert [breach.rule for breach in checked.breaches] == ["orders.fresh"]
        assert "49 hours" in checked.breaches[0].sentence or "50 hours" in checked.breaches[0].sentence


def test_a_look_back_is_never_stale() -> None:
    long_ago = NOW - timedelta(days=400)
    assert check("orders", {}, as_of=long_ago).breaches == ()


def test_an_as_of_without_a_zone_is_refused() -> None:
    with pytest.raises(ContractError, match="has no time zone"):
        check("orders", {}, as_of=datetime(2026, 3, 6))  # noqa: DTZ001


@pytest.mark.parametrize(("bad", "breaks"), [(5, False), (6, True)])
def test_more_than_one_broken_row_in_twenty_is_a_broken_table(bad: int, breaks: bool) -> None:
    checked = check("payments", *([{"amount": 0}] * bad + [{}] * (100 - bad)))
    assert [breach.rule for breach in checked.breaches] == (["payments.error_share"] if breaks else [])


def test_below_a_hundred_rows_a_share_says_nothing() -> None:
    assert check("payments", *([{"amount": 0}] * 60 + [{}] * 39)).breaches == ()
