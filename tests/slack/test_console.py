"""Without a token the same text is on the console, and in the outbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_tower.errors import SettingError
from control_tower.settings import Settings
from control_tower.slack.case_message import case_message
from control_tower.slack.channel import SlackChannel
from control_tower.slack.client import CONSOLE_CASES, Console, open_channel, slack_client
from control_tower.slack.messages import digest_message
from control_tower.slack.outbox import Delivered, Outbox, OutboxMessage


def test_without_a_token_the_same_text_is_on_the_console(outbox: Outbox, cases: ModuleType, tmp_path: Path) -> None:
    written: list[str] = []
    console = open_channel(Settings(home=tmp_path), written.append)
    message = case_message(cases.a_case(), [cases.a_proposal()], "rejected by Ann: R&D <kept> it")
    outbox.put([message])
    assert outbox.deliver(console, now=cases.NOW) == Delivered(posted=1)
    assert "rejected by Ann: R&D <kept> it" in written[0]
    assert written[0].strip() == message.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert outbox.deliver(console, now=cases.NOW) == Delivered()
    outbox.put([case_message(cases.a_case(), [], "closed: shipped")])
    outbox.deliver(console, now=cases.NOW)
    assert "closed: shipped" in written[1]


def test_every_digest_and_the_first_cases_are_printed(outbox: Outbox, cases: ModuleType) -> None:
    written: list[str] = []
    opened = [cases.a_case(f"case-{number}") for number in range(120)]
    outbox.put([case_message(case, [], "open") for case in opened])
    outbox.put(
        [
            digest_message("fulfilment", "main", team, opened, run="today", opened=1, updated=0, closed=0)
            for team in ("warehouse", "carriers")
        ]
    )
    assert outbox.deliver(Console(written.append), now=cases.NOW).posted == 122
    assert [text.split("\n")[0] for text in written[:4]] == [
        "fulfilment at main · warehouse · today",
        "fulfilment at main · carriers · today",
        "late shipment · 0",
        "late shipment · 1",
    ]
    assert len(written) == 2 + CONSOLE_CASES + 1
    assert written[-1] == f"and {120 - CONSOLE_CASES} more messages are in the outbox"
    with Session(outbox.engine) as session:
        assert list(session.scalars(select(OutboxMessage.state))) == ["console"] * 122


def test_a_console_that_is_gone_loses_nothing(outbox: Outbox, cases: ModuleType) -> None:
    def gone(text: str) -> None:
        raise BrokenPipeError

    outbox.put([case_message(cases.a_case(), [], "open")])
    assert outbox.deliver(Console(gone), now=cases.NOW) == Delivered(
        failed=1, left=1, error="the console: BrokenPipeError"
    )
    assert outbox.deliver(Console(list[str]().append), now=cases.NOW) == Delivered(posted=1)


def test_what_was_printed_is_not_posted_when_a_token_comes_but_its_news_is(
    outbox: Outbox, cases: ModuleType, slack: Any, channel: Callable[..., SlackChannel]
) -> None:
    outbox.put([case_message(cases.a_case(), [], "open")])
    outbox.deliver(Console(list[str]().append), now=cases.NOW)
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered()
    outbox.put([case_message(cases.a_case(), [], "closed: shipped")])
    assert outbox.deliver(channel(), now=cases.NOW) == Delivered(posted=1)


def test_a_terminal_without_our_letters_still_gets_the_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cases: ModuleType, outbox: Outbox
) -> None:
    with (tmp_path / "terminal").open("w", encoding="ascii") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        outbox.put([case_message(cases.a_case(), [], "open")])
        assert outbox.deliver(Console(), now=cases.NOW) == Delivered(posted=1)
    assert "late shipment ? 1001" in (tmp_path / "terminal").read_text("ascii")


def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    assert slack_client(Settings(home=tmp_path)) is None
    assert slack_client(Settings(home=tmp_path, slack_token=SecretStr(" "))) is None


@pytest.mark.parametrize("token", ["xoxb-1\nSECRET", "xoxb-1 SECRET", "xoxb-SECRET…"])
def test_a_token_that_cannot_be_one_is_refused_and_not_told(tmp_path: Path, token: str) -> None:
    with pytest.raises(SettingError) as refused:
        slack_client(Settings(home=tmp_path, slack_token=SecretStr(token)))
    assert "SECRET" not in str(refused.value)


def test_a_token_does_not_cross_the_network_in_the_clear(tmp_path: Path) -> None:
    for url in ("http://slack.example/api/", "ftp://127.0.0.1.example/", "file:///etc/passwd", ""):
        with pytest.raises(SettingError, match="https"):
            slack_client(Settings(home=tmp_path, slack_token=SecretStr("xoxb-1"), slack_api_url=url))
