"""Trackers of three vendors are parcels and scans in one vocabulary; what nobody understands is kept as that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

import data_contracts
from control_tower.errors import MappingError, SourceError
from control_tower.settings import settings
from control_tower.source_words import placed, words_of
from control_tower.sources import mappings_of, open_source
from control_tower.sources.carrier_words import CODES, DETAILS, STATUSES, scan_code
from control_tower.sources.payloads import Rows
from control_tower.sources.tracking import adapt
from data_contracts import examples
from tests.flows.conftest import data
from tests.thorough import up_to

EXPORTS = Path(__file__).parent / "exports"
TRACKING = EXPORTS / "tracking"


def rows(source: Any, table: str, orders: list[str] | None = None) -> list[dict[str, Any]]:
    columns = data_contracts.load(table).duckdb_types()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(source.relation(connection, table, columns, orders)).to_arrow_table().to_pylist()


def opened(word: str, mapping: str | None = None) -> Any:
    return open_source(word, mapping, settings())


def tracker(name: str = "trk_1", **told: Any) -> dict[str, Any]:
    return {
        "object": "Tracker", "id": name, "tracking_code": "Z1", "carrier": "UPS", "status": "unknown",
        "created_at": "2026-03-03T07:00:00Z", "updated_at": "2026-03-03T07:00:00Z", "tracking_details": [],
    } | told  # fmt: skip


def written(folder: Path, *payloads: object) -> Any:
    for number, payload in enumerate(payloads):
        (folder / f"{number}.json").write_text(json.dumps(payload))
    return opened(f"tracking:{folder}")


def test_three_vendors_say_the_same_things_in_one_vocabulary() -> None:
    source = opened(f"tracking:{TRACKING}")
    assert source.tables() == {"fulfillments", "shipment_events"}
    parcels = {row["order_id"]: row for row in rows(source, "fulfillments")}
    assert {order: row["status"] for order, row in parcels.items()} == {
        "#1001": "delivered", "#1002": "label", "#1003": "in_transit", "#1005": "in_transit",
    }  # fmt: skip
    assert parcels["#1001"]["delivered_at"] == datetime(2026, 3, 5, 14, 30, tzinfo=UTC)
    assert parcels["#1001"]["label_created_at"] == datetime(2026, 3, 3, 7, tzinfo=UTC)
    assert (parcels["#1001"]["carrier"], parcels["#1001"]["service"]) == ("DHLParcelDE", "Paket")
    scans = rows(source, "shipment_events")
    said = {order: [] for order in parcels}
    for row in sorted(scans, key=lambda row: str(row["occurred_at"])):
        said[row["order_id"]].append(row["code"])
    assert said == {
        "#1001": ["pre_transit", "in_transit", "out_for_delivery", "delivered"],
        "#1002": ["pre_transit"],
        "#1003": ["unknown", "in_transit"],
        "#1005": ["in_transit", "return_to_sender", "in_transit"],
    }, "an exception that is a return is one, and a failed attempt is still on its way"


def test_a_time_without_an_offset_is_told_and_not_guessed() -> None:
    (naive,) = [row for row in rows(opened(f"tracking:{TRACKING}"), "shipment_events") if row["unreadable"]]
    assert (naive["unreadable"], naive["occurred_at"]) == ("occurred_at: 2026-03-09T10:30:00", None)
    assert naive["order_id"] == "#1005"


def test_a_status_that_nobody_knows_is_kept_and_its_word_is_in_its_name(tmp_path: Path) -> None:
    event = {"datetime": "2026-03-04T07:00:00Z", "status": "abducted"}
    (scan,) = rows(written(tmp_path, tracker(tracking_details=[event])), "shipment_events")
    assert scan["code"] == "unknown" and "abducted" in scan["event_id"] and scan["unreadable"] is None


def test_the_same_tracker_sent_twice_is_one_parcel_with_the_scans_of_both(tmp_path: Path) -> None:
    first = {"datetime": "2026-03-04T07:00:00Z", "status": "in_transit"}
    last = {"datetime": "2026-03-05T07:00:00Z", "status": "delivered"}
    late = tracker(status="delivered", updated_at="2026-03-05T07:01:00Z", tracking_details=[last])
    early = tracker(status="in_transit", updated_at="2026-03-04T07:01:00Z", tracking_details=[first])
    source = written(tmp_path, {"object": "Event", "result": late}, {"trackers": [early, early]}, late)
    (parcel,) = rows(source, "fulfillments")
    assert parcel["status"] == "delivered", "the newer view counts, though the older came last"
    assert sorted(row["code"] for row in rows(source, "shipment_events")) == ["delivered", "in_transit"]


def test_a_parcel_that_the_carrier_knows_nothing_of_has_a_label_and_no_scan(tmp_path: Path) -> None:
    source = written(tmp_path, tracker(), tracker("trk_2", status="pre_transit"))
    assert {row["fulfillment_id"]: row["status"] for row in rows(source, "fulfillments")} == {
        "trk_1": "label",
        "trk_2": "label",
    }
    (said,) = rows(source, "shipment_events")
    assert (said["fulfillment_id"], said["code"]) == ("trk_2", "pre_transit"), (
        "what it says now, where no event says so"
    )


def test_a_label_for_a_parcel_that_comes_back_is_no_parcel_to_a_customer(tmp_path: Path) -> None:
    source = written(tmp_path, tracker(), tracker("trk_back", is_return=True, status="delivered"))
    assert [row["fulfillment_id"] for row in rows(source, "fulfillments")] == ["trk_1"]


@pytest.mark.parametrize("events", ["none", 7, {"datetime": "x"}])
def test_events_that_are_no_list_set_their_parcel_aside_and_no_other(tmp_path: Path, events: object) -> None:
    source = written(tmp_path, tracker(tracking_details=events), tracker("trk_2"))
    broken = {row["fulfillment_id"]: row["unreadable"] for row in rows(source, "fulfillments")}
    assert broken["trk_2"] is None and broken["trk_1"].startswith("status: {'events'")


def test_wrong_types_and_missing_cells_are_told_and_crash_nothing(tmp_path: Path) -> None:
    event = {"datetime": ["2026"], "status": {"a": 1}, "tracking_location": "Berlin"}
    source = written(
        tmp_path,
        tracker(tracking_details=[event, None, "scan", 4, {}], carrier={"name": "UPS"}, updated_at=5, id=None),
        {"checkpoints": [{"checkpoint_time": "0001-01-01T00:00:00+09:00", "tag": []}], "tracking_number": None},
        {"tracking_history": [[]], "tracking_status": "TRANSIT", "metadata": {}},
    )
    assert [row["fulfillment_id"] for row in rows(source, "fulfillments")].count(None) == 2
    assert len(rows(source, "fulfillments")) == 3
    scans = rows(source, "shipment_events")
    assert len(scans) == 4, "two say nothing at all, alike"
    assert {row["code"] for row in scans} == {"unknown"}
    assert all(row["occurred_at"] is None for row in scans)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '{"object": "Tracker", "id": "trk', "a.json: is no JSON"),
        ("a.jsonl", '{"trackers": []}\n{"object": ', "a.jsonl:2: is no JSON"),
        ("a.json", '{"a":' * 500 + "1" + "}" * 500, "nested deeper than 100"),
        ("a.json", '{"orders": []}', "holds nothing that tracking would send"),
    ],
)
def test_what_is_no_tracker_is_refused_with_its_file_and_line(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=said):
        opened(f"tracking:{tmp_path}")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*STATUSES, "another vendor"]), anything, anything)
def test_every_status_has_a_code_whatever_it_is(vendor: str, status: object, detail: object) -> None:
    assert scan_code(vendor, status, detail) in CODES


def test_the_vocabulary_is_the_contracts() -> None:
    contract = data_contracts.load("shipment_events")
    rows = examples(contract, *({"code": code} for code in (*CODES, "abducted")))
    found = data_contracts.check(contract, rows, datetime(2026, 3, 6, 12, tzinfo=UTC)).failures
    assert found["row"].tolist() == [len(CODES)], "each of ours is a word of the contract, and others are not"
    told = {code for words in (*STATUSES.values(), *DETAILS.values()) for code in words.values()}
    assert told == set(CODES)


@pytest.mark.parametrize("name", ["all", "create", "get_next_page", "retrieve", "retrieve_batch"])
def test_every_tracker_that_easypost_recorded_is_a_parcel(name: str, tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    recorded = YAML(typ="safe").load((data("fixtures_easypost") / f"test_tracker_{name}.yaml").read_text())
    bodies = [json.loads(each["response"]["body"]["string"]) for each in recorded["interactions"]]
    source = written(tmp_path, *bodies)
    parcels, scans = rows(source, "fulfillments"), rows(source, "shipment_events")
    assert parcels and scans
    assert {row["fulfillment_id"] for row in scans} <= {row["fulfillment_id"] for row in parcels}
    assert not [row for row in (*parcels, *scans) if row["unreadable"]]


def parcels_of_a_shop(folder: Path, *lines: str) -> str:
    (folder / "orders.csv").write_text("order_id\n1\n2\n")
    (folder / "fulfillments.csv").write_text("\n".join(["fulfillment_id,order_id,status,tracking_code", *lines]) + "\n")
    return f"folder:{folder}"


def test_scans_are_moved_to_the_one_parcel_of_the_shop_that_has_their_code(tmp_path: Path) -> None:
    """And where two have it, or none, nobody knows which: such scans are set aside by name."""
    shop, trackers = tmp_path / "a+b", tmp_path / "trackers"
    shop.mkdir()
    trackers.mkdir()
    word = parcels_of_a_shop(shop, "p1,1,label,ONE", "p0,1,cancelled,ONE", "p2,1,label,TWO", "p3,2,label,TWO")
    event = {"datetime": "2026-03-04T07:00:00Z", "status": "in_transit"}
    written(
        trackers,
        *(
            tracker(f"trk_{code}", tracking_code=code, status="in_transit", tracking_details=[event])
            for code in ("ONE", "TWO", "SIX")
        ),
    )
    source = opened(f"{word}+tracking:{trackers}")
    assert source.tables() == {"orders", "fulfillments", "shipment_events"}
    assert source.layer("fulfillments") is source.layers[0] and source.shop.id == "a+b"
    scans = {row["event_id"].split("-")[0]: row for row in rows(source, "shipment_events")}
    assert (scans["trk_ONE"]["fulfillment_id"], scans["trk_ONE"]["order_id"]) == ("p1", "1")
    for code in ("TWO", "SIX"):
        assert scans[f"trk_{code}"]["fulfillment_id"] is None
        assert scans[f"trk_{code}"]["unreadable"].endswith(f"has its tracking code {code}")
    assert {row["order_id"] for row in rows(source, "shipment_events", ["1"])} == {"1", None}


def test_scans_are_laid_over_a_shops_own_files_whatever_their_mapping_tells_of_a_parcel(tmp_path: Path) -> None:
    shop, trackers = tmp_path / "shop", tmp_path / "trackers"
    shop.mkdir()
    trackers.mkdir()
    (shop / "parcels.csv").write_text("parcel,order,code,who\np1,1,ONE,1\np2,2,TWO,2\n")
    (shop / "carriers.csv").write_text("who,named,cut\n1,UPS,2026-03-03\n2,DHL,2026-03-03\n")
    (tmp_path / "m.yaml").write_text("""
