"""The contracts on the public Olist export, read here with pandas alone: exactly the rows that are known."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import data_contracts

NOW = datetime(2018, 9, 3, 21, 0, tzinfo=UTC)  # 18:00 in São Paulo
TEXT = pd.StringDtype("pyarrow")


@pytest.fixture(scope="module")
def olist() -> Path:
    given = os.environ.get("TOWER_DATA")
    folder = (Path(given) if given else Path(__file__).parents[3] / "shared" / "data") / "olist"
    if not folder.is_dir():
        pytest.skip("public data 'olist' is absent; name its folder in TOWER_DATA")
    return folder


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"olist_{name}.csv.gz", dtype=TEXT)


def moments(texts: pd.Series) -> pd.Series:
    local = pd.to_datetime(texts.astype(object), format="%Y-%m-%d %H:%M:%S").dt.tz_localize(
        "America/Sao_Paulo", ambiguous=True, nonexistent="shift_forward"
    )
    return local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def completed(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that the export does not have, and those that gather adds."""
    contract = data_contracts.load(table)
    frame = frame.assign(
        source="olist", source_id=frame[contract.key], unreadable=None, visible=True, status_known=True
    )
    if "observed_at" not in frame:
        frame["observed_at"] = pd.Timestamp(NOW)
    empty = {"string": TEXT, "integer": "Int64", "boolean": "boolean", "timestamp": "datetime64[us, UTC]"}
    for column in contract.columns.values():
        values = frame[column.name] if column.name in frame else pd.Series(pd.NA, index=frame.index)
        frame[column.name] = values.astype(empty[column.type])
    return frame.astype({"unreadable": TEXT})


def broken(table: str, frame: pd.DataFrame) -> dict[str, int]:
    checked = data_contracts.check(data_contracts.load(table), completed(table, frame), NOW)
    assert not checked.breaches
    return {rule.name: rule.count for rule in checked.rules if rule.count}


@pytest.mark.slow
def test_nine_payments_are_of_nothing_or_less(olist: Path) -> None:
    raw = read(olist, "order_payments_full")
    cents = np.rint(raw["payment_value"].astype(float) * 100).astype("int64")
    frame = pd.DataFrame(
        {
            "payment_id": raw["order_id"] + "-" + raw["payment_sequential"],
            "order_id": raw["order_id"],
            "amount": cents,
            "currency": "BRL",
            "order_currency": "BRL",
            "method": raw["payment_type"],
        }
    )
    assert broken("payments", frame) == {"payments.amount_above_zero": 9}


def test_two_ship_limits_lie_in_an_impossible_year(olist: Path) -> None:
    orders, items = read(olist, "orders_dataset"), read(olist, "order_items_dataset")
    limits = items.merge(orders[["order_id", "order_purchase_timestamp"]], on="order_id")
    ship = pd.DataFrame(
        {
            "promise_id": limits["order_id"] + "-" + limits["order_item_id"],
            "order_id": limits["order_id"],
            "kind": "ship_by",
            "due_at": moments(limits["shipping_limit_date"]),
            "made_at": moments(limits["order_purchase_timestamp"]),
        }
    )
    deliver = pd.DataFrame(
        {
            "promise_id": orders["order_id"] + "-deliver",
            "order_id": orders["order_id"],
            "kind": "deliver_by",
            "due_at": moments(orders["order_estimated_delivery_date"]) + pd.Timedelta(days=1),
            "made_at": moments(orders["order_purchase_timestamp"]),
        }
    )
    promises = pd.concat([ship, deliver], ignore_index=True).assign(by_day=True)
    promises["observed_at"] = promises["made_at"].clip(lower=pd.Timestamp(NOW))
    assert broken("promises", promises) == {"promises.due_in_a_possible_year": 2}
    impossible = promises["due_at"].dt.year >= 2020
    assert impossible.sum() == 2


def test_parcels_contradict_themselves_as_often_as_is_known(olist: Path) -> None:
    raw = read(olist, "orders_dataset")
    times = {
        name: moments(raw[column])
        for name, column in {
            "order_placed_at": "order_purchase_timestamp",
            "order_approved_at": "order_approved_at",
            "handed_over_at": "order_delivered_carrier_date",
            "delivered_at": "order_delivered_customer_date",
        }.items()
    }
    frame = pd.DataFrame(
        {
            "fulfillment_id": raw["order_id"] + "-1",
            "order_id": raw["order_id"],
            "status": raw["order_status"].where(raw["order_status"] == "delivered", "in_transit"),
            **times,
        }
    )
    frame["observed_at"] = pd.DataFrame(times).max(axis=1).clip(lower=pd.Timestamp(NOW))
    frame = frame[frame["handed_over_at"].notna() | (frame["status"] == "delivered")]
    assert broken("fulfillments", frame) == {
        "fulfillments.handed_over_after_approval": 77,
        "fulfillments.handed_over_after_placement": 3,
        "fulfillments.delivered_after_hand_over": 3,
        "fulfillments.delivered_has_a_date": 8,
        "fulfillments.delivered_was_handed_over": 1,
    }
