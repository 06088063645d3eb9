"""The provider's process seen from here: started when first needed, replaced when it is late or dead."""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import control_tower
from control_tower.model.why import Why

START = 90.0  # seconds that the library may take to load; no case waits while it does, but the first
GRACE = 0.05  # seconds for an answer that was given in time to arrive
# What the process may know of its surroundings; keys go to it by request, never by the environment.
KNOWN = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
         "http_proxy", "https_proxy", "no_proxy")  # fmt: skip


@dataclass(frozen=True)
class Provider:
    """A model by its litellm name, where it is served, and the key."""

    model: str
    url: str | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reply:
    """What came back: text, or why there is none; tokens as the provider counts them, which may be wrong or absent."""

    why: Why | None
    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None


class Process:
    """One process, one call at a time."""

    def __init__(self, folder: Path, environment: Sequence[str] = ()) -> None:
        self.folder, self.environment = folder, environment
        self._turn = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._loaded = False
        self._lines: queue.Queue[str] = queue.Queue()
        self._calls = 0
        atexit.register(self.end)

    def ready(self) -> bool:
        """Whether it runs, after starting it if need be. The clock of a question starts after this."""
        if not self._turn.acquire(blocking=False):
            return True  # it is being used, or started; whoever asks waits for it within their own time
        try:
            if not self._ready(START):
                self._end()
            return self._loaded
        finally:
            self._turn.release()

    def _ready(self, seconds: float) -> bool:
        """Whether it can be asked, waiting up to so long until it has loaded; what is late goes on loading."""
        if self._running is None or self._running.poll() is not None:
            self._end()
            self._start()
        if self._loaded:
            return True
        try:
            self._loaded = bool(json.loads(self._lines.get(timeout=max(0.0, seconds))).get("ready"))
        except queue.Empty:
            return False
        except ValueError:  # it is dead
            self._end()
        return self._loaded

    def _start(self) -> None:
        self._lines = queue.Queue()
        self._running = subprocess.Popen(
            [sys.executable, "-m", "control_tower.model.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, encoding="utf-8", cwd=self.folder, env=self._surroundings(), start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=_listen, args=(self._running, self._lines), daemon=True).start()

    def _surroundings(self) -> dict[str, str]:
        known = {name: os.environ[name] for name in (*KNOWN, *self.environment) if name in os.environ}
        root = str(Path(control_tower.__file__).parent.parent)
        # Compiled once, here: the library has thousands of modules.
        return known | {"PYTHONPATH": root, "PYTHONPYCACHEPREFIX": str(self.folder / "compiled")}

    def complete(
        self, provider: Provider, messages: list[dict[str, str]], schema: Mapping[str, Any], seconds: float, tokens: int
    ) -> Reply:
        """One call, and never a second; over within `seconds`, whatever the provider or the process does."""
        until = time.monotonic() + seconds
        if not self._turn.acquire(timeout=max(0.0, seconds)):
            return Reply(Why.busy)
        try:
            if not self._ready(until - time.monotonic()):
                return Reply(Why.loading if self._running else Why.provider_error)
            self._calls += 1
            request = {
                "id": self._calls, "model": provider.model, "url": provider.url,
                "key": provider.key or ("none" if provider.url else None), "messages": messages, "schema": schema,
                "max_tokens": tokens, "seconds": max(0.0, until - time.monotonic()),
            }  # fmt: skip
            return self._answer(request, until)
        finally:
            self._turn.release()

    def _answer(self, request: dict[str, Any], until: float) -> Reply:
        running = self._running
        assert running is not None and running.stdin is not None  # noqa: S101 - made ready by the caller
        try:
            running.stdin.write(json.dumps(request) + "\n")
            running.stdin.flush()
            said = json.loads(self._lines.get(timeout=max(0.0, until - time.monotonic()) + GRACE))
        except queue.Empty:
            self._end()
            return Reply(Why.deadline)
        except (OSError, ValueError):
            self._end()
            return Reply(Why.provider_error)
        if said.get("last"):
            self._end()
        if said.get("id") != request["id"]:
            self._end()
            return Reply(Why.provider_error)
        why = Why(said["why"]) if said.get("why") else None
        return Reply(why, said.get("text", ""), _count(said.get("tokens_in")), _count(said.get("tokens_out")))

    def end(self) -> None:
        """End the process, if it runs."""
        self._end()

    def _end(self) -> None:
        running, self._running, self._loaded = self._running, None, False
        if running is not None:
            running.kill()
            running.wait()
            for pipe in (running.stdin, running.stdout):
                if pipe is not None:
                    _closed(pipe)


def _closed(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:  # what was still to be written to the dead
        return


def _listen(running: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert running.stdout is not None  # noqa: S101 - it is a pipe
    try:
        for line in running.stdout:
            lines.put(line)
    except (OSError, ValueError):
        pass  # closed from here
    lines.put("")  # no JSON: whoever waits learns that nothing more comes


def _count(given: object) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 1 << 31 else None


@lru_cache(maxsize=4)
def process_in(folder: Path, environment: tuple[str, ...]) -> Process:
    """The one process of a tower; nothing starts before it is asked."""
    return Process(folder, environment)
