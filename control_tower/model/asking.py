"""Asking: one question, one deadline over all tries, and an answer of the asked form, or why there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from control_tower.ledger import Ledger
from control_tower.model.calls import Calls, cost_of
from control_tower.model.process import Process, Provider, Reply, process_in
from control_tower.model.prompts import Prompt
from control_tower.model.tables import ModelCall
from control_tower.model.why import UNASKED, Why
from control_tower.nouns import canonical, digest_of
from control_tower.settings import Settings

T = TypeVar("T", bound=BaseModel)
TOKENS = 1200  # of an answer
OVERHEAD = 200  # tokens that a provider may add to what is sent
WITHIN = 0.95  # of the deadline is for the models; the rest is for writing down what came
FIRST_SHARE = 0.6  # of the time that is left, for the first of two models


@dataclass(frozen=True)
class Question(Generic[T]):
    """What is asked about a case, the form of the answer, and what the answer is held against.

    `check` says what the evidence does not bear out, or nothing. If it throws, the answer is refused.
    """

    lane: str
    case_id: str
    prompt: Prompt
    content: str
    evidence: str
    form: type[T]
    check: Callable[[T], str]

    @property
    def messages(self) -> list[dict[str, str]]:
        """What is sent, whole."""
        return [{"role": "system", "content": self.prompt.text}, {"role": "user", "content": self.content}]

    def key(self, model: str) -> str:
        """What makes two questions the same: prompt, model, evidence, and every character that is sent."""
        return digest_of([self.prompt.reference, model, self.evidence, self.messages, self.form.model_json_schema()])


@dataclass(frozen=True)
class Answered(Generic[T]):
    """An answer that holds, and whose it is; or, without one, why."""

    answer: T | None
    why: Why | None
    model: str = ""
    again: bool = False
    """It was asked before, and the kept answer was read again."""


def providers(tower: Settings) -> list[Provider]:
    """The models to ask, in turn; none where none is configured."""
    named = (
        (tower.model, tower.model_url, tower.model_key),
        (tower.model_fallback, tower.model_fallback_url, tower.model_fallback_key),
    )
    return [Provider(model, url, key.get_secret_value() if key else None) for model, url, key in named if model]


def ask(ledger: Ledger, tower: Settings, question: Question[T]) -> Answered[T]:
    """Put a question to the configured models. What is kept is read again before anybody is asked.

    The deadline is wall-clock time over every try of every model; loading the library, once a process, is not in it.
    """
    asked = providers(tower)
    if not asked:
        return Answered(None, Why.not_configured)
    calls = Calls(ledger)
    unasked: list[Provider] = []
    failed: Why | None = None
    for one in asked:
        kept = calls.settled(question.key(one.model))
        if kept is None:
            unasked.append(one)
            continue
        answer, failed = understood(question, kept.received)
        if answer is not None:
            return Answered(answer, None, one.model, again=True)
        if kept.outcome != "answered":
            failed = Why(kept.outcome)
    willing = [one for one in unasked if not calls.resting(one.model, datetime.now(UTC))]
    if not willing:
        return Answered(None, failed if not unasked else Why.breaker, again=not unasked)
    process = process_in(tower.folder, tower.model_environment)
    if not process.ready():
        return Answered(None, Why.provider_error)
    why: Why | None = None
    for provider, seconds in _turns(willing, WITHIN * tower.model_deadline):
        answer, why = _try(calls, tower, process, provider, question, seconds)
        if answer is not None:
            return Answered(answer, None, provider.model)
    return Answered(None, why or Why.deadline)


def _turns(willing: list[Provider], deadline: float) -> Iterator[tuple[Provider, float]]:
    until = time.monotonic() + deadline
    for place, provider in enumerate(willing):
        left = until - time.monotonic()
        if left > 0:
            yield provider, left * (FIRST_SHARE if place + 1 < len(willing) else 1)


def _try(
    calls: Calls, tower: Settings, process: Process, provider: Provider, question: Question[T], seconds: float
) -> tuple[T | None, Why | None]:
    begun = time.monotonic()
    schema = question.form.model_json_schema()
    # A token is a byte or more, and a provider adds a few of its own.
    most_in = len(canonical([question.messages, schema])) + OVERHEAD
    at_most = cost_of(most_in, TOKENS, tower.model_price_in, tower.model_price_out)
    call = ModelCall(
        key=question.key(provider.model), lane=question.lane, case_id=question.case_id,
        prompt=question.prompt.reference, model=provider.model, evidence=question.evidence,
        sent=list(question.messages), outcome="asked", cost=at_most, at=datetime.now(UTC),
    )  # fmt: skip
    id = calls.reserve(call, tower.model_dollars_a_day, tower.model_dollars_a_lane)
    if id is None:
        return None, Why.budget
    left = seconds - (time.monotonic() - begun)
    reply = process.complete(provider, question.messages, schema, left, TOKENS)
    answer, why = understood(question, reply.text) if reply.why is None else (None, reply.why)
    calls.settle(
        id,
        received=reply.text,
        outcome=why.value if why else "answered",
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        cost=_spent(reply, most_in, at_most, tower),
        milliseconds=round((time.monotonic() - begun) * 1000),
    )
    return answer, why


def _spent(reply: Reply, most_in: int, at_most: int, tower: Settings) -> int:
    """What a try cost: as counted where the count can be true, nothing where nothing was done, else the most."""
    if reply.tokens_in is not None and reply.tokens_out is not None:
        if 0 < reply.tokens_in <= most_in and reply.tokens_out <= TOKENS:
            return cost_of(reply.tokens_in, reply.tokens_out, tower.model_price_in, tower.model_price_out)
        return at_most
    free = (Why.rate_limited, Why.unauthorised, Why.bad_request, *UNASKED)
    return 0 if reply.why in free else at_most


def understood(question: Question[T], text: str) -> tuple[T | None, Why | None]:
    """The answer in a text, or why it is none. The same text is always understood alike, so a try can be replayed."""
    try:
        answer = question.form.model_validate_json(text, strict=True)
    except (ValidationError, ValueError, RecursionError):
        return None, Why.schema
    try:
        return (None, Why.ungrounded) if question.check(answer) else (answer, None)
    except Exception:  # noqa: BLE001 - a check that fails on an answer has not passed it
        return None, Why.ungrounded


def replayed(question: Question[T], call: ModelCall) -> Any:
    """How a kept try ends when it is read again: the answer, or why there is none."""
    answer, why = understood(question, call.received)
    return answer if answer is not None else why
