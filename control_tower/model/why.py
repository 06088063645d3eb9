"""Why there is no answer of a model: a closed list, each with the words that a person reads."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """One reason. None of them carries text of a provider, which may hold keys or anything else."""

    not_configured = "not_configured"
    breaker = "breaker"
    budget = "budget"
    too_many = "too_many"
    busy = "busy"
    loading = "loading"
    deadline = "deadline"
    rate_limited = "rate_limited"
    unauthorised = "unauthorised"
    bad_request = "bad_request"
    provider_error = "provider_error"
    empty = "empty"
    refusal = "refusal"
    filtered = "filtered"
    truncated = "truncated"
    tool_call = "tool_call"
    schema = "schema"
    ungrounded = "ungrounded"
    changed = "changed"

    @property
    def words(self) -> str:
        """The reason as the end of a sentence: no model was used, because …"""
        return WORDS[self]

    @property
    def counts(self) -> bool:
        """Whether the model itself failed, so that the breaker counts it."""
        return self not in (Why.not_configured, Why.breaker, Why.budget, Why.too_many, *UNASKED, Why.changed)

    @property
    def lasts(self) -> bool:
        """Whether the very same question to the same model would end so again."""
        return self in (Why.refusal, Why.filtered, Why.truncated, Why.tool_call, Why.schema, Why.ungrounded, Why.empty)


UNASKED = (Why.busy, Why.loading)
"""Its turn came, and it was not asked: it cost nothing, and failed at nothing."""

WORDS = {
    Why.not_configured: "no model is configured",
    Why.breaker: "the model failed too often a short time ago",
    Why.budget: "the day's budget is spent",
    Why.too_many: "cases of a higher priority came first",
    Why.busy: "the model was busy with other cases",
    Why.loading: "what asks the model had not loaded in time",
    Why.deadline: "the model took too long",
    Why.rate_limited: "the provider asks to wait",
    Why.unauthorised: "the provider does not accept the key",
    Why.bad_request: "the provider does not accept the request",
    Why.provider_error: "the provider failed",
    Why.empty: "the model said nothing",
    Why.refusal: "the model refused",
    Why.filtered: "the provider's filter held the answer back",
    Why.truncated: "the answer was cut off",
    Why.tool_call: "the model called for a tool, and there is none",
    Why.schema: "the answer was not of the form that was asked for",
    Why.ungrounded: "the answer was not borne out by the evidence",
    Why.changed: "the evidence has changed since the model read it",
}
