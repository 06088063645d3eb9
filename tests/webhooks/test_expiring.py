"""Webhooks grow old: what later ones tell goes, who it was about is forgotten, and what is known of an order stays."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from control_tower.ledger.tables import CaseRow, HoldRow
from control_tower.settings import settings
from control_tower.sources import open_source
from control_tower.sources.payloads import contents_of, files_of, written_at
from control_tower.webhooks.folder import GONE, ReceivingFolder
from control_tower.webhooks.groups import Event, Received, changed
from control_tower.webhooks.nameless import nameless
from policies.retention import retention
from tasks.expire_webhooks import ExpiredWebhooks, expire_webhooks, webhooks_due
from tests.flows.conftest import data
from tests.sources.test_payloads import rows
from tests.thorough import up_to
from tests.webhooks.inbox import ANN, DAY, TELLING, Inbox, inbox_in, paid, shopify_order
from tests.webhooks.senders import PAYLOADS, SECRETS

PERSONAL = {*retention().personal.identifying, *retention().personal.words}
EXPORTS = Path(__file__).parents[1] / "sources" / "exports"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with inbox_in(tmp_path) as mine:
        yield mine


def expire(inbox: Inbox, now: datetime | None = None) -> ExpiredWebhooks:
    due = webhooks_due(inbox.settings, inbox.ledger, now or datetime.now(UTC))
    expire_webhooks(due)
    return due.told()


def lived(inbox: Inbox, age: timedelta) -> None:
    """An order from its first webhook to its last, which all came so long ago."""
    order = shopify_order(1001, 7, ANN)
    inbox.send("shopify", order, "orders/create", age)
    inbox.send("shopify", paid(1001, 5), "order_transactions/create", age)
    settled = order | {"financial_status": "paid", "updated_at": "2026-03-01T09:02:00+01:00"}
    inbox.send("shopify", settled, "orders/paid", age)
    parcel = {"id": 31, "order_id": 1001, "status": "success", "tracking_number": "Z1", "receipt": ANN["note"]}
    for moved, moment in (("in_transit", "10"), ("delivered", "18")):
        told = parcel | {"shipment_status": moved, "updated_at": f"2026-03-03T{moment}:00:00+01:00"}
        inbox.send("shopify", told, "fulfillments/update", age)
    sent = settled | {"fulfillment_status": "fulfilled", "updated_at": "2026-03-03T18:00:00+01:00"}
    inbox.send("shopify", sent, "orders/fulfilled", age)


def test_what_later_webhooks_tell_goes_and_the_source_tells_the_very_same(inbox: Inbox) -> None:
    lived(inbox, 31 * DAY)
    before, there = inbox.told("shopify"), len(inbox.files())
    found = expire(inbox)
    assert (there, found.overtaken, len(inbox.files())) == (6, 3, 3)
    assert inbox.told("shopify") == before
    assert before["payments"] and before["orders"][0]["status"] == "shipped"
    assert expire(inbox).overtaken == 0, "a second night has nothing to do"


def test_what_is_young_stays_though_it_is_overtaken(inbox: Inbox) -> None:
    lived(inbox, 29 * DAY)
    assert expire(inbox) == ExpiredWebhooks()
    assert len(inbox.files()) == 6


def test_the_only_word_of_a_payment_stays_however_old_it_is_and_tells_of_nobody(inbox: Inbox) -> None:
    lived(inbox, 4000 * DAY)
    before = inbox.told("shopify")
    found = expire(inbox)
    assert (found.overtaken, found.nameless, found.left) == (3, 3, 0)
    assert not [name for name in TELLING if ANN[name] in inbox.all_text()]
    after = inbox.told("shopify")
    assert [row["amount"] for row in after["payments"]] == [4000]
    assert without_people(after) == without_people(before)
    assert after["orders"][0]["customer_id"] == "7", "by it, they can still be erased"
    assert after["buyers"][0]["customer_name"] is None and after["risk_signals"][0]["email_hash"] is None
    assert expire(inbox) == ExpiredWebhooks()


def without_people(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{k: v for k, v in row.items() if k not in PERSONAL} for row in some] for table, some in told.items()
    }


def test_what_was_let_go_is_known_when_it_is_sent_again(inbox: Inbox) -> None:
    lived(inbox, 31 * DAY)
    expire(inbox)
    kept = inbox.contents()
    assert inbox.send("shopify", shopify_order(1001, 7, ANN), "orders/create") == "known"
    assert inbox.send("shopify", shopify_order(1001, 7, ANN) | {"note": "new"}, "orders/create") == "kept"
    assert kept.items() < inbox.contents().items()


def test_what_is_let_go_while_it_is_sent_again_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ReceivingFolder(tmp_path)
    folder.keep("a.json", b"{}")
    link = os.link

    def slow(*given: Any) -> None:  # the receiver has looked, and before it writes the file is let go
        ReceivingFolder(tmp_path).let_go("a.json")
        link(*given)

    monkeypatch.setattr(os, "link", slow)
    assert folder.keep("a.json", b"{}") is False
    assert [file.name for file in tmp_path.iterdir()] == [GONE]


def test_killed_between_name_and_file_it_goes_the_next_night(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(inbox, 31 * DAY)
    before = inbox.told("shopify")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(Path, "unlink", killed)
        expire(inbox)
    assert len(inbox.files()) == 6 and inbox.told("shopify") == before
    assert expire(inbox).overtaken == 3 and inbox.told("shopify") == before


def hold(inbox: Inbox, *, held: bool) -> None:
    """A case about the order: closed and held by a court, or open."""
    now = datetime.now(UTC)
    case = CaseRow(
        id="case-1", lane="fulfilment", shop="shopify", pivot="1001", title="t", standing="closed" if held else "open",
        material="", severity="low", team="t", owner="o", priority=1.0, due_at=now, opened_at=now, seen_as_of=now,
        body={"orders": ["1001"]},
    )  # fmt: skip
    with inbox.ledger.write() as session:
        session.add(case)
        if held:
            session.add(HoldRow(case_id="case-1", why="a court asked", placed_by="lea", placed_at=now))


def test_what_a_hold_covers_is_not_touched(inbox: Inbox) -> None:
    lived(inbox, 4000 * DAY)
    inbox.send("shopify", shopify_order(1002, 8), "orders/create", 4000 * DAY)
    hold(inbox, held=True)
    before = inbox.contents()
    found = expire(inbox)
    assert (found.held, found.overtaken, found.nameless) == (6, 0, 1)
    after = inbox.contents()
    assert [name for name in before if before[name] != after[name]] == [
        name for name, content in before.items() if b'"id": 1002' in content
    ]


def test_what_an_open_case_rests_on_keeps_its_names(inbox: Inbox) -> None:
    lived(inbox, 4000 * DAY)
    hold(inbox, held=False)
    before = inbox.told("shopify")
    found = expire(inbox)
    assert (found.overtaken, found.nameless) == (3, 0)
    assert inbox.told("shopify") == before


def test_a_file_that_somebody_else_put_there_is_read_along_and_never_touched(inbox: Inbox) -> None:
    lived(inbox, 31 * DAY)
    theirs = inbox.settings.webhooks / "shopify" / "fetched-orders.json"
    theirs.write_text(json.dumps({"orders": [shopify_order(1001, 7, ANN, updated_at="2026-04-01T09:00:00+01:00")]}))
    os.utime(theirs, (0, 0))
    before, content = inbox.told("shopify"), theirs.read_bytes()
    found = expire(inbox, datetime.now(UTC) + 4000 * DAY)
    assert found.overtaken == 4, "the order was fetched since, and only the payment and the parcel are news"
    assert theirs.read_bytes() == content
    assert without_people(inbox.told("shopify")) == without_people(before)


def test_a_folder_that_no_source_can_read_is_named_and_the_others_go_on(inbox: Inbox) -> None:
    lived(inbox, 31 * DAY)
    inbox.send("stripe", PAYLOADS["stripe"], age=31 * DAY)
    (inbox.settings.webhooks / "stripe" / "half.json").write_text('{"object": "cha')
    found = expire(inbox)
    assert found.overtaken == 3
    assert [("half.json" in each, "is no JSON" in each) for each in found.unread] == [(True, True)]


@pytest.mark.parametrize("sender", SECRETS)
def test_every_senders_newest_word_stays(inbox: Inbox, sender: str) -> None:
    inbox.send(sender, PAYLOADS[sender], age=4000 * DAY)
    before = inbox.told(sender)
    found = expire(inbox)
    assert (found.overtaken, found.left, len(inbox.files())) == (0, 0, 1)
    assert without_people(inbox.told(sender)) == without_people(before)


@pytest.mark.parametrize(
    ("source", "folder"),
    [("shopify", EXPORTS / "shopify_webhooks"), ("stripe", EXPORTS / "stripe"), ("tracking", EXPORTS / "tracking"),
     ("woocommerce", EXPORTS / "woocommerce"), ("stripe", "fixtures_stripe"), ("shopify", "fixtures_shopify_api")],
)  # fmt: skip
def test_without_its_people_a_payload_tells_all_else(source: str, folder: Path | str) -> None:
    place = data(folder) if isinstance(folder, str) else folder
    received = Received(place, source, b"key")
    events = [Event(file, tuple(map(listed, contents_of(file))), written_at(file)) for file in files_of(place)]
    after = [Event(each.file, tuple(nameless(source, one) for one in each.contents), each.at) for each in events]
    assert received.same_but(events, after, PERSONAL)
    assert changed(events, lambda _: None) == events, "nothing of these is a receiver's"


def listed(content: Any) -> Any:
    """Stripe's fixtures are under names that no webhook has."""
    return list(content["resources"].values()) if isinstance(content, dict) and "resources" in content else content


