"""Contracts: every broken row with every rule, whole tables stopped, nothing in a file passed over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_contracts
from control_tower.errors import ContractError
from tests.thorough import up_to

AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TEXT = pd.StringDtype("pyarrow")


def payments(rows: int = 5) -> pd.DataFrame:
    """Healthy payments, with the context that the contract wants."""
    text = {
        "payment_id": [f"p{n}" for n in range(rows)],
        "order_id": [f"o{n}" for n in range(rows)],
        "currency": "EUR",
        "method": "card",
        "source": "shop",
        "source_id": [f"p{n}" for n in range(rows)],
        "order_currency": "EUR",
        "unreadable": None,
    }
    frame = pd.DataFrame({name: pd.Series(values, index=range(rows), dtype=TEXT) for name, values in text.items()})
    frame["amount"] = pd.Series(100, index=range(rows), dtype="Int64")
    for name in ("paid_at", "observed_at"):
        frame[name] = pd.Series(pd.Timestamp(AS_OF), index=range(rows)).astype("datetime64[us, UTC]")
    frame["visible"] = True
    return frame


def broken(frame: pd.DataFrame) -> dict[int, set[str]]:
    checked = data_contracts.check(data_contracts.load("payments"), frame, AS_OF)
    assert not checked.breaches
    return checked.failures.groupby("row")["rule"].agg(set).to_dict()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("amount", 0, "payments.amount_above_zero"),
        ("amount", -5, "payments.amount_above_zero"),
        ("amount", None, "payments.amount_present"),
        ("order_id", None, "payments.order_id_present"),
        ("currency", "eur", "payments.currency_is_iso"),
        ("order_currency", "USD", "payments.currency_of_the_order"),
        ("method", "x" * 10_001, "payments.text_length"),
        ("method", "a\x00b", "payments.no_control_characters"),
        ("unreadable", "amount: ten", "payments.readable"),
        ("paid_at", pd.Timestamp(AS_OF + timedelta(days=1)), "payments.not_after_observed"),
    ],
)
def test_a_rule_finds_its_row_and_only_it(column: str, value: Any, rule: str) -> None:
    frame = payments()
    frame.loc[2, column] = value
    found = broken(frame)
    assert set(found) == {2}
    assert rule in found[2]


def test_healthy_rows_break_nothing() -> None:
    assert broken(payments()) == {}


def test_every_copy_of_a_doubled_id_is_set_aside() -> None:
    frame = payments()
    frame.loc[[1, 3], "payment_id"] = "same"
    assert broken(frame) == {1: {"payments.payment_id_unique"}, 3: {"payments.payment_id_unique"}}


def test_a_row_that_breaks_three_rules_names_all_three() -> None:
    frame = payments()
    frame.loc[0, ["amount", "currency", "unreadable"]] = [0, "xx", "?"]
    assert broken(frame)[0] >= {"payments.amount_above_zero", "payments.currency_is_iso", "payments.readable"}


def test_what_is_unknown_breaks_no_rule_but_its_absence() -> None:
    frame = payments()
    frame.loc[1, ["paid_at", "method"]] = None
    frame.loc[2, "order_currency"] = None
    assert broken(frame) == {}


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda frame: frame.drop(columns="amount"), "payments.columns"),
        (lambda frame: frame.assign(amount=frame["amount"].astype(TEXT)), "payments.columns"),
        (
            lambda frame: frame.assign(amount=pd.Series(0, index=frame.index, dtype="Int64")),
            "payments.error_share",
        ),
    ],
)
def test_a_broken_table_is_a_breach_with_its_rule(spoil: Any, rule: str) -> None:
    checked = data_contracts.check(data_contracts.load("payments"), spoil(payments(200)), AS_OF)
    assert [breach.rule for breach in checked.breaches] == [rule]


def test_one_bad_row_of_three_does_not_stop_a_lane() -> None:
    frame = payments(3)
    frame.loc[0, "amount"] = 0
    assert broken(frame) == {0: {"payments.amount_above_zero"}}


def orders(rows: int) -> pd.DataFrame:
    frame = payments(rows).drop(columns=["payment_id", "amount", "method", "paid_at", "order_currency"])
    for name in ("customer_id", "ship_to_country"):
        frame[name] = pd.Series(None, index=frame.index, dtype=TEXT)
    frame["status"] = pd.Series("approved", index=frame.index, dtype=TEXT)
    frame["placed_at"] = frame["observed_at"]
    for name in ("status_at", "approved_at", "cancelled_at"):
        frame[name] = pd.Series(pd.NaT, index=frame.index).dt.tz_localize("UTC").astype("datetime64[us, UTC]")
    frame["total_amount"] = pd.Series(100, index=frame.index, dtype="Int64")
    return frame.assign(status_known=True)


def test_an_empty_table_of_orders_and_a_stale_one_are_breaches() -> None:
    contract = data_contracts.load("orders")
    assert [b.rule for b in data_contracts.check(contract, orders(0), AS_OF).breaches] == ["orders.minimum_rows"]
    late = data_contracts.check(contract, orders(3), AS_OF + timedelta(hours=49))
    assert [b.rule for b in late.breaches] == ["orders.fresh"]


def test_a_rule_that_cannot_be_asked_is_a_breach_and_not_bad_data(monkeypatch: pytest.MonkeyPatch) -> None:
    from data_contracts import expectations

    wrong = expectations.Expectation("column_values.no_such_metric", expectations.ONE, ("min_value", "max_value"))
    monkeypatch.setitem(expectations.EXPECTATIONS, "expect_column_values_to_be_between", wrong)
    contract = data_contracts.load("payments")
    checked = data_contracts.check(contract, payments(), AS_OF)
    unasked = [rule.name for rule in contract.rules if rule.expect == "expect_column_values_to_be_between"]
    assert "payments.amount_above_zero" in unasked
    assert [breach.rule for breach in checked.breaches] == unasked
    assert checked.bad_rows == 0


@pytest.mark.slow
def test_one_bad_row_in_a_million_is_found() -> None:
    frame = payments(1_000_000)
    frame.loc[777_777, "amount"] = 0
    assert broken(frame) == {777_777: {"payments.amount_above_zero"}}


def test_eight_checks_at_once_are_eight_right_answers() -> None:
    frames = []
    for number in range(8):
        frame = payments(50)
        frame.loc[number, "amount"] = 0
        frames.append(frame)
    with ThreadPoolExecutor(8) as pool:
        assert [list(found) for found in pool.map(broken, frames)] == [[number] for number in range(8)]


@settings(max_examples=up_to(25), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-5, 5)),
            st.sampled_from(["EUR", "usd", None]),
            st.sampled_from("abc"),
        ),
        max_size=20,
    )
)
def test_rows_in_are_rows_accepted_and_rows_quarantined(
    cells: list[tuple[int | None, str | None, str]],
) -> None:
    frame = payments(len(cells))
    frame["amount"] = pd.array([cell[0] for cell in cells], dtype="Int64")
    frame["currency"] = pd.array([cell[1] for cell in cells], dtype=TEXT)
    frame["payment_id"] = pd.array([cell[2] for cell in cells], dtype=TEXT)
    ids = [cell[2] for cell in cells]
    bad = {
        n for n, (amount, currency, id) in enumerate(cells)
        if amount is None or amount < 1 or currency != "EUR" or ids.count(id) > 1
    }  # fmt: skip
    assert set(broken(frame)) == bad


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("expect: expect_column_values_to_be_between", "expect: expect_column_values_to_be_betwen"),
            "did you mean",
        ),
        (("min_value: 1", "min_valu: 1"), "'min_valu' is no argument"),
        (("severity: error", "severity: eror"), "did you mean 'error'"),
        (("column: amount", "column: amuont"), "did you mean 'amount'"),
        (("logicalType: integer", "logicalType: intger"), "did you mean 'integer'"),
        (("required: true", "requird: true"), "did you mean 'required'"),
        (("property: context", "property: contxt"), "did you mean 'context'"),
        (("kind: DataContract", "kynd: DataContract"), "kynd"),
        (("quality:", "qualty:"), "did you mean 'quality'"),
        (("id: payments", "id: [unclosed"), "is no YAML"),
    ],
)
def test_a_misspelt_contract_is_refused_with_the_nearest_name(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = (Path(str(data_contracts.__file__)).parent / "payments.odcs.yaml").read_text()
    assert change[0] in text
    (tmp_path / "payments.odcs.yaml").write_text(text.replace(*change, 1))
    with pytest.raises(ContractError, match=said) as refusal:
        data_contracts.read(tmp_path / "payments.odcs.yaml")
    assert refusal.value.where == "payments.odcs.yaml"


def test_every_shipped_contract_is_valid_by_the_standards_own_schema() -> None:
    import json
    from importlib.resources import files

    import jsonschema
    from ruamel.yaml import YAML

    schema = json.loads((files("open_data_contract_standard") / "schema.json").read_text())
    for name in data_contracts.names():
        content = YAML(typ="safe").load((Path(str(data_contracts.__file__)).parent / f"{name}.odcs.yaml").read_text())
        jsonschema.validate(content, schema)
        assert data_contracts.load(name).rules