shop: {id: s, time_zone: UTC, country: DE, currency: EUR}
files: {p: parcels.csv, c: carriers.csv}
tables:
  fulfillments:
    file: p
    join: {c: who}
    columns:
      fulfillment_id: parcel
      order_id: order
      tracking_code: code
      carrier: c.named
      label_created_at: c.cut
""")
    event = {"datetime": "2026-03-04T07:00:00Z", "status": "in_transit"}
    written(trackers, tracker(tracking_code="TWO", status="in_transit", tracking_details=[event]))
    source = opened(f"folder:{shop}+tracking:{trackers}", str(tmp_path / "m.yaml"))
    (scan,) = rows(source, "shipment_events")
    assert (scan["fulfillment_id"], scan["order_id"], scan["unreadable"]) == ("p2", "2", None)
    with duckdb.connect() as connection:  # of a table some columns may be asked for, in their order
        told = connection.sql(source.relation(connection, "fulfillments", {"fulfillment_id": "VARCHAR"})).fetchall()
    assert told == [("p1", None), ("p2", None)]


def test_several_sources_are_named_in_one_word_and_a_plus_may_stand_in_a_folders_name() -> None:
    assert words_of("folder:/a+b+tracking:/c") == ["folder:/a+b", "tracking:/c"]
    assert words_of("shop+tracking:/c") == ["shop", "tracking:/c"]
    three = ["folder:/a", "tracking:/b", "folder:/c"]
    assert mappings_of(three, "one.yaml+two.yaml") == ["one.yaml", None, "two.yaml"]
    assert mappings_of(three, "one.yaml+") == ["one.yaml", None, None]
    assert mappings_of(three[:2], "a+b.yaml") == ["a+b.yaml", None]
    with pytest.raises(MappingError, match="names 1 mappings for 2 folders"):
        mappings_of(three, "one.yaml")


def test_a_word_that_is_no_source_is_refused_with_those_that_are() -> None:
    with pytest.raises(SourceError, match=r"use shop, or folder:PATH.*tracking:PATH; join several by \+"):
        opened("pigeon:/a")
    with pytest.raises(SourceError, match="has no table holds"):
        opened(f"tracking:{TRACKING}+tracking:{TRACKING}").layer("holds")


def test_of_sources_over_one_another_the_first_has_the_hands_and_each_path_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from control_tower.errors import StoreError
    from control_tower.stores import open_store
    from control_tower.stores.shop import EmbeddedShop
    from desk.run import mapping_file

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("")
    assert placed("folder:a+tracking:b") == f"folder:{tmp_path}/a+tracking:{tmp_path}/b"
    assert placed("shop+tracking:b") == f"shop+tracking:{tmp_path}/b"
    assert mapping_file("mine.yaml+tickets") == f"{tmp_path}/mine.yaml+tickets"
    assert isinstance(open_store("shop+tracking:b", settings()), EmbeddedShop)
    with pytest.raises(StoreError, match="for reading only"):
        open_store("tracking:b+shop", settings())


@tries(max_examples=up_to(150), deadline=None)
@given(
    st.sampled_from([{"object": "Tracker"}, {"tracking_history": []}, {"checkpoints": [], "tracking_number": "Z"}]),
    st.dictionaries(
        st.sampled_from([
            "id", "status", "tag", "tracking_details", "checkpoints", "tracking_history", "tracking_status", "metadata",
            "created_at", "updated_at", "shipment_id", "carrier", "slug", "order_id", "carrier_detail",
        ]),
        anything,
    ),
)  # fmt: skip
def test_whatever_is_in_a_tracker_it_is_one_parcel(shape: dict[str, Any], told: dict[str, Any]) -> None:
    found = Rows(opened(f"tracking:{TRACKING}").shop, "tracking", b"key")
    adapt(found, [({**told, **shape} | {"id": "one"}, datetime(2026, 3, 9, tzinfo=UTC))])
    assert len(found.tables["fulfillments"]) == 1
    assert {row["code"] for row in found.tables["shipment_events"].values()} <= set(CODES)
