"""Neighbourhood: the orders that a case's orders share something with, up to two steps away, and a picture of it.

What is shared is an account, a mail address, a card, a device, a network address or a delivery address. Nothing
at or after `as_of` is linked. A link says that two orders share something, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_tower.joins import joins, literal
from control_tower.keeping import Address, Kept
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Link, Noun, as_json
from control_tower.settings import settings
from tasks.picture import picture
from tasks.validate import Accepted

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12
"""So many orders of each thing that is shared are named; of the others, how many they are."""
HUB = 25
"""What more orders share than this, as the network address of an office, leads to no second step."""


class Neighbourhoods(Noun):
    """The links of every case as one frame, and the digest of each case's picture; a case without links has none."""

    links: Kept
    pictures: dict[str, str]

    @property
    def kept_files(self) -> dict[str, Address]:
        """Where the pictures are kept."""
        return {case: ("pictures", digest, "svg") for case, digest in self.pictures.items()}

    @property
    def markdown(self) -> str:
        """How many there are, for the artifact."""
        return f"{len(self.pictures):,} cases share something with other orders, {self.links.rows:,} links"


@step
def link(scored: Kept, accepted: Accepted) -> Neighbourhoods:
    """Find the orders that share something with each case's orders, and draw them.

    Returns:
        The kept links, one row for each case, thing that is shared, and order that shares it (`SHOWN` of each):
        case_id, hop (1 or 2), shares, value, orders (how many share it in all), order_id, own (of the case).
    """
    archive = open_archive(settings().artifacts)
    found = _links(archive.frame(scored, ["id", "orders"]), accepted)
    pictures = {
        str(case): archive.keep_bytes("pictures", picture(linked_of(rows)), "svg")
        for case, rows in found.groupby("case_id", sort=True)
    }
    return Neighbourhoods(links=archive.keep_frame("links", found), pictures=pictures)


def linked_of(rows: pd.DataFrame) -> tuple[Link, ...]:
    """The links of one case, as they are told."""
    return tuple(
        Link(
            hop=int(alike["hop"].iloc[0]),
            shares=str(alike["shares"].iloc[0]),
            value=str(alike["value"].iloc[0]),
            orders=int(alike["orders"].iloc[0]),
            own=tuple(alike.loc[alike["own"], "order_id"]),
            others=tuple(alike.loc[~alike["own"], "order_id"]),
        )
        for _, alike in rows.groupby(["hop", "shares", "value"], sort=True)
    )


def _links(cases: pd.DataFrame, accepted: Accepted) -> pd.DataFrame:
    import pandas as pd

    tower = settings()
    archive = open_archive(tower.artifacts)
    own = cases.explode("orders").dropna().rename(columns={"id": "case_id", "orders": "order_id"}).astype("str")
    if not {"orders", "risk_signals"} <= set(accepted.frames) or own.empty:
        columns = {"case_id": "str", "hop": "int32", "shares": "str", "value": "str", "orders": "int64"}
        return pd.DataFrame(
            {name: pd.Series(dtype=kind) for name, kind in (columns | {"order_id": "str", "own": "bool"}).items()}
        )
    with joins(tower) as connection:
        connection.register("own", own)
        for table in ("orders", "risk_signals"):
            path = literal(archive.location(accepted.frames[table]))
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({path}) WHERE visible")
        connection.execute(f"CREATE MACRO as_of() AS TIMESTAMPTZ {literal(as_json(accepted.as_of))}")
        found: pd.DataFrame = connection.execute(LINKS).df()
        return found.astype({"own": "bool"})


LINKS = f"""
WITH told AS (
    SELECT
        order_id,
        arg_max(email_hash, (recorded_at, signal_id)) AS email,
        arg_max(card_fingerprint, (recorded_at, signal_id)) AS card,
        arg_max(device_id, (recorded_at, signal_id)) AS device,
        arg_max(ip_hash, (recorded_at, signal_id)) AS ip,
        arg_max(shipping_hash, (recorded_at, signal_id)) AS address
    FROM risk_signals WHERE recorded_at < as_of() GROUP BY order_id
),
placed AS (
    SELECT o.order_id, o.placed_at, o.customer_id AS customer, t.* EXCLUDE (order_id)
    FROM orders AS o LEFT JOIN told AS t USING (order_id) WHERE o.placed_at < as_of()
),
identified AS (
    UNPIVOT placed ON customer, email, card, device, ip, address INTO NAME shares VALUE value
),
shared AS (
    SELECT *, count(*) OVER (PARTITION BY shares, value) AS orders FROM identified
    QUALIFY count(*) OVER (PARTITION BY shares, value) > 1
),
near AS (
    SELECT DISTINCT o.case_id, s.shares, s.value FROM own AS o JOIN shared AS s USING (order_id)
),
first_step AS (
    SELECT n.case_id, 1 AS hop, s.shares, s.value, s.orders, s.order_id, s.placed_at, o.order_id IS NOT NULL AS own
    FROM near AS n
    JOIN shared AS s USING (shares, value)
    LEFT JOIN own AS o ON o.case_id = n.case_id AND o.order_id = s.order_id
    QUALIFY row_number() OVER (
        PARTITION BY n.case_id, s.shares, s.value, own ORDER BY s.placed_at DESC, s.order_id
    ) <= {SHOWN}
),
neighbours AS (
    SELECT DISTINCT case_id, order_id FROM first_step WHERE NOT own
),
far AS (
    SELECT DISTINCT n.case_id, s.shares, s.value
    FROM neighbours AS n
    JOIN shared AS s USING (order_id)
    ANTI JOIN near AS x ON x.case_id = n.case_id AND x.shares = s.shares AND x.value = s.value
    WHERE s.orders <= {HUB}
),
second_step AS (
    SELECT f.case_id, 2 AS hop, s.shares, s.value, s.orders, s.order_id, s.placed_at, n.order_id IS NOT NULL AS own
    FROM far AS f
    JOIN shared AS s USING (shares, value)
    LEFT JOIN neighbours AS n ON n.case_id = f.case_id AND n.order_id = s.order_id
    QUALIFY row_number() OVER (
        PARTITION BY f.case_id, s.shares, s.value, own ORDER BY s.placed_at DESC, s.order_id
    ) <= {SHOWN}
)
SELECT case_id, hop, shares, value, orders, order_id, own
FROM (SELECT * FROM first_step UNION ALL SELECT * FROM second_step)
ORDER BY case_id, hop, shares, value, own DESC, placed_at, order_id
"""
