"""Several sources laid over one another: `folder:EXPORT+tracking:FOLDER`. The first that has a table gives it.

Scans name the parcels of their own source. Where another source, before it, gives the parcels, a scan is moved to the
one parcel there that has its tracking code; codes are recycled, so where there are several, nobody knows which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from control_tower.errors import SourceError, nearest
from control_tower.joins import in_order, quoted
from control_tower.nouns import Shop
from control_tower.sources.chosen import of_orders
from control_tower.sources.observed import Observed
from control_tower.sources.protocol import Source

if TYPE_CHECKING:
    import duckdb

PARCEL = {"fulfillment_id": "VARCHAR", "order_id": "VARCHAR", "status": "VARCHAR", "tracking_code": "VARCHAR"}


class LayeredSource(Observed):
    """Sources, the first on top.

    Args:
        layers: in their order; the first says whose orders these are.
    """

    def __init__(self, layers: Sequence[Source]) -> None:
        self.layers = tuple(layers)

    @property
    def shop(self) -> Shop:
        """The shop of the first."""
        return self.layers[0].shop

    def tables(self) -> frozenset[str]:
        """What any of them has."""
        return frozenset[str]().union(*(layer.tables() for layer in self.layers))

    def columns(self, table: str) -> frozenset[str]:
        """The columns of the one that gives a table."""
        return self.layer(table).columns(table)

    def layer(self, table: str) -> Source:
        """The source that gives a table: the first that has it.

        Raises:
            SourceError: none has it.
        """
        for layer in self.layers:
            if table in layer.tables():
                return layer
        raise SourceError(f"has no table {table}", where="+".join(self._named()), remedy=nearest(table, self.tables()))

    def check_columns(self, table: str, known: Collection[str]) -> None:
        """As the one does that gives a table."""
        self.layer(table).check_columns(table, known)

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Mapping[str, str],
        orders: Sequence[str] | None = None,
    ) -> str:
        """SQL of a canonical table: see the protocol."""
        layer = self.layer(table)
        foreign = table == "shipment_events" and "fulfillments" in layer.tables()
        if not foreign or self.layer("fulfillments") is layer:
            return layer.relation(connection, table, columns, orders)
        moved = self._moved(connection, layer, columns)
        if orders is None:
            return moved
        return of_orders(connection, moved, orders, next(iter(columns)))

    def _moved(self, connection: duckdb.DuckDBPyConnection, layer: Source, columns: Mapping[str, str]) -> str:
        """SQL of the scans of a layer, each at the parcel of the layer that gives the parcels."""
        scans = layer.relation(connection, "shipment_events", columns)
        theirs = layer.relation(connection, "fulfillments", PARCEL)
        ours = self.layer("fulfillments").relation(connection, "fulfillments", PARCEL)
        moved = {
            "fulfillment_id": "ours.fulfillment_id",
            "order_id": "CASE WHEN ours.fulfillment_id IS NULL THEN scan.order_id ELSE ours.order_id END",
        }
        picked = ", ".join(f"{moved.get(name, 'scan.' + quoted(name))} AS {quoted(name)}" for name in columns)
        lost = "concat('fulfillment_id: no parcel, or more than one, has its tracking code ', theirs.tracking_code)"
        joined = (
            f"SELECT {picked}, nullif(concat_ws('; ', scan.unreadable,"
            f" CASE WHEN ours.fulfillment_id IS NULL THEN {lost} END), '') AS unreadable"
            f" FROM ({scans}) AS scan LEFT JOIN ({theirs}) AS theirs USING (fulfillment_id)"
            " LEFT JOIN (SELECT tracking_code, min(fulfillment_id) AS fulfillment_id, min(order_id) AS order_id"
            f" FROM ({ours}) WHERE status IS DISTINCT FROM 'cancelled' AND tracking_code IS NOT NULL"
            " GROUP BY tracking_code HAVING count(*) = 1) AS ours ON ours.tracking_code = theirs.tracking_code"
        )
        return in_order(joined, "source_id", next(iter(columns)))

    def _named(self) -> list[str]:
        return [layer.shop.id for layer in self.layers]
