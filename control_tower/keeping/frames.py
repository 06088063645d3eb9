"""Kept frames as pandas."""

from __future__ import annotations

from typing import Any


def as_pandas(table: Any) -> Any:
    """A pyarrow table as pandas: Arrow text, nullable integers and booleans, UTC microseconds, days as datetime64."""
    import pandas as pd
    import pyarrow as pa

    kinds = {
        pa.int64(): pd.Int64Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.float64(): pd.Float64Dtype(),
    }
    text = pd.StringDtype("pyarrow")

    def kind(arrow: Any) -> Any:
        return text if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) else kinds.get(arrow)

    return table.to_pandas(types_mapper=kind, date_as_object=False, split_blocks=True, self_destruct=True)
