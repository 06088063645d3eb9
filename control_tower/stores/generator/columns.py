"""Arrow columns of the canonical types, made of whole arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator import catalogue as shelf
from control_tower.stores.generator.clock import Mask, Numbers
from control_tower.stores.reading import schema_of
from control_tower.stores.tables import kinds_of


def canonical_table(name: str, columns: Mapping[str, Any], observed_at: np.datetime64) -> pa.Table:
    """Canonical columns and types; one value alone is every row's, and a column that is not given is null."""
    schema = schema_of(kinds_of(name))
    rows = next(len(values) for values in columns.values() if not isinstance(values, str))
    columns = {**columns, "observed_at": np.full(rows, observed_at)}
    arrays = [column(columns.get(field.name), field.type, rows) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def customer_ids(customers: Numbers) -> pa.Array:
    """Customers as text, by number."""
    return joined("C", pa.array(customers).cast(pa.string()))


def sku_ids(sku: Numbers) -> pa.Array:
    """Products as text, by number."""
    return named(np.array([f"SKU-{code:03}" for code in range(1, shelf.SKUS + 1)]), sku)


def named(names: Numbers, number: Numbers, nothing: Mask | None = None) -> pa.Array:
    """Names by number, without a Python object for each row."""
    codes = pa.array(number.astype(np.int32), mask=nothing)
    return pa.DictionaryArray.from_arrays(codes, pa.array(names.tolist())).cast(pa.string())


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts put together, row by row."""
    return pc.binary_join_element_wise(*parts, "")


def column(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """One Arrow column of a type; nothing, or one text alone, is every row's."""
    if values is None or isinstance(values, str):
        return pa.repeat(pa.scalar(values, kind), rows)
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.timestamp("us")).cast(kind)
    return pa.array(values.tolist() if values.dtype.kind == "U" else values, kind)
