"""Fanned out: what came of a look at many shops, shop by shop."""

from __future__ import annotations

from control_tower.keeping import Nouns
from control_tower.keeping.step import step
from control_tower.markdown import inert
from control_tower.nouns import Noun
from tasks.look_in_shop import ShopLook


class FannedOut(Noun):
    """A lane's looks at several shops, in the order of the shops' file."""

    lane: str
    looks: tuple[ShopLook, ...]

    @property
    def unwell(self) -> tuple[ShopLook, ...]:
        """The looks that did not complete."""
        return tuple(each for each in self.looks if not each.well)

    @property
    def markdown(self) -> str:
        """A row for each shop, for the artifact."""
        rows = [f"| {each.shop} | {each.state} | `{each.run_id}` | {inert(each.why)} |" for each in self.looks]
        return "\n".join(["| shop | look | run | why |", "|---|---|---|---|", *rows])


@step
def fanned_out(lane: str, looks: Nouns[ShopLook]) -> FannedOut:
    """Put the looks together."""
    return FannedOut(lane=lane, looks=tuple(looks))
