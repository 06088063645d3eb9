"""Whether the model answers, and what it would cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from control_tower.errors import PolicyError
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import queue
from control_tower.model import Question, ask
from control_tower.model.asking import OVERHEAD, TOKENS, providers
from control_tower.model.calls import Calls, cost_of
from control_tower.model.prompts import Prompt
from control_tower.model.redaction import Redactor
from control_tower.nouns import Case, canonical
from control_tower.settings import Settings
from desk.doctor.finding import Finding

LETTERS = 4  # bytes of a token, as English and JSON come; a token has at least one
TYPICAL = 250  # tokens of an answer: ids and codes, and two quotes


class Well(BaseModel):
    """The answer of a model that can answer in a form."""

    model_config = ConfigDict(extra="forbid")
    well: Literal[True]


def model(tower: Settings) -> Iterator[Finding]:
    """Whether it answers, and what it would cost; waited for as long as a case would wait for it."""
    if not tower.model:
        yield Finding("model", "none: briefs come from templates (set TOWER_MODEL)")
        return
    found, fault = _asked(open_ledger(tower.ledger), tower)
    remedy = "see to TOWER_MODEL, TOWER_MODEL_URL and its key; briefs come from templates meanwhile" if fault else ""
    for part, what in found.items():
        yield Finding(f"model: {part}", str(what), remedy if part == "answers" else "")


def _asked(ledger: Ledger, tower: Settings) -> tuple[dict[str, Any], str]:
    """What is known of the model, and why it gives no answer if it gives none."""
    begun = time.monotonic()
    told = Prompt(name="doctor", version=1, text='Answer with the JSON object {"well": true} and nothing else.')
    now = datetime.now(UTC)
    asked = Question("doctor", "doctor", told, f"It is {now:%Y-%m-%d %H:%M:%S}.", now.isoformat(), Well, lambda _: "")
    reply = ask(ledger, tower, asked)
    seconds = time.monotonic() - begun
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spent = sum(cost for _, _, cost in Calls(ledger).since(midnight))
    answers = (
        f"{reply.model}, in {seconds:.1f} s with the start of its process"
        if reply.answer
        else f"no: {reply.why.words if reply.why else 'it said nothing'}"
    )
    return {
        "configured": ", then ".join(one.model for one in providers(tower)),
        "answers": answers,
        **_costs(ledger, tower),
        "spent today": _dollars(spent),
        "limits": f"USD {tower.model_dollars_a_day:.2f} a day, {tower.model_dollars_a_lane:.2f} a lane and day, "
        f"{tower.model_cases_a_run} cases a look, {tower.model_deadline:g} s a case",
    }, reply.why.words if reply.why else ""


def _costs(ledger: Ledger, tower: Settings) -> dict[str, Any]:
    """What it would cost to read every open case once, as it usually comes, and at most."""
    from tasks.exhibits import exhibits_of
    from tasks.selection import Selection, question

    sizes = []
    form = len(canonical(Selection.model_json_schema()))
    for row in queue(ledger):
        case = Case.model_validate(row.body)
        try:
            exhibits = exhibits_of(case)
        except PolicyError:  # the version that judged it is gone
            continue
        asked = question(case, exhibits, Redactor(b"", case.id, exhibits.own))
        sizes.append(len(canonical(asked.messages)) + form)
    prices = tower.model_price_in, tower.model_price_out
    usual = sum(cost_of(size // LETTERS + OVERHEAD, TYPICAL, *prices) for size in sizes)
    at_most = sum(cost_of(size + OVERHEAD, TOKENS, *prices) for size in sizes)
    limit = tower.model_dollars_a_day
    return {
        "open cases": len(sizes),
        "a day at this queue": f"about {_dollars(usual)}, at most {_dollars(at_most)}, if each is read once; "
        f"it stops at USD {limit:.2f}",
        "prices": f"USD {prices[0]:g} and {prices[1]:g} a million tokens in and out, as set",
    }


def _dollars(millionths: int) -> str:
    return f"USD {millionths / 1e6:.2f}"
