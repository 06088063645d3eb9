"""Somebody who is erased is in no webhook that was received, in no byte of any; their orders are known as before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from control_tower.errors import LedgerError, SourceError
from control_tower.ledger.approvers import enrol
from control_tower.ledger.proofs import Token
from control_tower.ledger.tables import ErasureRow
from control_tower.settings import settings
from control_tower.sources import open_source
from tasks import erase_webhooks
from tasks.erase import erase
from tests.sources.test_payloads import charge, rows
from tests.sources.test_tracking import tracker
from tests.webhooks.inbox import ANN, TELLING, Inbox, inbox_in, paid, shopify_order
from tests.webhooks.test_expiring import hold, lived, without_people

BO = {
    "name": "Bo Diddley", "mail": "bo@mail.example", "phone": "+49 170 5550002", "street": "Rosenweg 3",
    "ip": "203.0.113.9", "note": "leave it with the neighbours", "card": "fingerprint-of-bo", "account": "cus_ofBo",
}  # fmt: skip


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """What was received about Ann, customer 7, and about Bo, customer 8, by five senders."""
    with inbox_in(tmp_path) as mine:
        lived(mine, erase_webhooks.retention().period("overtaken_webhooks") / 2)
        mine.send("shopify", shopify_order(1002, 8, BO), "orders/create")
        for order, who in ((1001, ANN), (1002, BO)):
            billing = {
                "name": who["name"],
                "email": who["mail"],
                "phone": who["phone"],
                "address": {"line1": who["street"]},
            }
            card = {"card": {"fingerprint": who["card"]}, "type": "card"}
            one = charge(f"ch_{order}", customer=who["account"], billing_details=billing, payment_method_details=card)
            one["metadata"] = {"order_id": str(order), "buyer": who["name"]}
            mine.send("stripe", {"object": "event", "id": f"evt_{order}", "created": 1, "data": {"object": one}})
            parcel = tracker(f"trk_{order}", tracking_code="Z1" if order == 1001 else "Z2", signed_by=who["name"])
            mine.send("easypost", {"object": "Event", "id": f"evt_trk_{order}", "result": parcel})
        yield mine


def keeper(inbox: Inbox, shops: tuple[str, ...] | None = None) -> Token:
    given: dict[str, Any] = {"shops": shops} if shops else {}
    return Token("fay", enrol(inbox.ledger, "fay", datetime.now(UTC), roles=("finance",), **given).token)


def told_of(inbox: Inbox, who: dict[str, str]) -> list[str]:
    return [name for name in (*TELLING, "account") if who[name] in inbox.all_text()]


def test_nothing_of_an_erased_person_is_left_in_what_webhooks_brought(inbox: Inbox) -> None:
    assert told_of(inbox, ANN) == [*TELLING, "account"]
    before = {sender: inbox.told(sender) for sender in ("shopify", "stripe", "easypost")}
    others = {name: content for name, content in inbox.contents().items() if BO["name"].encode() in content}
    found = erase("7", keeper(inbox), "article 17", "")
    assert told_of(inbox, ANN) == []
    assert found.webhooks == 8, "six of Shopify's, her charge, and the parcel that only its code ties to her"
    after = {sender: inbox.told(sender) for sender in before}
    assert {sender: without_people(told) for sender, told in after.items()} == {
        sender: without_people(told) for sender, told in before.items()
    }
    orders = {row["order_id"]: row["customer_id"] for row in after["shopify"]["orders"]}
    assert orders == {"1001": found.instead, "1002": "8"}
    assert len(others) == 3 and others.items() <= inbox.contents().items(), "nobody else loses a byte"
    with inbox.ledger.read() as session:
        assert session.get_one(ErasureRow, found.instead).files == found.files + found.webhooks


def test_an_event_of_theirs_that_is_sent_again_is_known_and_does_not_come_back(inbox: Inbox) -> None:
    erase("7", keeper(inbox), "article 17", "")
    erased = inbox.contents()
    assert inbox.send("shopify", shopify_order(1001, 7, ANN), "orders/create") == "known"
    one = {
        "object": "event",
        "id": "evt_1001",
        "created": 1,
        "data": {"object": charge("ch_1001", customer="cus_ofAnn")},
    }
    assert inbox.send("stripe", one) == "known"
    assert inbox.contents() == erased


def test_what_the_shop_still_tells_of_them_comes_back_and_is_erased_when_asked_again(inbox: Inbox) -> None:
    proof = keeper(inbox)
    first = erase("7", proof, "article 17", "")
    inbox.send("shopify", shopify_order(1001, 7, ANN, updated_at="2026-05-01T09:00:00+01:00"), "orders/updated")
    assert told_of(inbox, ANN)
    again = erase("7", proof, "article 17", "")
    assert told_of(inbox, ANN) == [] and (again.instead, again.webhooks) == (first.instead, 1)
    assert erase("7", proof, "article 17", "").webhooks == 0, "nothing is left to do"


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 9))
def test_an_erasure_that_is_killed_goes_on_to_the_same_end(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    proof, replace, calls = keeper(inbox), Path.replace, list[int]()

    def killed(self: Path, target: Path) -> Path:
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(Path, "replace", killed)
        erase("7", proof, "article 17", "")
    found = erase("7", proof, "article 17", "")
    assert told_of(inbox, ANN) == [] and found.webhooks == 9 - at
    assert {row["customer_id"] for row in inbox.told("shopify")["orders"]} == {found.instead, "8"}


def test_what_was_half_written_when_it_was_killed_is_taken_away(inbox: Inbox) -> None:
    half = inbox.settings.webhooks / "shopify" / ".half.part"
    half.write_text(ANN["name"])
    os.utime(half, (0, 0))
    erase("7", keeper(inbox), "article 17", "")
    assert told_of(inbox, ANN) == []


@pytest.mark.parametrize("held", [True, False])
def test_whoever_has_something_open_or_held_is_not_erased_yet(inbox: Inbox, held: bool) -> None:
    """Only webhooks know whose order it is."""
    hold(inbox, held=held)
    before = inbox.contents()
    with pytest.raises(LedgerError, match="is held: a court asked" if held else "case-1 is open"):
        erase("7", keeper(inbox), "article 17", "")
    assert inbox.contents() == before


def test_a_file_that_nobody_can_read_stops_an_erasure_before_it_begins(inbox: Inbox) -> None:
    (inbox.settings.webhooks / "stripe" / "half.json").write_text('{"object": "cha')
    before = inbox.contents()
    with pytest.raises(SourceError, match=r"half\.json.*is no JSON"):
        erase("7", keeper(inbox), "article 17", "")
    assert inbox.contents() == before
    with inbox.ledger.read() as session:
        assert session.query(ErasureRow).count() == 0


def test_of_two_shops_only_the_one_that_is_named_forgets(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recife = inbox.settings.model_copy(update={"webhooks_folder": tmp_path / "recife"})
    for order, id in ((shopify_order(1001, 7, ANN), "orders/create"), (paid(1001, 5), "order_transactions/create")):
        Inbox(recife).send("shopify", order, id)
    (tmp_path / "shops.yaml").write_text(
        "shops:\n"
        '  berlin: {source: "shopify:in/shopify+stripe:in/stripe+tracking:in/tracking"}\n'
        '  recife: {source: "shopify:recife/shopify"}\n'
    )
    monkeypatch.setenv("TOWER_SHOPS", str(tmp_path / "shops.yaml"))
    there = Inbox(recife).contents()
    found = erase("7", keeper(inbox, ("berlin",)), "article 17", shop="berlin")
    assert found.webhooks == 8 and told_of(inbox, ANN) == []
    assert Inbox(recife).contents() == there, "who has the same id there is somebody else"
    source = open_source("shop:recife", None, settings())
    assert [row["customer_id"] for row in rows(source, "orders")] == ["7"]
