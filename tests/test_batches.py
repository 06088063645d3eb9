"""Nothing is lost or doubled where many things are done in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_tower.batches import batches


@given(items=st.lists(st.integers(), max_size=40), size=st.integers(1, 12))
def test_the_parts_put_together_are_the_whole_and_none_is_larger_than_asked(items: list[int], size: int) -> None:
    parts = list(batches(items, size))
    assert [one for part in parts for one in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts[-1:])


@pytest.mark.parametrize("size", [0, -1])
def test_a_part_of_nothing_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="one thing at least"):
        batches([1, 2], size)
