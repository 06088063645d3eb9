"""Rest: which orders a later look has to look at again though none of their rows changed, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import data_contracts
from control_tower.joins import joins, literal, quoted
from control_tower.keeping import Archive, Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import as_json
from control_tower.settings import Settings, settings
from policies import Policy
from policies.rest import at_rest
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd


@step
def rest(facts: Kept, accepted: Accepted, policy: Policy, as_of: datetime) -> Kept:
    """The orders that are not at rest, one row each: see `restless`."""
    return restless(facts, accepted, policy, as_of)


def restless(facts: Kept, accepted: Accepted, policy: Policy, as_of: datetime) -> Kept:
    """The orders that a later look has to look at, whether or not their rows change.

    Those of which time alone can change what is found; those with a row that was set aside, which comes back when it
    is corrected, or when its double is; and those with a status that holds from a later moment on.
    """
    tower = settings()
    archive = open_archive(tower.artifacts)
    known = archive.frame(facts, list(policy.columns))
    moving = known.loc[~at_rest(policy, known, as_of), policy.subject]
    return archive.keep_frame("restless", _named([moving, *_set_aside(archive, accepted), _later(accepted, tower)]))


def _set_aside(archive: Archive, accepted: Accepted) -> list[pd.Series[str]]:
    return [
        archive.frame(kept, ["order_id"])["order_id"]
        for kept in accepted.quarantine.values()
        if "order_id" in kept.columns
    ]


def _later(accepted: Accepted, tower: Settings) -> pd.Series[str]:
    """The orders of rows whose status is dated later than the look."""
    archive, moment = open_archive(tower.artifacts), f"TIMESTAMPTZ {literal(as_json(accepted.as_of))}"
    dated = [table for table in accepted.frames if "status_at" in data_contracts.load(table).columns]
    rows = [
        f"SELECT order_id FROM read_parquet({literal(archive.location(accepted.frames[table]))})"
        f" WHERE {quoted('status_at')} > {moment}"
        for table in dated
    ]
    with joins(tower) as connection:
        found: pd.Series[str] = connection.sql(
            " UNION ALL ".join(rows or ["SELECT NULL AS order_id WHERE false"])
        ).df()["order_id"]
    return found


def _named(several: list[pd.Series[str]]) -> pd.DataFrame:
    import pandas as pd

    orders = pd.concat([each.astype("str") for each in several], ignore_index=True).dropna()
    return pd.DataFrame({"order_id": orders.drop_duplicates().sort_values(ignore_index=True)})
