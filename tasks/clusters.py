"""Clusters of what customers mean: a product that lately comes back with the same words, against its own past.

The codes that a shop's form offers are one thing, and what customers write is another. Here their words are read, by
the meanings on paper, in any of its languages; what is unusual is found as the returns lane finds it: returns for each
day on which a sold unit could come back, a binomial test, and no more chance finds than the policy allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field

from control_tower.nouns import Noun
from policies.meanings import meanings
from tasks.reading import read_by_paper

if TYPE_CHECKING:
    import pandas as pd

RECENT = timedelta(days=14)
PAST = timedelta(days=194)
ABROAD = timedelta(days=45)  # a unit sold can come back for so long: the window, and a fortnight under way
EXAMPLES = 3


class Cluster(Noun):
    """What customers lately mean of one product more often than they used to, and whose it is."""

    sku: str
    meaning: str
    means: str
    team: str
    recently: int
    expected: float = Field(description="how often that would be by the product's own past")
    q: float = Field(description="the false-discovery rate at which it would count")
    words: tuple[str, ...] = Field(description="some of the words that say so")


def clusters(returns: pd.DataFrame, lines: pd.DataFrame, as_of: datetime, rate: float) -> list[Cluster]:
    """Every cluster whose q is at most `rate`, the surest first.

    Args:
        returns: one row a return: sku, reason_text, requested_at (UTC); more columns are not read.
        lines: one row a line that was sold: sku, quantity, placed_at (UTC).
        as_of: nothing at or after it is read.
        rate: the share of what is found that may be chance; the returns policy has it.
    """
    from scipy.stats import binom, false_discovery_control

    said = _said(returns[returns["reason_text"].notna()], as_of)
    if said.empty:
        return []
    exposed = _exposed(lines, as_of)
    counted = said.groupby(["sku", "meaning"], as_index=False).agg(
        recently=("recent", "sum"), in_all=("recent", "size")
    )
    tested = counted.merge(exposed, on="sku")
    tested = tested[(tested["now"] > 0) & (tested["before"] > 0)]
    if tested.empty:
        return []
    share = tested["now"] / (tested["now"] + tested["before"])
    chance = binom.sf(tested["recently"] - 1, tested["in_all"], share)
    tested = tested.assign(
        expected=(tested["in_all"] - tested["recently"]) * tested["now"] / tested["before"],
        q=false_discovery_control(chance, method="bh"),
    )
    found = tested[tested["q"] <= rate].sort_values(["q", "sku", "meaning"], kind="stable")
    known = meanings().by_id
    rows: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]
    return [
        Cluster(
            sku=row["sku"],
            meaning=row["meaning"],
            means=known[row["meaning"]].means,
            team=known[row["meaning"]].team,
            recently=int(row["recently"]),
            expected=round(float(row["expected"]), 3),
            q=float(row["q"]),
            words=_words(said, row["sku"], row["meaning"]),
        )
        for row in rows
    ]


def _said(returns: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """One row for each return and meaning of its words: sku, meaning, words, recent. A text is read once."""
    import pandas as pd

    in_time = returns[(returns["requested_at"] >= as_of - PAST) & (returns["requested_at"] < as_of)]
    read: Mapping[str, list[tuple[str, str]]] = {
        text: [(one.meaning, one.words) for one in read_by_paper(str(text), ("return_reason",))]
        for text in in_time["reason_text"].unique()
    }
    rows = in_time.assign(read=in_time["reason_text"].map(read), recent=in_time["requested_at"] >= as_of - RECENT)
    rows = rows[["sku", "recent", "read"]].explode("read").dropna(subset=["read"])
    return rows.assign(
        meaning=pd.Series([each[0] for each in rows["read"]], index=rows.index, dtype="str"),
        words=pd.Series([each[1] for each in rows["read"]], index=rows.index, dtype="str"),
    )


def _exposed(lines: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """For each product, the days on which its sold units could come back: of late (`now`), and `before`."""
    import pandas as pd

    recent, past = pd.Timestamp(as_of - RECENT), pd.Timestamp(as_of - PAST)
    placed: Any = lines["placed_at"]
    ends = placed + ABROAD
    now = (ends.clip(upper=pd.Timestamp(as_of)) - placed.clip(lower=recent)).dt.total_seconds().clip(lower=0)
    before = (ends.clip(upper=recent) - placed.clip(lower=past)).dt.total_seconds().clip(lower=0)
    days = pd.DataFrame(
        {"sku": lines["sku"], "now": now * lines["quantity"] / 86_400, "before": before * lines["quantity"] / 86_400}
    )
    return days.groupby("sku", as_index=False).sum()


def _words(said: pd.DataFrame, sku: str, meaning: str) -> tuple[str, ...]:
    mine = said[(said["sku"] == sku) & (said["meaning"] == meaning) & said["recent"]]
    return tuple(mine["words"].value_counts().head(EXAMPLES).index)
