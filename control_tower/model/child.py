"""The process that speaks to providers: requests come as JSON lines, and each gets one line back, in time.

It is the only place that loads litellm. Nothing is retried here. A provider that is silent is given up on by the
library's timeout for each read; one that goes on sending is told as late, and then this process ends itself, for there
is no other way to stop listening. It never prints: a provider's text may hold a key.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
from contextlib import suppress
from typing import Any

MEMORY = 6 << 30  # bytes of address space: a provider that sends without end ends this process alone
SILENCE = 0.95  # of the time that is left, for the library's own timeout
LONGEST = 64_000  # characters of an answer
FAULTS = {
    "Timeout": "deadline",
    "APITimeoutError": "deadline",
    "RateLimitError": "rate_limited",
    "AuthenticationError": "unauthorised",
    "PermissionDeniedError": "unauthorised",
    "BadRequestError": "bad_request",
    "NotFoundError": "bad_request",
    "UnprocessableEntityError": "bad_request",
    "ContextWindowExceededError": "bad_request",
    "UnsupportedParamsError": "bad_request",
    "ContentPolicyViolationError": "filtered",
}
FINISHED = {
    "length": "truncated",
    "content_filter": "filtered",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
}


def main() -> None:
    """Answer requests until the input ends."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    # Before the import: no price map is fetched, no .env is read.
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    import litellm

    litellm.suppress_debug_info = True
    litellm.drop_params = True
    # A first call loads what the import did not; nobody listens on this port, and no case waits for it.
    _asked({"model": "openai/none", "url": "http://127.0.0.1:1/v1", "key": "none", "messages": [], "schema": {},
            "max_tokens": 1, "seconds": 1})  # fmt: skip
    _say(answers, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        said: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=lambda asked, to: to.put(_asked(asked)), args=(request, said), daemon=True).start()
        try:
            _say(answers, said.get(timeout=request["seconds"]) | {"id": request["id"]})
        except queue.Empty:
            _say(answers, {"why": "deadline", "id": request["id"], "last": True})
            break
    os._exit(0)  # threads that wait on a provider are not waited for


def _say(to: Any, what: dict[str, Any]) -> None:
    to.write(json.dumps(what) + "\n")
    to.flush()


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    import litellm

    try:
        response = litellm.completion(
            model=request["model"],
            api_base=request["url"],
            api_key=request["key"],
            messages=request["messages"],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request["schema"], "strict": True},
            },
            max_tokens=request["max_tokens"],
            temperature=0,
            timeout=SILENCE * request["seconds"],
            max_retries=0,
        )
        return read(response)
    except Exception as fault:  # noqa: BLE001 - whatever a provider or the library throws is a failed try
        kinds = [kind.__name__ for kind in type(fault).__mro__]
        return {"why": next((FAULTS[kind] for kind in kinds if kind in FAULTS), "provider_error")}


def read(response: Any) -> dict[str, Any]:
    """What a response says, or why it is no answer. A library that returns normally has not checked any of this."""
    usage = getattr(response, "usage", None)
    spent = {
        "tokens_in": getattr(usage, "prompt_tokens", None),
        "tokens_out": getattr(usage, "completion_tokens", None),
    }
    if not response.choices:
        return spent | {"why": "empty"}
    choice = response.choices[0]
    message = choice.message
    hidden = getattr(message, "provider_specific_fields", None) or {}
    if getattr(message, "tool_calls", None) or getattr(message, "function_call", None):
        return spent | {"why": "tool_call"}
    if getattr(message, "refusal", None) or hidden.get("refusal"):
        return spent | {"why": "refusal"}
    if choice.finish_reason != "stop":
        return spent | {"why": FINISHED.get(str(choice.finish_reason), "truncated")}
    text = message.content
    if not isinstance(text, str) or not text.strip():
        return spent | {"why": "empty"}
    if len(text) > LONGEST:
        return spent | {"why": "schema"}
    return spent | {"why": "", "text": text}


if __name__ == "__main__":
    main()
