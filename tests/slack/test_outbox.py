"""What Slack is told waits in the outbox, goes out once, and is kept current."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from control_tower.slack.case_message import case_message
from control_tower.slack.channel import SlackChannel
from control_tower.slack.messages import digest_message
from control_tower.slack.outbox import Delivered, Outbox, OutboxMessage
from control_tower.slack.parts import Message

Connect = Callable[..., SlackChannel]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def told(cases: ModuleType) -> Callable[..., Message]:
    """The message of one case."""

    def tell(number: int = 1001, standing: str = "open", thread: str | None = None) -> Message:
        return case_message(cases.a_case(f"case-{number}"), [], standing, thread=thread)

    return tell


@pytest.fixture
def digest(cases: ModuleType) -> Message:
    one = [cases.a_case()]
    return digest_message("fulfilment", "main", "warehouse", one, run="today", opened=1, updated=0, closed=0)


def row(outbox: Outbox, key: str = "case:case-1001") -> OutboxMessage:
    with Session(outbox.engine, expire_on_commit=False) as session:
        return session.get_one(OutboxMessage, key)


def test_a_case_message_is_posted_once_and_then_kept_current(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    assert outbox.put([told()]) == 1
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(posted=1)
    assert outbox.put([told()]) == 0
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered()
    assert outbox.put([told(standing="approved by Ann")]) == 1
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(updated=1)
    assert len(slack.messages) == 1
    assert "approved by Ann" in slack.messages[0]["text"]
    assert slack.messages[0]["metadata"]["event_payload"]["revision"] == row(outbox).delivered_revision


def test_nothing_in_a_message_is_unfurled_or_linked(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    for standing in ("open", "closed: shipped"):
        outbox.put([told(standing=standing)])
        outbox.deliver(channel(), now=cases.NOW)
    (_, posted), (_, updated) = slack.calls
    assert (posted["unfurl_links"], posted["unfurl_media"]) == (False, False)
    for call in (posted, updated):
        assert (call["parse"], call["link_names"]) == ("none", False)


def test_digests_go_first_and_the_rest_in_the_order_in_which_they_came(
    outbox: Outbox, told: Any, digest: Message, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(3), told(1)], now=cases.NOW)
    outbox.put([told(2), digest], now=cases.NOW + MINUTE)
    assert [one.key for one in outbox.pending(2)] == [digest.key, "case:case-3"]
    assert outbox.deliver(channel(), now=cases.NOW, limit=3) == Delivered(posted=3, left=1)
    titles = [message["text"].split("\n")[0] for message in slack.messages]
    assert titles[1:] == ["late shipment · 3", "late shipment · 1"]


def test_a_change_while_it_waits_keeps_its_turn(outbox: Outbox, told: Any, cases: ModuleType) -> None:
    outbox.put([told(1), told(2)], now=cases.NOW)
    assert outbox.put([told(1, "closed: shipped")], now=cases.NOW + MINUTE) == 1
    assert [one.key for one in outbox.pending()] == ["case:case-1", "case:case-2"]
    assert "closed: shipped" in outbox.pending()[0].text


def test_news_of_a_posted_message_waits_behind_what_waits_already(
    outbox: Outbox, told: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(1)], now=cases.NOW)
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(2)], now=cases.NOW + MINUTE)
    outbox.put([told(1, "closed: shipped")], now=cases.NOW + 2 * MINUTE)
    assert [one.key for one in outbox.pending()] == ["case:case-2", "case:case-1"]


def test_of_two_messages_with_one_key_the_last_counts(outbox: Outbox, told: Any) -> None:
    assert outbox.put([told(), told(standing="closed: shipped")]) == 1
    assert "closed: shipped" in row(outbox).text


def test_a_case_hangs_under_its_digest_once_that_is_posted(
    outbox: Outbox,
    told: Any,
    digest: Message,
    emulator: ModuleType,
    slack: Any,
    channel: Connect,
    cases: ModuleType,
) -> None:
    outbox.put([told(thread=digest.key), digest])
    slack.meet("chat.postMessage", emulator.Fault(error="not_in_channel"))
    assert outbox.deliver(channel(), now=cases.NOW).posted == 0
    assert slack.messages == []
    outbox.deliver(channel(), now=cases.NOW + MINUTE)
    head, hung = slack.messages
    assert (head["thread_ts"], hung["thread_ts"]) == (None, head["ts"])


def test_a_message_deleted_in_slack_is_posted_anew_when_there_is_news(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told()])
    outbox.deliver(channel(), now=cases.NOW)
    slack.messages.clear()
    outbox.put([told(standing="closed: shipped")])
    done = outbox.deliver(channel(), now=cases.NOW)
    assert (done.posted, done.left) == (1, 0)
    assert len(slack.messages) == 1


def test_a_message_that_slack_refuses_waits_for_other_words_and_holds_nobody_up(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(1), told(2)])
    slack.meet("chat.postMessage", emulator.Fault(error="invalid_blocks"))
    done = outbox.deliver(channel(), now=cases.NOW)
    assert done == Delivered(posted=1, failed=1, error="invalid_blocks")
    assert (row(outbox, "case:case-1").state, row(outbox, "case:case-1").last_error) == (
        "refused",
        "invalid_blocks",
    )
    assert outbox.deliver(channel(), now=cases.NOW + 60 * MINUTE) == Delivered()
    outbox.put([told(1, "closed: shipped")])
    assert outbox.deliver(channel(), now=cases.NOW + 60 * MINUTE) == Delivered(posted=1)


def test_news_that_comes_while_a_message_is_sent_goes_out_next(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    answered = threading.Event()
    slack.meet("chat.postMessage", emulator.Fault(accept=True, until=answered))
    outbox.put([told()])
    deliverer = threading.Thread(target=outbox.deliver, args=(channel(5),), kwargs={"now": cases.NOW, "limit": 1})
    deliverer.start()
    assert slack.met.wait(5)
    outbox.put([told(standing="closed: shipped")])
    assert Outbox(outbox.engine).deliver(channel(), now=cases.NOW) == Delivered(left=1)
    answered.set()
    deliverer.join()
    assert row(outbox).state == "pending"
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(updated=1)
    assert ["closed: shipped" in one["text"] for one in slack.messages] == [True]


def test_two_deliverers_post_each_message_once(
    engine: Engine, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    Outbox(engine).put([told(number) for number in range(24)])
    start = threading.Barrier(3)
    done: list[Delivered] = []

    def deliver() -> None:
        outbox = Outbox(engine)
        start.wait()
        done.append(outbox.deliver(channel(), now=cases.NOW))

    deliverers = [threading.Thread(target=deliver) for _ in range(3)]
    for one in deliverers:
        one.start()
    for one in deliverers:
        one.join()
    assert (sum(one.posted for one in done), sum(one.updated for one in done)) == (24, 0)
    assert slack.called("conversations.history") == 0
    assert sorted(one["metadata"]["event_payload"]["key"] for one in slack.messages) == sorted(
        f"case:case-{number}" for number in range(24)
    )
    with Session(engine) as session:
        assert set(session.scalars(select(OutboxMessage.state))) == {"delivered"}


@pytest.mark.slow
def test_three_thousand_messages_are_queued_many_at_a_time(outbox: Outbox, told: Any) -> None:
    messages = [told(number) for number in range(3000)]
    asked: list[str] = []
    event.listen(outbox.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert outbox.put(messages) == 3000
    assert outbox.put(messages) == 0
    assert 0 < len(asked) < 100, "a statement is for many messages"
    assert len(outbox.pending(5000)) == 3000


def test_patience_ends_a_delivery_and_loses_nothing(
    outbox: Outbox, told: Any, emulator: ModuleType, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(number) for number in range(5)])
    slack.meet("chat.postMessage", *[emulator.Fault(accept=True, seconds=0.3)] * 2)
    done = outbox.deliver(channel(), now=cases.NOW, patience=0.5)
    assert done == Delivered(posted=2, left=3)
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(posted=3)


def test_no_more_than_so_many_new_messages_ping_the_channel_in_a_minute(
    engine: Engine, told: Any, digest: Message, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox = Outbox(engine, posts_a_minute=5)
    outbox.put([told(number) for number in range(12)] + [digest], now=cases.NOW)
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(posted=5, left=8)
    assert slack.messages[0]["text"].startswith("fulfilment at main"), "the digest says how many there are"
    outbox.put([told(0, "closed: shipped"), told(11, "closed: shipped")], now=cases.NOW)
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(updated=1, left=8), "a change pings nobody"
    slack.now = cases.NOW + 2 * MINUTE
    assert outbox.deliver(channel(), now=slack.now) == Delivered(posted=5, left=3)


def test_a_message_stays_in_its_thread_and_tomorrows_digest_is_no_news(outbox: Outbox, told: Any) -> None:
    outbox.put([told(thread="digest:today")])
    assert outbox.put([told(thread="digest:tomorrow")]) == 0
    assert outbox.put([told(standing="closed: shipped")]) == 1
    assert row(outbox).thread == "digest:today"


def test_what_can_not_wait_goes_before_what_waits(
    outbox: Outbox, told: Any, slack: Any, channel: Connect, cases: ModuleType
) -> None:
    outbox.put([told(1)], now=cases.NOW)
    outbox.deliver(channel(), now=cases.NOW)
    outbox.put([told(number, "closed: shipped") for number in (2, 3, 1)], now=cases.NOW + MINUTE)
    done = outbox.deliver(channel(), now=cases.NOW + MINUTE, only=["case:case-1"])
    assert done == Delivered(updated=1, left=2)