MOMENTS = st.integers(0, 5).map(lambda hour: f"2026-03-01T{10 + hour}:00:00+00:00")
DELIVERIES = st.one_of(
    st.tuples(st.just("orders/updated"), st.builds(
        lambda id, at, status: shopify_order(id, id, updated_at=at, financial_status=status),
        st.integers(1, 3), MOMENTS, st.sampled_from(["pending", "paid", "refunded"]))),
    st.tuples(st.just("order_transactions/create"), st.builds(
        lambda order, id, kind, at: paid(order, id, kind=kind, updated_at=at),
        st.integers(1, 3), st.integers(1, 4), st.sampled_from(["capture", "refund", "void"]), MOMENTS)),
    st.tuples(st.just("refunds/create"), st.builds(
        lambda order, id: {"id": id, "order_id": order, "transactions": [paid(order, id + 10, kind="refund")]},
        st.integers(1, 3), st.integers(1, 3))),
    st.tuples(st.just("fulfillments/update"), st.builds(
        lambda order, id, at, moved: {"id": id, "order_id": order, "updated_at": at, "shipment_status": moved},
        st.integers(1, 3), st.integers(1, 2), MOMENTS, st.sampled_from(["in_transit", "delivered"]))),
)  # fmt: skip


@given(st.lists(st.tuples(DELIVERIES, st.integers(0, 900)), min_size=1, max_size=14))
@tries(max_examples=up_to(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_came_and_whenever_nothing_that_is_known_is_lost(
    inbox: Inbox, tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[tuple[str, dict[str, Any]], int]]
) -> None:
    place = tmp_path_factory.mktemp("received")
    one = Inbox(inbox.settings.model_copy(update={"webhooks_folder": place}))
    for (topic, content), age in sent:
        one.send("shopify", content, topic, age * DAY)
    folder = Received(place / "shopify", "shopify", b"key")
    before = everything(folder)
    nights = [expire(one) for _ in range(4)]  # what only an overtaken event held together is older without it
    assert folder.same_but(before, everything(folder), PERSONAL)
    assert {(night.left, night.unread) for night in nights} == {(0, ())}
    assert nights[-1] == ExpiredWebhooks()


def everything(folder: Received) -> list[Event]:
    """All that lies there, as the source reads it."""
    return sorted((event for group in folder.groups() for event in group), key=lambda event: event.file)


@pytest.mark.slow
def test_the_nightly_flow_does_it_and_says_so(inbox: Inbox, server: Any) -> None:
    from flows.expire_kept import expire_kept

    lived(inbox, 31 * DAY)
    found = expire_kept()
    assert found.webhooks.overtaken == 3 and "3 webhooks that later ones have overtaken" in found.markdown
    source = open_source(f"shopify:{inbox.settings.webhooks / 'shopify'}", None, settings())
    assert len(rows(source, "payments")) == 1
