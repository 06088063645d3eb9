"""A listener in a process of its own, to be killed: listener.py BOUNDARY.

It dies by SIGKILL, by its own hand, at the boundary that it is given; "" is none. Whom it wakes it
writes, a line each, into the file that WOKEN names.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from control_tower.settings import settings
from control_tower.slack.channel import SlackChannel
from control_tower.slack.inbox import Inbox
from control_tower.slack.interactions import Submission
from desk.slack_desk import handling, serving
from desk.slack_desk.following import Following
from desk.slack_desk.listener import Listener


def wake(digest: str) -> None:
    with Path(os.environ["WOKEN"]).open("a") as woken:
        woken.write(f"{digest}\n")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(act: Callable[..., Any], moment: str, only: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
    """The same, but it kills this process before or after doing it."""

    def wrapped(*given: Any, **named: Any) -> Any:
        if moment == "before" and only(*given):
            die()
        result = act(*given, **named)
        if moment == "after" and only(*given):
            die()
        return result

    return wrapped


def is_form(_: object, what: Any) -> bool:
    return isinstance(what, Submission)


def acks_form(_listener: object, _client: object, request: Any, *_: object) -> bool:
    return bool(request.payload["type"] == "view_submission")


PLACES: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "write the click": (Inbox, "receive", lambda *_: True),
    "acknowledge the click": (Listener, "_ack", lambda *_: True),
    "show the form": (SlackChannel, "open_form", lambda *_: True),
    "write the form": (Inbox, "receive", is_form),
    "acknowledge the form": (Listener, "_ack", acks_form),
    "mark it done": (Inbox, "done", lambda _, key, *__: key.startswith("form:")),
    "lock the message": (Following, "lock", lambda *_: True),
}


def main(boundary: str) -> None:
    waking = wake
    moment, _, place = boundary.partition(" ")
    if place == "rule":
        handling.rule_from_slack = dying(handling.rule_from_slack, moment)
    elif place == "wake":
        waking = dying(wake, moment)
    elif place:
        owner, name, only = PLACES[place]
        setattr(owner, name, dying(getattr(owner, name), moment, only))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    lease = timedelta(seconds=1)
    serving.serve(settings(), stop, write=print, wake=waking, turn=0.3, lease=lease)


if __name__ == "__main__":
    main(sys.argv[1])
