"""The receiver, over HTTP: who is proved is kept once and whole, and whoever is not learns nothing."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from control_tower.errors import SettingError
from control_tower.settings import Settings, settings
from control_tower.sources import open_source
from desk.webhooks import receiver_of, receiving
from tests.sources.test_payloads import rows
from tests.webhooks.conftest import Post, settings_of
from tests.webhooks.senders import PAYLOADS, SECRETS, SHOPIFY_ORDER, SOURCES, body_of, path, signed

TABLES = {"shopify": "orders", "stripe": "disputes", "woocommerce": "orders"}


@pytest.mark.parametrize("sender", SECRETS)
def test_what_a_sender_signs_is_kept_where_its_source_reads_it(post: Post, sender: str) -> None:
    said = post.send(sender)
    assert (said.status_code, said.text) == (200, "kept")
    (kept,) = post.kept(sender)
    assert body_of(PAYLOADS[sender]) in kept.read_bytes(), "letter by letter"
    source = open_source(f"{SOURCES.get(sender, sender)}:{kept.parent}", None, settings())
    assert len(rows(source, TABLES.get(sender, "fulfillments"))) == 1
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("sender", SECRETS)
@pytest.mark.parametrize("wrong", ["secret", "byte", "missing", "twice", "empty", "cut"])
def test_who_is_not_proved_is_refused_and_learns_nothing(
    post: Post, sender: str, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = body_of(PAYLOADS[sender])
    right = signed(sender, body)
    (name,) = [each for each in right if "type" not in each and "Topic" not in each] or [""]
    given, told, where = body, list(right.items()), path(sender)
    if sender == "shippo":
        where = {"secret": "/shippo/another", "missing": "/shippo", "cut": path(sender)[:-1]}.get(wrong, "/shippo/x")
    elif wrong == "secret":
        told = list(signed(sender, body, "another secret").items())
    elif wrong == "byte":
        given = body[:-3] + b" " + body[-3:]
    elif wrong == "twice":
        told += [(name, right[name])]
    else:
        new = {"missing": None, "empty": "", "cut": right[name][:-1]}[wrong]
        told = [each for each in told if each[0] != name] + ([(name, new)] if new is not None else [])
    said = httpx.post(post.url + where, content=given, headers=told)
    assert (said.status_code, said.text) == (401, "not proved")
    assert post.kept(sender) == []
    heard = f"{said.headers} {said.text} {caplog.text}"
    assert SECRETS[sender] not in heard
    if name:
        assert re.split("v1=|hex=", right[name])[-1].split(",")[0] not in heard


@pytest.mark.parametrize(("age", "answer"), [(0, 200), (290, 200), (-290, 200), (320, 401), (-320, 401)])
def test_a_signed_time_that_is_not_now_is_a_replay(post: Post, age: int, answer: int) -> None:
    body = body_of(PAYLOADS["stripe"])
    headers = signed("stripe", body, at=time.time() - age)
    assert httpx.post(f"{post.url}/stripe", content=body, headers=headers).status_code == answer


@pytest.mark.parametrize("sender", [sender for sender in SECRETS if sender != "shippo"])
def test_while_secrets_are_changed_both_hold(tmp_path: Path, sender: str) -> None:
    both = {sender: ["the new secret", SECRETS[sender]]}
    with receiving(settings_of(tmp_path, **both)) as url:
        body = body_of(PAYLOADS[sender])
        for secret, answer in (("the new secret", 200), (SECRETS[sender], 200), ("a third secret", 401)):
            headers = signed(sender, body, secret)
            assert httpx.post(f"{url}/{sender}", content=body, headers=headers).status_code == answer


def test_stripe_may_sign_with_two_secrets_at_once(post: Post) -> None:
    body = body_of(PAYLOADS["stripe"])
    old, new = (signed("stripe", body, secret)["Stripe-Signature"] for secret in ("an old secret", SECRETS["stripe"]))
    both = f"{old},{new.split(',')[2]}"
    headers = {"content-type": "application/json", "Stripe-Signature": both}
    assert httpx.post(f"{post.url}/stripe", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("sender", SECRETS)
def test_a_delivery_that_comes_twenty_times_at_once_is_kept_once(post: Post, sender: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda _: post.send(sender), range(20)))
    assert {each.status_code for each in said} == {200}
    assert sorted(each.text for each in said) == ["kept"] + ["known"] * 19
    assert len(post.kept(sender)) == 1


def test_an_event_that_is_sent_again_is_the_same_event_though_its_bytes_differ(post: Post) -> None:
    """Stripe counts in an event how many endpoints still wait for it."""
    assert post.send("stripe", PAYLOADS["stripe"] | {"pending_webhooks": 2}).text == "kept"
    assert post.send("stripe", PAYLOADS["stripe"] | {"pending_webhooks": 1}).text == "known"


def test_of_events_out_of_order_the_one_written_last_counts(post: Post) -> None:
    later = SHOPIFY_ORDER | {"updated_at": "2026-03-02T09:00:00+01:00", "cancelled_at": "2026-03-02T09:00:00+01:00"}
    assert [post.send("shopify", each).text for each in (later, SHOPIFY_ORDER)] == ["kept", "kept"]
    (row,) = rows(open_source(f"shopify:{post.folder / 'shopify'}", None, settings()), "orders")
    assert row["status"] == "cancelled"


def test_a_body_that_is_too_large_is_not_read_to_its_end(post: Post) -> None:
    huge = b" " * (6 * 2**20)
    said = httpx.post(f"{post.url}/shopify", content=huge, headers=signed("shopify", huge))
    assert said.status_code == 413

    def pieces() -> Any:
        for _ in range(60):
            yield b" " * 2**17

    with suppress(httpx.TransportError):  # the connection may end before the answer is read
        said = httpx.post(f"{post.url}/shopify", content=pieces(), headers={"content-type": "application/json"})
        assert said.status_code == 413
    assert post.kept("shopify") == []


HEADERS = b"POST /shopify HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", HEADERS + b"X-", HEADERS + b"Content-Length: 90\r\n\r\n{"])
def test_a_client_that_drips_is_cut_off_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("desk.webhooks.PATIENCE", 1.0)
    with receiving(settings_of(tmp_path)) as url:
        address = httpx.URL(url)
        slow = [socket.create_connection((address.host, address.port or 0)) for _ in range(30)]
        try:
            for each in slow:
                each.sendall(begun)
            assert Post(url, tmp_path / "in").send("shopify").status_code == 200
            for each in slow:
                each.settimeout(10)
                assert _ended(each)
        finally:
            for each in slow:
                each.close()


def _ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    "hostile", ["../../../orders/create", "orders/create\x00", "a" * 5000, "orders/../x", "%2e%2e"]
)
def test_a_hostile_topic_or_shop_names_no_file(post: Post, hostile: str) -> None:
    body = body_of(SHOPIFY_ORDER)
    told = signed("shopify", body) | {
        "X-Shopify-Shop-Domain": hostile.replace("\x00", ""),
        "X-Shopify-Webhook-Id": "../x",
    }
    assert httpx.post(f"{post.url}/shopify", content=body, headers=told).text == "kept"
    told["X-Shopify-Topic"] = hostile.replace("\x00", "")
    if "\x00" not in hostile:
        assert httpx.post(f"{post.url}/shopify", content=body, headers=told).text == "unused"
    there = [file for file in post.folder.rglob("*") if file.is_file()]
    assert all(re.fullmatch(r"shopify-[0-9a-f]{64}\.json", file.name) for file in there) and len(there) == 1


@pytest.mark.parametrize(
    ("sender", "content"),
    [
        ("stripe", {"object": "event", "id": "evt_2", "data": {"object": {"object": "customer", "id": "cus_1"}}}),
        ("stripe", {"object": "event", "data": {"object": {"object": ["charge"]}}}),
        ("easypost", {"object": "Event", "id": "e", "result": {"object": "Batch"}}),
        ("woocommerce", {"id": 9}), ("aftership", {"msg": {}}), ("shippo", {"data": None}), ("shopify", [1]),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_answered_so_that_its_sender_goes_on_and_not_kept(
    post: Post, sender: str, content: Any
) -> None:
    said = post.send(sender, content)
    assert (said.status_code, said.text) == (200, "unused")
    assert post.kept(sender) == []


@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [(b"{", "application/json", 400), (b"[" * 200 + b"]" * 200, "application/json", 400),
     (b"\xff", "application/json", 400), (b"{}", "text/plain", 415), (b"{}", "application/x-www-form-urlencoded", 415)],
)  # fmt: skip
def test_what_is_proved_and_can_not_be_read_is_refused(post: Post, body: bytes, kind: str, answer: int) -> None:
    assert post.send("shopify", body=body, content_type=kind).status_code == answer
    assert post.kept("shopify") == []


def test_nobody_else_is_heard(post: Post, tmp_path: Path) -> None:
    assert httpx.post(f"{post.url}/paypal", content=b"{}").status_code == 404
    assert httpx.get(f"{post.url}/shopify").status_code == 405
    with receiving(settings_of(tmp_path, stripe=[])) as url:
        assert Post(url, tmp_path / "in").send("stripe").status_code == 404, "without a secret nobody is proved"


def test_woocommerces_question_whether_anybody_is_there_is_answered_and_no_more(post: Post) -> None:
    told = {"content-type": "application/x-www-form-urlencoded"}
    assert httpx.post(f"{post.url}/woocommerce", content=b"webhook_id=7", headers=told).status_code == 200
    assert httpx.post(f"{post.url}/woocommerce", content=b"webhook_id=7&x=1", headers=told).status_code == 401
    assert post.kept("woocommerce") == []


@pytest.mark.parametrize("broken", ["fsync", "link"])
def test_a_full_disk_is_told_to_the_sender_and_leaves_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, broken, full)
        assert post.send("shopify").status_code == 503
    assert list((post.folder / "shopify").iterdir()) == []
    assert post.send("shopify").text == "kept", "it is sent again"


def test_deliveries_are_counted_by_answer(post: Post) -> None:
    from prometheus_client import generate_latest

    from control_tower.metrics.collecting import registry

    def counted() -> dict[str, float]:
        text = generate_latest(registry("sqlite://", {})).decode()
        return {
            word: float(n) for word, n in re.findall(r'webhooks_total\{answer="([^"]+)",sender="shopify"\} (\S+)', text)
        }

    before = counted()
    post.send("shopify")
    post.send("shopify")
    httpx.post(f"{post.url}/shopify", content=b"{}")
    after = counted()
    grown = {word: after[word] - before.get(word, 0) for word in ("kept", "known", "not proved")}
    assert grown == {"kept": 1, "known": 1, "not proved": 1}


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_anybody_could_guess_is_refused_and_not_said(secret: str) -> None:
    with pytest.raises(ValidationError):
        Settings(webhook_secrets={"shopify": (secret,)})  # type: ignore[dict-item]
    with pytest.raises(SettingError, match="no sender of webhooks has a secret"):
        receiver_of(Settings(webhook_secrets={"shopify": ()}))


@pytest.mark.slow
def test_what_a_killed_receiver_left_half_written_is_taken_away_and_was_never_seen(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "shopify"
    folder.mkdir(parents=True)
    half = folder / ".abc.part"
    half.write_text('{"order": {"id": 1')
    os.utime(half, (0, 0))
    with receiving(settings_of(tmp_path)) as url:
        assert Post(url, tmp_path / "in").send("shopify").text == "kept"
    assert not half.exists()
    assert json.loads(next(folder.iterdir()).read_text()) == {"order": SHOPIFY_ORDER}
