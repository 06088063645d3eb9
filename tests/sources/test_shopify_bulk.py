"""Shopify's bulk exports: a node a line, children anywhere, and nothing believed of an export that lost a part."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_tower.errors import SourceError
from control_tower.joins import joins
from control_tower.settings import settings
from control_tower.sources import shopify_bulk_tables
from tests.sources.test_payloads import opened, payload, rows
from tests.stores.shopify_stand import published_schema

EXPORT = Path(__file__).parent / "exports" / "shopify_bulk"
QUERIES = Path(shopify_bulk_tables.__file__).with_name("shopify_bulk.graphql").read_text()
LINES = tuple((EXPORT / "orders.jsonl").read_text().splitlines())


def order(number: int, **told: Any) -> dict[str, Any]:
    return {"id": f"gid://shopify/Order/{number}", "updatedAt": "2026-03-08T09:00:00Z"} | told


def line(number: int, parent: int) -> dict[str, Any]:
    return {"id": f"gid://shopify/LineItem/{number}", "sku": "lamp", "__parentId": f"gid://shopify/Order/{parent}"}


def export(folder: Path, *nodes: object, name: str = "orders.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in nodes))
    return folder


def everything(folder: Path) -> dict[str, list[dict[str, Any]]]:
    source = opened("shopify", folder)
    passing = {"observed_at"}
    return {
        table: [{name: value for name, value in row.items() if name not in passing} for row in rows(source, table)]
        for table in source.tables()
        if table != "risk_signals"  # knows of a risk since it was read
    }


def test_an_export_tells_of_orders_money_parcels_scans_and_returns() -> None:
    source = opened("shopify", EXPORT)
    assert {table: len(rows(source, table)) for table in source.tables()} == {
        "orders": 3, "order_lines": 3, "payments": 2, "refunds": 1, "fulfillments": 2, "shipment_events": 3,
        "returns": 1, "risk_signals": 6, "buyers": 3,
    }  # fmt: skip
    assert source.shop.id == "bulk-shop"
    assert {row["order_id"]: row["status"] for row in rows(source, "orders")} == {
        "1001": "shipped", "1002": "created", "1003": "cancelled",
    }  # fmt: skip
    (parcel, _) = rows(source, "fulfillments")
    assert (parcel["status"], parcel["tracking_code"], parcel["order_id"]) == ("delivered", "Z11", "1001")
    assert [row["code"] for row in rows(source, "shipment_events")] == ["pre_transit", "in_transit", "delivered"]
    (back,) = rows(source, "returns")
    assert (back["order_id"], back["line_id"], back["status"], back["reason"]) == (
        "1001", "101", "refunded", "defective",
    )  # fmt: skip
    levels = {row["signal_id"]: row["provider_level"] for row in rows(source, "risk_signals")}
    assert levels["risk-1002"] == "high" and levels["order-1002"] is None
    assert not [row["unreadable"] for table in source.tables() for row in rows(source, table) if row["unreadable"]]


def test_money_is_the_shops_own_and_what_did_not_move_is_none() -> None:
    source = opened("shopify", EXPORT)
    assert {row["order_id"]: (row["total_amount"], row["currency"]) for row in rows(source, "orders")}["1002"] == (
        1234, "EUR",
    ), "the customer paid in dollars, and the shop was paid in euros"  # fmt: skip
    assert {row["payment_id"]: row["amount"] for row in rows(source, "payments")} == {"2": 4000, "6": 4000}
    assert [(row["refund_id"], row["amount"]) for row in rows(source, "refunds")] == [("3", 1550)], "one is pending"


def test_who_bought_is_hashed_as_in_shopifys_other_payloads(tmp_path: Path) -> None:
    address = {"address1": "Gasse 1", "zip": "10115", "city": "Berlin", "country": "Germany", "country_code": "DE"}
    payload(tmp_path, "o.json", {"orders": [{
        "id": 1001, "email": "buyer1001@example.com", "browser_ip": "203.0.113.7", "billing_address": address,
        "shipping_address": address,
    }]})  # fmt: skip
    (theirs,) = rows(opened("shopify", tmp_path), "risk_signals")
    ours = {row["signal_id"]: row for row in rows(opened("shopify", EXPORT), "risk_signals")}["order-1001"]
    for name in ("email_hash", "ip_hash", "billing_hash", "shipping_hash", "billing_country"):
        assert ours[name] == theirs[name] is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_lines_and_lines_that_are_there_twice_change_nothing(tmp_path: Path, seed: int) -> None:
    lines = [*LINES, *LINES[:3]]
    random.Random(seed).shuffle(lines)
    found, whole = everything(export(tmp_path, *lines)), everything(EXPORT)
    assert found == {table: whole[table] for table in found} and len(found) == len(whole) - 1, "no scans were given"


@pytest.mark.slow
def test_of_two_views_of_one_version_the_same_counts_wherever_they_stand(tmp_path: Path) -> None:
    views = [
        order(1, cancelledAt=at, email=f"{at}@a.example") for at in (None, *(f"2026-03-0{n}" for n in range(1, 9)))
    ]
    told = []
    for name, lines in (("rising", views), ("falling", views[::-1])):
        export(tmp_path / name, *lines, line(1, 1), name="a.jsonl")
        os.utime(tmp_path / name / "a.jsonl", (0, 0))
        source = opened("shopify", tmp_path / name)
        told.append([rows(source, table) for table in ("orders", "order_lines", "risk_signals")])
    assert told[0] == told[1]


def test_a_gzipped_export_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl.gz").write_bytes(gzip.compress((EXPORT / "orders.jsonl").read_bytes()))
    assert everything(tmp_path)["payments"] == everything(EXPORT)["payments"]


def test_of_two_exports_the_view_that_shopify_wrote_last_counts(tmp_path: Path) -> None:
    export(tmp_path, order(1, updatedAt="2026-03-09T00:00:00Z", cancelledAt="2026-03-09T00:00:00Z"), name="a.jsonl")
    export(tmp_path, order(1, updatedAt="2026-03-08T00:00:00Z", cancelledAt=None), name="b.jsonl")
    (row,) = rows(opened("shopify", tmp_path), "orders")
    assert row["status"] == "cancelled"


@pytest.mark.parametrize(
    ("sent", "status"), [("2026-03-09T00:00:00Z", "cancelled"), ("2026-03-01T00:00:00Z", "created")]
)
def test_history_in_bulk_and_news_by_webhook_are_one_shop(tmp_path: Path, sent: str, status: str) -> None:
    """A webhook that comes late tells of a past that the export has left behind."""
    export(tmp_path, order(1, createdAt="2026-03-01T00:00:00Z"), order(2), line(11, 1))
    news = {"id": 1, "updated_at": sent, "cancelled_at": sent, "line_items": [{"id": 12, "quantity": 1}]}
    payload(tmp_path, "news.json", {"order": news})
    source = opened("shopify", tmp_path)
    assert {row["order_id"]: row["status"] for row in rows(source, "orders")} == {"1": status, "2": "created"}
    assert [row["line_id"] for row in rows(source, "order_lines")] == ["11", "12"]
    assert [row["order_id"] for row in rows(source, "orders", ["2"])] == ["2"]


def test_a_child_whose_parent_is_not_there_is_set_aside_by_name(tmp_path: Path) -> None:
    kept, lost = rows(opened("shopify", export(tmp_path, order(1), line(11, 1), line(12, 9))), "order_lines")
    assert kept["unreadable"] is None
    assert lost["unreadable"] == "__parentId: its Order is not in the export: gid://shopify/Order/9"


def test_what_is_no_gid_no_money_or_no_time_is_told_and_the_row_is_kept(tmp_path: Path) -> None:
    money = {"shopMoney": {"amount": "1.005", "currencyCode": "EUR"}}
    strange = {"id": "gid://shopify/Customer/../7"}
    export(tmp_path, order(1, totalPriceSet=money, createdAt="yesterday", customer=strange, clientIp="unknown"))
    (row,) = rows(opened("shopify", tmp_path), "orders")
    assert row["total_amount"] is None and row["customer_id"] is None and row["placed_at"] is None
    for said in ("total_amount: 1.005", "placed_at: yesterday", "customer_id: gid://shopify/Customer/../7"):
        assert said in row["unreadable"]
    (buyer,) = rows(opened("shopify", tmp_path), "buyers")
    assert buyer["unreadable"] == "purchase_ip: unknown"


def test_what_an_export_was_not_asked_for_is_untold_and_not_empty(tmp_path: Path) -> None:
    asked = [order(1, fulfillments=[]), order(2, fulfillments=[])]
    source = opened("shopify", export(tmp_path, *asked))
    assert "payments" not in source.tables() and "order_lines" not in source.tables()
    assert "total_amount" not in source.columns("orders") and "order_id" in source.columns("orders")
    assert rows(source, "fulfillments") == [], "it was asked for parcels, and there are none"
    export(tmp_path, order(3), name="of another query.jsonl")
    assert "fulfillments" not in opened("shopify", tmp_path).tables(), "of one, nobody asked"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ('{"id":"gid://shopify/Order/3","transactions":[{"id', "orders.jsonl:3: is no bulk export"),
        (json.dumps(order(3, transactions="none")), "holds a list that is none"),
        ('{"id":"gid://shopify/Order/3","name":"\udcff"}', "is no bulk export"),
        ('{"id":"gid://shopify/Order/3","name":"' + "x" * 2**24 + '"}', "is no bulk export"),
    ],
)
def test_a_broken_line_refuses_the_export_and_says_where(tmp_path: Path, last: str, said: str) -> None:
    content = json.dumps(order(1)) + "\n" + json.dumps(order(2)) + "\n" + last
    (tmp_path / "orders.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=said) as refused:
        opened("shopify", tmp_path)
    assert str(tmp_path) not in str(refused.value)


def test_a_gzipped_export_cut_short_is_refused(tmp_path: Path) -> None:
    noise = [order(number, name=os.urandom(40).hex()) for number in range(3000)]
    whole = gzip.compress("".join(json.dumps(each) + "\n" for each in noise).encode())
    (tmp_path / "orders.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError):
        opened("shopify", tmp_path)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"status": "COMPLETED", "objectCount": "3"}, "holds 2 objects, and Shopify counted 3"),
        ({"status": "FAILED", "objectCount": "2", "errorCode": "TIMEOUT"}, "is FAILED: only part of it is here"),
    ],
)
def test_an_export_that_lost_a_part_is_refused_where_shopifys_answer_lies_beside(
    tmp_path: Path, operation: dict[str, str], said: str
) -> None:
    export(tmp_path, order(1), order(2))
    payload(tmp_path, "operation.json", {"data": {"bulkOperation": operation}})
    with pytest.raises(SourceError, match=said):
        opened("shopify", tmp_path)


def test_the_bulk_queries_are_in_the_published_schema_and_within_what_a_bulk_operation_allows(
    request: pytest.FixtureRequest,
) -> None:
    assert request.config.cache
    schema = published_schema(request.config.cache.mkdir("shopify"))
    import graphql

    document = graphql.parse(QUERIES)
    assert graphql.validate(schema, document, list(graphql.specified_rules)) == []
    for operation in document.definitions:
        assert isinstance(operation, graphql.OperationDefinitionNode)
        assert len(operation.selection_set.selections) == 1, "a bulk operation asks for one thing"
        depths = list(_connections(operation.selection_set, schema.query_type, False, 0))
        assert len(depths) <= 5 and max(depths) <= 2, depths


def _connections(asked: Any, within: Any, in_list: bool, depth: int) -> Iterator[int]:
    """How deep each connection of a query is nested; none may be in a list."""
    import graphql

    for node in asked.selections:
        if isinstance(node, graphql.InlineFragmentNode):
            yield from _connections(node.selection_set, within, in_list, depth)
        elif node.selection_set and (field := getattr(within, "fields", {}).get(node.name.value)):
            kind = graphql.get_named_type(field.type)
            connection, listed = kind.name.endswith("Connection"), "[" in str(field.type)
            if connection:
                assert not in_list, f"{node.name.value} is a connection in a list"
                yield depth
            edges = node.name.value == "edges"
            yield from _connections(node.selection_set, kind, in_list or (listed and not edges), depth + connection)


def test_the_bulk_queries_ask_for_just_what_is_read() -> None:
    import graphql

    asked: Counter[tuple[str, str]] = Counter()
    kinds = {"orders": "Order", "lineItems": "LineItem", "returns": "Return", "returnLineItems": "ReturnLineItem",
             "events": "FulfillmentEvent", "fulfillmentOrders": "FulfillmentOrder"}  # fmt: skip

    def walk(selections: Any, kind: str, path: str) -> None:
        for node in selections.selections:
            if isinstance(node, graphql.InlineFragmentNode):
                walk(node.selection_set, kind, path)
            elif not node.selection_set:
                asked[kind, path + node.name.value] += 1
            elif node.name.value in ("edges", "node"):
                walk(node.selection_set, kind, path)
            elif kinds.get(node.name.value) or (node.name.value == "fulfillments" and kind == "FulfillmentOrder"):
                walk(node.selection_set, kinds.get(node.name.value, "Fulfillment"), "")
            else:
                walk(node.selection_set, kind, f"{path}{node.name.value}.")

    for operation in graphql.parse(QUERIES).definitions:
        walk(operation.selection_set, "", "")  # type: ignore[attr-defined]
    read = {("Order", "updatedAt")}
    for part in (part for parts in shopify_bulk_tables.TABLES.values() for part in parts):
        told = " ".join([part.where, *(f"{cell.sql} {cell.currency}" for cell in part.columns.values())])
        for whose, path in re.findall(r"(node|owner|parent) ->>? '\$\.([^']+)'", told):
            kind = {"node": part.kind, "parent": part.kind, "owner": part.owner}[whose]
            inside = f"{part.within}." if part.within and whose == "node" else ""
            read.add((kind, inside + path.replace("[0]", "")))
    ids = {(kind, path) for kind, path in asked if path == "id"}
    assert {each for each in read if each[1] != "__parentId"} | ids == set(asked) | ids


@pytest.mark.large
def test_an_export_much_larger_than_its_memory_is_read(tmp_path: Path) -> None:
    note = "x" * 4000
    with gzip.open(tmp_path / "orders.jsonl.gz", "wt", compresslevel=1) as file:
        for number in range(100_000):
            file.write(json.dumps(order(number, note=note)) + "\n" + json.dumps(line(number, number)) + "\n")
    tower = settings().model_copy(update={"memory_limit": "300MB"})
    source = opened("shopify", tmp_path)
    import data_contracts

    with joins(tower) as connection:
        sql = source.relation(connection, "order_lines", data_contracts.load("order_lines").duckdb_types())
        (counted,) = connection.sql(f"SELECT count(*), count(unreadable) FROM ({sql})").fetchall()
    assert counted == (100_000, 0)
