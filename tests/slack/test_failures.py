"""Slack fails in its ways: nothing is lost, nothing is said twice, and nothing is raised into a lane."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_tower.ledger.database import Ledger
from control_tower.settings import Settings
from control_tower.slack.case_message import case_message
from control_tower.slack.channel import SlackChannel
from control_tower.slack.client import slack_client
from control_tower.slack.outbox import Delivered, Outbox, OutboxMessage
from control_tower.slack.parts import Message

Connect = Callable[..., SlackChannel]
MINUTE = timedelta(minutes=1)
LEASE_OVER = timedelta(minutes=6)


@pytest.fixture
def told(cases: ModuleType) -> Callable[..., Message]:
    def tell(number: int = 1001, standing: str = "open", thread: str | None = None) -> Message:
        return case_message(cases.a_case(f"case-{number}"), [], standing, thread=thread)

    return tell


def row(outbox: Outbox, key: str = "case:case-1001") -> OutboxMessage:
    with Session(outbox.engine, expire_on_commit=False) as session:
        return session.get_one(OutboxMessage, key)


def said(slack: Any) -> list[str]:
    return [message["metadata"]["event_payload"]["key"] for message in slack.messages]


LOST: dict[str, dict[str, Any]] = {
    "the reply is lost": {"drop": True},
    "the reply is too late": {"seconds": 1.5},
    "a server error follows": {"status": 500},
    "the answer is no JSON": {"body": b"<html>ok</html>"},
    "the answer is broken JSON": {"body": b'{"ok": tr'},
    "the answer is a list": {"body": b"[1]"},
    "the answer is empty": {"body": b""},
    "the answer names no message": {"body": b'{"ok": true}'},
    "the answer is no text": {"body": b"\xff\xfe{"},
    "Slack is not sure itself": {"body": b'{"ok": false, "error": "fatal_error"}'},
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
def test_a_post_without_an_answer_is_found_and_not_repeated(
    outbox: Outbox,
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    fault: dict[str, Any],
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, **fault))
    done = outbox.deliver(channel(timeout=1), now=cases.NOW)
    assert (done.posted, done.failed, done.left) == (0, 1, 1)
    assert (row(outbox).state, bool(row(outbox).last_error)) == ("unknown", True)
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(left=1)  # not at once: Slack may still be at it
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)
    assert said(slack) == ["case:case-1001"]
    assert (row(outbox).state, row(outbox).last_error) == ("delivered", "")


def test_a_post_that_never_arrived_is_posted(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    assert slack.messages == []
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)
    assert slack.called("conversations.history") == 1


def test_news_about_a_post_without_an_answer_changes_the_message_that_is_found(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(standing="closed: shipped")])
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(updated=1)
    assert ["closed: shipped" in message["text"] for message in slack.messages] == [True]


def test_a_found_message_that_refuses_the_news_is_not_posted_again(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(standing="approved by Ann")])
    slack.meet("chat.update", emulator.Fault(error="msg_too_long"))
    outbox.deliver(channel(), now=cases.NOW + MINUTE)
    outbox.put([told(standing="closed: shipped")])
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(updated=1)
    assert len(slack.messages) == 1


def test_it_is_found_behind_pages_of_other_messages(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.posts_a_minute = 100
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(number) for number in range(40)])
    outbox.deliver(channel(), now=cases.NOW)
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)
    assert sorted(said(slack)) == sorted({*said(slack)})
    assert slack.called("conversations.history") == 3


def test_it_is_found_in_its_thread(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(1)])
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(2, thread="case:case-1")])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)
    assert said(slack) == ["case:case-1", "case:case-2"]
    assert slack.called("conversations.replies") == 1


def test_another_app_cannot_pass_its_message_for_ours(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    slack.messages[0] |= {"user": "U0FORGER", "bot_id": "B0FORGER"}
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)
    assert len(slack.messages) == 2


LOOKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "who we are is not told": ("auth.test", {"error": "missing_scope"}, "missing_scope"),
    "channels are not listed": (
        "conversations.list",
        {"body": b'{"ok": false, "error": "missing_scope", "needed": "channels:read"}'},
        "missing_scope: channels:read",
    ),
    "the channel is not listed": ("conversations.list", {"body": b'{"ok": true}'}, "set TOWER_SLACK_CHANNEL"),
    "history is refused": ("conversations.history", {"error": "missing_scope"}, "missing_scope"),
    "history is limited": ("conversations.history", {"status": 429, "retry_after": "90"}, "ratelimited"),
    "history is malformed": (
        "conversations.history",
        {"body": b'{"ok": true, "messages": ["x"]}'},
        "Attribute",
    ),
}


@pytest.mark.parametrize(("method", "fault", "why"), LOOKS.values(), ids=LOOKS.keys())
def test_while_it_cannot_be_looked_up_it_is_not_posted_again(
    outbox: Outbox,
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    method: str,
    fault: dict[str, Any],
    why: str,
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=True, drop=True))
    outbox.deliver(channel(), now=cases.NOW)
    slack.meet(method, emulator.Fault(**fault))
    done = outbox.deliver(channel(), now=cases.NOW + MINUTE)
    assert (done.posted, done.failed, done.left) == (0, 1, 1)
    assert why in done.error
    assert row(outbox).state == "unknown"
    assert outbox.deliver(channel(), now=cases.NOW + 5 * MINUTE) == Delivered(posted=1)
    assert len(slack.messages) == 1


CRASH = """
import sys
from datetime import datetime
from control_tower.ledger.database import Ledger
from control_tower.settings import settings
from control_tower.slack.client import open_channel
from control_tower.slack.outbox import Outbox
Outbox(Ledger(sys.argv[1]).engine).deliver(open_channel(settings()), now=datetime.fromisoformat(sys.argv[2]))
"""


def test_a_deliverer_whose_lease_is_over_changes_nothing_that_another_has_settled(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    answered = threading.Event()
    slack.meet("chat.postMessage", emulator.Fault(accept=True, until=answered, drop=True))
    late = threading.Thread(target=outbox.deliver, args=(channel(10),), kwargs={"now": cases.NOW})
    late.start()
    assert slack.met.wait(5)
    assert Outbox(outbox.engine).deliver(channel(), now=cases.NOW + LEASE_OVER) == Delivered(posted=1)
    answered.set()
    late.join()
    assert (row(outbox).state, row(outbox).last_error, len(slack.messages)) == ("delivered", "", 1)


@pytest.mark.parametrize("accept", [True, False], ids=["after the post", "before the post"])
def test_a_crash_around_the_post_neither_repeats_nor_loses_it(
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    tmp_path: Path,
    accept: bool,
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    outbox = Outbox(Ledger(url).engine)
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(accept=accept, seconds=30))
    tower = {
        "TOWER_SLACK_TOKEN": emulator.TOKEN,
        "TOWER_SLACK_API_URL": slack.url,
        "TOWER_HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", CRASH, url, cases.NOW.isoformat()]
    with subprocess.Popen(command, env={**os.environ, **tower}) as deliverer:
        assert slack.met.wait(30)
        deliverer.send_signal(signal.SIGKILL)
    assert (row(outbox).state, len(slack.messages)) == ("sending", int(accept))
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(left=1)  # its lease is not over
    assert outbox.deliver(channel(), now=cases.NOW + LEASE_OVER) == Delivered(posted=1)
    assert (row(outbox).state, len(slack.messages)) == ("delivered", 1)


@pytest.mark.slow
def test_a_rate_limit_is_waited_for(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(status=429, retry_after="1"))
    began = time.monotonic()
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(posted=1)
    assert time.monotonic() - began >= 1
    assert len(slack.messages) == 1


@pytest.mark.parametrize("wait", ["3600", "999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", ""])
def test_a_rate_limit_without_a_short_wait_ends_the_delivery(
    outbox: Outbox,
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    wait: str,
) -> None:
    outbox.put([told(1), told(2)])
    slack.meet("chat.postMessage", emulator.Fault(status=429, retry_after=wait))
    began = time.monotonic()
    done = outbox.deliver(channel(), now=cases.NOW)
    assert time.monotonic() - began < 10, "far less than an hour"
    assert done == Delivered(failed=1, left=2, error="ratelimited")
    assert slack.called("chat.postMessage") == 1
    assert outbox.deliver(channel(), now=cases.NOW + 61 * MINUTE) == Delivered(posted=2)


def test_slack_down_for_a_while_loses_nothing(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(number) for number in range(8)])
    slack.down()
    done = outbox.deliver(channel(), now=cases.NOW)
    slack.up()
    assert (done.posted, done.failed, done.left) == (0, 3, 8)  # after three in a row it is left alone
    assert "refused" in done.error
    assert outbox.deliver(channel(), now=cases.NOW + 20 * MINUTE) == Delivered(posted=8)
    assert slack.called("conversations.history") == 0  # nothing had left this machine
    assert len(slack.messages) == 8


@pytest.mark.parametrize("code", ["invalid_auth", "not_in_channel", "is_archived", "an_error_of_next_year"])
def test_what_is_wrong_with_the_channel_keeps_messages_for_later(
    outbox: Outbox,
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    code: str,
) -> None:
    outbox.put([told()])
    slack.meet("chat.postMessage", emulator.Fault(error=code))
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(failed=1, left=1, error=code)
    assert (row(outbox).state, row(outbox).last_error) == ("pending", code)
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(posted=1)


def test_an_update_without_an_answer_is_made_again(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(standing="closed: shipped")])
    slack.meet("chat.update", emulator.Fault(accept=True, drop=True))
    assert outbox.deliver(channel(), now=cases.NOW).failed == 1
    assert outbox.deliver(channel(), now=cases.NOW + MINUTE) == Delivered(updated=1)
    assert len(slack.messages) == 1


def test_no_token_is_ever_in_the_outbox_or_a_log(
    outbox: Outbox,
    told: Any,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
    caplog: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"Authorization: Bearer {emulator.TOKEN} and xapp-1-A2-other-secret".encode()
    answers = [
        echo,
        b'{"ok": false, "error": "%s"}' % echo,
        b'{"ok": false, "error": "invalid_auth", "x": "%s"}' % echo,
    ]
    outbox.put([told(number) for number in range(4)])
    slack.meet("chat.postMessage", *[emulator.Fault(body=body) for body in answers], emulator.Fault(drop=True))
    errors = [outbox.deliver(channel(), now=cases.NOW, limit=1).error for _ in range(4)]
    with Session(outbox.engine) as session:
        kept = "".join(repr(one.model_dump()) for one in session.scalars(select(OutboxMessage)))
    assert all(errors)
    for told_of in (kept, "".join(errors), caplog.text):
        assert "SECRET" not in told_of
        assert "other-secret" not in told_of
    assert "[token]" in kept


def test_a_token_that_slack_does_not_know_loses_nothing(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType, settings: Settings
) -> None:
    outbox.put([told()])
    wrong = slack_client(settings.model_copy(update={"slack_token": _secret("xoxb-wrong")}))
    assert wrong
    done = outbox.deliver(SlackChannel(wrong, "#control-tower"), now=cases.NOW)
    assert done == Delivered(failed=1, left=1, error="invalid_auth")


def _secret(token: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(token)


def test_a_shop_s_messages_are_posted_changed_and_looked_up_in_its_own_channel(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    ours = told(1001)
    outbox.put([ours, told(1002).into("#berlin")])
    slack.meet("chat.postMessage", *(emulator.Fault(accept=True, drop=True) for _ in range(2)))
    for later in range(3):
        outbox.deliver(channel(), now=cases.NOW + later * MINUTE)
    outbox.put([told(1002, standing="closed: shipped").into("#berlin")])
    outbox.deliver(channel(), now=cases.NOW + 5 * MINUTE)
    found = {message["metadata"]["event_payload"]["key"]: message for message in slack.messages}
    assert len(slack.messages) == len(found) == 2
    assert found["case:case-1001"]["channel"] == emulator.CHANNEL["id"]
    assert found["case:case-1002"]["channel"] == emulator.SHOP_S["id"]
    assert "closed: shipped" in found["case:case-1002"]["text"]
