"""The form that a person fills in to resume a run, and the rows by which Prefect shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from prefect.client.schemas.objects import State
from prefect.input import RunInput, keyset_from_base_key, keyset_from_paused_state
from prefect.states import Suspended
from pydantic import ConfigDict, Field, SecretStr, ValidationError

PATIENCE = timedelta(days=30)
PREFIX = "suspended-"
VERDICTS = ("approve", "reject")


def _nothing_or_all(schema: dict[str, Any]) -> None:
    """Left empty, a form is a mere wake-up; else it names the person, the proof and the verdict."""
    needed = ("approver", "code", "ruling")
    schema["dependentRequired"] = {name: [other for other in needed if other != name] for name in schema["properties"]}
    for field_schema in schema["properties"].values():
        field_schema.pop("default", None)  # a field that a person did not touch is not sent


def _drop_down(*choices: str) -> Callable[[dict[str, Any]], None]:
    def shown(schema: dict[str, Any]) -> None:
        schema.pop("anyOf", None)
        schema |= {"type": "string", "enum": list(choices)}

    return shown


def _number(schema: dict[str, Any]) -> None:
    schema.pop("anyOf", None)
    schema |= {"type": "number", "exclusiveMinimum": 0}


class RulingForm(RunInput):
    """Your ruling. Left empty, it only wakes the run, which then looks for a ruling in the ledger."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_nothing_or_all, hide_input_in_errors=True)

    # Titles and no descriptions: on a small screen Prefect's form takes its room from the evidence above it.
    approver: str = Field("", title="Approver: your enrolled name")
    code: SecretStr = Field(SecretStr(""), title="One-time code: six digits, good once")
    ruling: str | None = Field(None, max_length=80, json_schema_extra=_drop_down(*VERDICTS))
    amount: Decimal | None = Field(None, title="Amount, if less than proposed", json_schema_extra=_number)
    reason: str = Field("", title="Reason: a rejection needs words", max_length=2000)


@dataclass(frozen=True)
class FormAnswer:
    """What was typed into the form. The code is never shown."""

    approver: str
    code: str = field(repr=False)
    verdict: str
    reason: str
    why: str = ""
    amount: Decimal | None = None


def form_rows(base_key: str, description: str, reasons: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """The rows that make Prefect show the form at a pause: key and JSON text, schema first.

    Args:
        reasons: the rulings to choose from, each a verdict and perhaps the code of a reason: `reject: other`.
    """
    keyset = keyset_from_base_key(PREFIX + base_key)
    schema = RulingForm.model_json_schema()
    if reasons:
        _drop_down(*reasons)(schema["properties"]["ruling"])
    yield keyset["schema"], json.dumps(schema)
    yield keyset["description"], json.dumps(description)


def response_key(base_key: str) -> str:
    """Where Prefect puts what was typed into the form of a pause."""
    return keyset_from_base_key(PREFIX + base_key)["response"]


def suspended(base_key: str, timeout: timedelta) -> State[Any]:
    """The state of a run that waits at this pause with its form."""
    state: State[Any] = Suspended(timeout_seconds=int(timeout.total_seconds()), pause_key=base_key)
    state.state_details.run_input_keyset = {str(name): key for name, key in keyset_from_paused_state(state).items()}
    return state


def understood(text: str) -> FormAnswer | None:
    """The answer in a response row; None when it was written past the form and is not whole."""
    try:
        form = RulingForm.model_validate_json(text)
    except ValidationError:
        return None
    verdict, _, why = (form.ruling or "").partition(": ")
    if verdict not in VERDICTS:
        return None
    return FormAnswer(form.approver, form.code.get_secret_value(), verdict, form.reason, why, form.amount)
