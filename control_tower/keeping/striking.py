"""Striking a person out: of a text, of JSON content, and of the rows of a frame that are theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

STRUCK = "[erased]"
SHORTEST_NAME, SHORTEST_QUOTE = 4, 12
"""Characters below which a value is a word that anybody may use."""


@dataclass(frozen=True)
class Person:
    """Somebody to be struck out, and what stands in their place.

    Args:
        names: values that say who they are: their customer id, hashes of their address, card, device.
        words: what they wrote.
        keys: ids of what is theirs: their customer id, orders, returns, subscriptions.
    """

    instead: str
    names: frozenset[str]
    words: frozenset[str]
    keys: frozenset[str]

    @cached_property
    def _named(self) -> re.Pattern[str] | None:
        names = sorted((name for name in self.names if len(name) >= SHORTEST_NAME), key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None

    @cached_property
    def _said(self) -> tuple[str, ...]:
        return tuple(sorted((said for said in self.words if said.strip()), key=len, reverse=True))

    def struck(self, text: str) -> str:
        """The text without the person: their names by what stands in their place, their words by nothing."""
        for said in self._said:
            if text == said or (len(said) >= SHORTEST_QUOTE and said in text):
                text = text.replace(said, STRUCK)
            elif len(text) >= SHORTEST_QUOTE and " " in text and text in said:
                return STRUCK  # a quote of theirs
        return self._named.sub(self.instead, text) if self._named else text

    @cached_property
    def _theirs(self) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(self.keys | self.names)))})(?!\w)")

    def is_mentioned_in(self, text: str) -> bool:
        """Whether a text names them, or something that is theirs."""
        return bool(self._theirs.search(text))

    def struck_noun(self, content: Any) -> Any:
        """A kept noun without the person; of many nouns, those that are about them, for others may write the same."""
        if isinstance(content, list):
            return [self.struck_noun(each) for each in content]
        mentioned = self.is_mentioned_in(json.dumps(content, ensure_ascii=False, default=str))
        return self.struck_content(content) if mentioned else content

    def struck_content(self, content: Any) -> Any:
        """JSON content without the person."""
        if isinstance(content, str):
            return self.struck(content)
        if isinstance(content, dict):
            return {self.struck(name): self.struck_content(value) for name, value in content.items()}
        return [self.struck_content(value) for value in content] if isinstance(content, list) else content

    def struck_table(self, table: pa.Table, identifying: Collection[str], words: Collection[str]) -> pa.Table | None:
        """A table without the person in the rows that are theirs; None where none is.

        Args:
            identifying: columns that say who somebody is; in their rows these are emptied, but for the customer's id.
            words: columns in somebody's own words; in their rows these are emptied.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
        mine = self._rows_of_theirs(table, texts)
        if mine is None or not pc.any(mine).as_py():
            return None
        for name in texts:
            column = table[name].combine_chunks()
            before = column.filter(mine).to_pylist()
            if name in words or (name in identifying and name != "customer_id"):
                after: list[str | None] = [None] * len(before)
            else:
                after = [self.struck(value) if value else value for value in before]
            if after != before:
                place = table.column_names.index(name)
                changed = pc.replace_with_mask(column, mine, pa.array(after, pa.string()))
                table = table.set_column(place, table.schema.field(name), changed)
        return table

    def _rows_of_theirs(self, table: pa.Table, texts: list[str]) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        keys, mine = pa.array(sorted(self.keys), pa.string()), None
        for name in texts:
            found = pc.is_in(table[name].combine_chunks(), value_set=keys)
            mine = found if mine is None else pc.or_(mine, found)
        return mine


def names_and_words(
    table: pa.Table, keys: Collection[str], identifying: Collection[str], words: Collection[str]
) -> Iterator[tuple[bool, str]]:
    """What a table tells of a person in the rows that are theirs: whether it is a name, and the value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mine = _any_is_in(table, keys)
    if mine is None:
        return
    for name in {*identifying, *words} & set(table.column_names):
        if pa.types.is_string(table.schema.field(name).type):
            for value in pc.unique(table[name].filter(mine)).to_pylist():
                if value:
                    yield name in identifying, value


def _any_is_in(table: pa.Table, keys: Collection[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    values, mine = pa.array(sorted(keys), pa.string()), None
    for name in ("customer_id", "order_id"):
        if name in table.column_names:
            found = pc.is_in(table[name].combine_chunks(), value_set=values)
            mine = found if mine is None else pc.or_(mine, found)
    return mine
