"""`tower settle`: what is in the air is read again, now."""

from __future__ import annotations

from desk.show import as_json, out, printable
from tasks.settle_effects import settle_open


def settle_effects(*, json: bool) -> None:
    """Read the stores again and say what came of it."""
    swept = settle_open()
    if json:
        as_json(swept.model_dump(mode="json"))
        return
    for effect in swept.settled:
        out.print(printable(f"{effect.key[:12]}: {effect.state} {effect.store_reference}"), markup=False)
    for key, why in (*swept.unknown, *swept.alarms):
        out.print(printable(f"{key[:12]}: {why}"), style="red", markup=False, highlight=False)
    if not swept.settled and not swept.unknown:
        out.print("nothing is in the air", markup=False)
