"""Shows the evidence form of a dispute: what is filled, from which rows, and what is missing, and who has it."""

from __future__ import annotations

from desk.show import as_json, table
from tasks.dispute_evidence import dispute_evidence
from tasks.disputed import disputed


def show_dispute(dispute: str, source: str, mapping: str | None, *, json: bool) -> None:
    """Print it; nothing is sent to anybody."""
    filled, missing = dispute_evidence(disputed(source, mapping, dispute))
    if json:
        as_json(
            {
                "filled": [one.model_dump(mode="json") for one in filled],
                "missing": [one.model_dump(mode="json") for one in missing],
            }
        )
        return
    rows = [(one.field, one.text, ", ".join(one.rests_on)) for one in filled]
    table(f"Dispute {dispute}: filled from evidence", ("field", "text", "rests on"), rows)
    table("Missing", ("field", "needs", "who has it"), [(one.field, one.needs, one.owner) for one in missing])
