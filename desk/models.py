"""`tower case ID --prompts`: what models were sent, and what they said."""

from __future__ import annotations

from control_tower.ledger import open_ledger
from control_tower.ledger.dossiers import dossier
from control_tower.model.calls import Calls
from control_tower.settings import settings
from desk.show import as_json, out, printable


def show_prompts(handle: str, *, json: bool) -> None:
    """Every try about a case: model, prompt, outcome, cost, and each character that was sent and received."""
    ledger = open_ledger(settings().ledger)
    case = dossier(ledger, handle).case
    calls = Calls(ledger).of_case(case.id)
    if json:
        as_json({"case": case.id, "prompts": [call.model_dump(mode="json") for call in calls]})
        return
    if not calls:
        out.print(f"nothing about {case.id} was sent to a model", markup=False, highlight=False)
    for call in calls:
        about = f"{call.at:%Y-%m-%d %H:%M:%S} UTC · {call.model} · {call.prompt} · {call.outcome}"
        out.print(f"{about} · {call.milliseconds} ms · USD {call.cost / 1e6:.4f}", markup=False, highlight=False)
        for message in call.sent:
            out.print(f"{message['role']}:\n{printable(str(message['content']))}", markup=False, highlight=False)
        out.print(f"received:\n{printable(call.received) or '-'}", markup=False, highlight=False)
