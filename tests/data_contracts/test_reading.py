"""Nothing in a contract's file is passed over: it is understood, or refused with the nearest name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import data_contracts
from control_tower.errors import ContractError
from data_contracts import soundness

FOLDER = Path(str(data_contracts.__file__)).parent


def changed(folder: Path, table: str, before: str, after: str) -> Path:
    """The contract of a table with one change."""
    text = (FOLDER / f"{table}.odcs.yaml").read_text()
    assert before in text
    file = folder / f"{table}.odcs.yaml"
    file.write_text(text.replace(before, after, 1))
    return file


@pytest.mark.parametrize("name", data_contracts.names())
def test_a_shipped_contract_is_sound(name: str) -> None:
    """Its example row keeps every rule, and each counterexample breaks its own rule and no other."""
    assert data_contracts.lint(name) == []


def test_there_is_a_contract_for_each_table_of_the_lanes() -> None:
    assert set(data_contracts.names()) == {
        "orders", "order_lines", "payments", "promises",
        "fulfillments", "shipment_events", "holds", "refunds",
        "returns", "inspections", "subscriptions", "invoices",
        "inventory_levels", "purchase_orders", "campaigns", "product_signals", "product_states",
        "risk_signals", "address_changes", "disputes", "support_contacts", "reviews", "buyers",
    }  # fmt: skip
    with pytest.raises(ContractError, match="did you mean 'fulfillments'"):
        data_contracts.load("fulfilments")


def test_a_contract_says_what_gather_needs() -> None:
    orders, parcels = data_contracts.load("orders"), data_contracts.load("fulfillments")
    assert (orders.reference, orders.owner, orders.key) == ("orders@1.0.0", "commerce-platform", "order_id")
    assert (orders.born, orders.events) == ("placed_at", ("approved_at", "cancelled_at"))
    assert (orders.minimum_rows, orders.stale_after) == (1, timedelta(hours=48))
    assert list(orders.duckdb_types().items())[:2] == [("order_id", "VARCHAR"), ("customer_id", "VARCHAR")]
    assert orders.duckdb_types()["placed_at"] == "TIMESTAMPTZ"
    approved = parcels.context["order_approved_at"]
    assert (approved.table, approved.column, approved.on) == ("orders", "approved_at", "order_id")
    assert parcels.born is None
    assert parcels.clock_tolerance == timedelta(minutes=5)


def test_context_is_joined_on_the_order_or_on_the_column_that_is_named() -> None:
    inspections, refunds = data_contracts.load("inspections"), data_contracts.load("refunds")
    received = inspections.context["return_received_at"]
    assert (received.table, received.column, received.on) == ("returns", "received_at", "return_id")
    assert {name: each.on for name, each in refunds.context.items()} == {
        "order_currency": "order_id",
        "return_order_id": "return_id",
    }


def test_a_return_is_dated_by_what_happened_to_it() -> None:
    returns = data_contracts.load("returns")
    assert (returns.born, returns.events) == ("requested_at", ("approved_at", "received_at", "closed_at"))
    assert returns.dated_by == {
        "approved": "approved_at", "received": "received_at",
        "refunded": "closed_at", "rejected": "closed_at", "cancelled": "closed_at",
    }  # fmt: skip
    assert data_contracts.load("inspections").born == "inspected_at"


@pytest.mark.parametrize("change", ["received_at on returnid", "received_at at return_id", "received_at on "])
def test_context_that_is_joined_on_nothing_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(ContractError, match="context return_received_at"):
        data_contracts.read(changed(tmp_path, "inspections", "received_at on return_id", change))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("physicalType: BIGINT", "physicalType: DECIMAL", "amount has physicalType DECIMAL .*write BIGINT"),
        ("value: event}", "value: evnt}", "time 'evnt' .*'event'"),
        ("columns: text", "columns: txt", "'txt' .*'text'"),
        ("columns_B: happened", "columns_B: happend", "'happend' .*'happened'"),
        ("columns: text", "column: amount", "can't be asked of amount, a integer"),
        ("          max_value: 10000\n", "          min_value: 1\n", "needs max_value"),
        ("          column: amount\n", "", "needs either column or columns"),
        ("regex: '[^A-Z]|", "regex: '[^A-Z|", "regex can't be compiled"),
        ("column_B: order_currency", "column_B: order_curency", "'order_curency' .*'order_currency'"),
        ("value: {amount: 0}", "value: {amuont: 0}", "brokenBy sets column 'amuont' .*'amount'"),
        ("property: brokenBy", "property: brokenBuy", "custom property 'brokenBuy' .*'brokenBy'"),
        ("orders.currency}", "orders}", "context order_currency is 'orders' .*table.column"),
        ("property: errorShare, value: 0.05", "property: errorShare, value: five", "errorShare is 'five'"),
        ("property: errorShare, value: 0.05", "property: errorShare, value: 5", "errorShare is 5"),
        ("name: payments.amount_above_zero", "name: payments.readable", "payments.readable is there twice"),
        ("name: payments.amount_above_zero", "name: amount", r"must begin with payments\."),
        ("engine: greatExpectations", "engine: soda", "only type custom of engine greatExpectations"),
        ("        primaryKey: true\n", "", "one primaryKey"),
        ("- name: observed_at", "- name: observed", "required timestamp column observed_at"),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.0", r"apiVersion v3\.1\.0"),
        ("team:\n  name: payments\n", "team:\n  description: nobody\n", "has no owner"),
        ("kind: DataContract", "kind: DataContract\nkind: DataContract", "duplicate key"),
        ("required: true", "required: often", "required: "),
        ("name: payments\n", "name: refunds\n", "one id, name and table name"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(ContractError, match=f"(?s)payments.odcs.yaml: .*{said}"):
        data_contracts.read(changed(tmp_path, "payments", before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("        required: true\n", "        required: true\n        enum: [{value: EUR}]\n"),
        ("        required: true\n", "        required: true\n        logicalTypeOptions: {maxLength: 3}\n"),
        ("        severity: error\n", "        severity: error\n        schedule: 0 20 * * *\n"),
        ("status: active\n", "status: active\nservers: []\n"),
    ],
)
def test_what_the_standard_knows_and_nothing_enforces_is_refused(tmp_path: Path, before: str, after: str) -> None:
    with pytest.raises(ContractError, match=r"line \d+: .*nothing enforces it"):
        data_contracts.read(changed(tmp_path, "payments", before, after))


def test_a_misspelt_key_is_refused_with_its_line(tmp_path: Path) -> None:
    file = changed(tmp_path, "payments", "description: The order it pays.", "descripton: The order it pays.")
    line = 1 + next(n for n, text in enumerate(file.read_text().splitlines()) if "descripton" in text)
    with pytest.raises(ContractError, match=rf"line {line}: .*descripton.*did you mean 'description'"):
        data_contracts.read(file)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("value: 48, unit: h", "value: 48, unit: fortnight", "unit 'fortnight'"),
        ("value: 48, unit: h", "value: 0, unit: h", "latency is 0"),
        ("property: latency", "property: retention", "only a latency"),
        ("approved: approved_at}", "approved: aproved_at}", "'aproved_at' .*'approved_at'"),
    ],
)
def test_a_freshness_or_a_date_that_is_not_understood_is_refused(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        data_contracts.read(changed(tmp_path, "orders", before, after))


@pytest.mark.parametrize("content", ["- a list", "", "just text", "\t- x: ["])
def test_a_file_that_is_no_contract_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.odcs.yaml").write_text(content)
    with pytest.raises(ContractError, match="is no "):
        data_contracts.read(tmp_path / "x.odcs.yaml")


def test_a_contract_under_another_name_is_refused(tmp_path: Path) -> None:
    changed(tmp_path, "payments", "payments", "payments").rename(tmp_path / "refunds.odcs.yaml")
    with pytest.raises(ContractError, match="call the file payments"):
        data_contracts.read(tmp_path / "refunds.odcs.yaml")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        # A rule that can never fire, one that fires on good rows, one that nobody can see fire.
        ("value: {amount: 0}", "value: {amount: 1}", "of payments.amount_above_zero breaks nothing"),
        ("  min_value: 1\n", "  min_value: 5000\n", "the example row breaks payments.amount_above_zero"),
        ("        customProperties: [{property: brokenBy, value: {amount: 0}}]\n", "",
         "payments.amount_above_zero has no counterexample"),
        ("examples: [4990]", "examples: [ten]", "not of its column's type"),
        ("orders.currency}", "orders.curency}", "reads orders.curency: did you mean 'currency'"),
        ("orders.currency}", "order.currency}", "reads table 'order': did you mean 'orders'"),
    ],
)  # fmt: skip
def test_an_unsound_contract_is_told_by_its_own_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str
) -> None:
    unsound = data_contracts.read(changed(tmp_path, "payments", before, after))
    shipped = data_contracts.load
    monkeypatch.setattr(soundness, "load", lambda name: unsound if name == "payments" else shipped(name))
    assert any(said in problem for problem in data_contracts.lint("payments"))
