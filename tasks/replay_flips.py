"""What a replay under another policy finds and proposes otherwise, counted from the frames of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from control_tower.keeping import Address, Archive
from control_tower.keeping.records import Record
from control_tower.nouns import Noun

if TYPE_CHECKING:
    import pandas as pd

ON = ["subject", "kind"]
ASKED = ["subject", "action", "target"]


class Turning(Noun):
    """How the answers about one kind differ, in subjects. One that was or becomes unknown counts as that."""

    found_before: int
    found_after: int
    newly_found: int
    no_longer_found: int
    became_unknown: int
    became_known: int


class Asking(Noun):
    """How the proposals of one action differ; on the same target with another amount, one is amended."""

    gained: int
    lost: int
    amended: int


class Turnings(Noun):
    """Everything that another policy finds and proposes otherwise; kinds and actions of which nothing differs too."""

    kinds: dict[str, Turning]
    proposals: dict[str, Asking]


def turnings(archive: Archive, records: Sequence[Record], moved: Mapping[Address, Address]) -> Turnings:
    """Count the differences between what was found and proposed then, and now."""
    found, asked = (_result(records, step) for step in ("judge", "recommend"))
    return Turnings(
        kinds=_kinds(*(_frame(archive, each) for each in (found, moved[found]))),
        proposals=_proposals(*(_frame(archive, each) for each in (asked, moved[asked]))),
    )


def _result(records: Sequence[Record], step: str) -> Address:
    return next(record.outputs["result"] for record in records if record.step == step)


def _frame(archive: Archive, address: Address) -> pd.DataFrame:
    return archive.frame(archive.described("", archive.local(address), address[1]))


def _kinds(was: pd.DataFrame, now: pd.DataFrame) -> dict[str, Turning]:
    both = was[[*ON, "answer"]].merge(now[[*ON, "answer"]], on=ON, how="outer", suffixes=("_was", "_now")).fillna("no")
    return {str(kind): _turning(rows["answer_was"], rows["answer_now"]) for kind, rows in both.groupby("kind")}


def _turning(was: Any, now: Any) -> Turning:
    unknown_then, unknown_now = was == "unknown", now == "unknown"
    return Turning(
        found_before=int((was == "yes").sum()),
        found_after=int((now == "yes").sum()),
        newly_found=int(((was == "no") & (now == "yes")).sum()),
        no_longer_found=int(((was == "yes") & (now == "no")).sum()),
        became_unknown=int((~unknown_then & unknown_now).sum()),
        became_known=int((unknown_then & ~unknown_now).sum()),
    )


def _proposals(was: pd.DataFrame, now: pd.DataFrame) -> dict[str, Asking]:
    columns = [*ASKED, "amount", "currency"]
    both = was[columns].merge(now[columns], on=ASKED, how="outer", suffixes=("_was", "_now"), indicator=True)
    kept = both["_merge"] == "both"
    alike = (both["amount_was"] == both["amount_now"]) | (both["amount_was"].isna() & both["amount_now"].isna())
    both["gained"], both["lost"] = both["_merge"] == "right_only", both["_merge"] == "left_only"
    both["amended"] = kept & ~alike.fillna(False).astype(bool)
    return {str(action): _asking(rows) for action, rows in both.groupby("action")}


def _asking(rows: pd.DataFrame) -> Asking:
    return Asking(gained=int(rows["gained"].sum()), lost=int(rows["lost"].sum()), amended=int(rows["amended"].sum()))
