"""A mapping: which file and column of a folder is which canonical table and column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from control_tower.errors import MappingError, nearest
from control_tower.nouns import Shop

SHIPPED = Path(__file__).parent / "mappings"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ColumnMapping(_Part):
    """Where one canonical column comes from: a column, a constant, or an expression."""

    column: str | None = None
    constant: str | int | bool | None = None
    expression: str | None = None
    map: dict[str, str] | None = Field(default=None, description="source value to canonical value")
    otherwise: str | None = Field(default=None, description="for a value that `map` does not name")
    format: str | None = Field(default=None, description="strptime format of a time that is not ISO 8601")
    read_as: str | None = Field(default=None, pattern="^(money|end_of_day)$")
    currency: str | None = Field(
        default=None, description="the column that names the currency of money; the shop's when left out"
    )
    decimal: str = Field(
        default=".",
        pattern="^[.,]$",
        description="what stands before the cents of money; where it is a comma, points may group thousands",
    )
    time_zone: str | None = Field(default=None, description="zone of times without an offset; the shop's when left out")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMapping:
        if sum(origin is not None for origin in (self.column, self.constant, self.expression)) != 1:
            raise ValueError("needs exactly one of column, constant and expression")
        if self.decimal != "." and not (self.column and self.read_as == "money"):
            raise ValueError("has a decimal, which only a column that is read as money has")
        return self


class PartMapping(_Part):
    """Rows of a canonical table from one file, with other files joined to it; a join never adds rows."""

    file: str = Field(description="a name under `files`")
    join: dict[str, str] = Field(
        default_factory=dict, description="a name under `files` to the column it shares, or `mine = its`"
    )
    where: str | None = Field(default=None, description="an expression; rows for which it is not true are left out")
    one_row_for: str | None = Field(
        default=None, description="a column of the file; of several rows with one value, the first that can be read is"
    )
    columns: dict[str, ColumnMapping]


class FolderMapping(_Part):
    """A whole folder: the shop it belongs to, its files, and its canonical tables."""

    shop: Shop
    files: dict[str, str] = Field(description="a name to a file of the folder; a * stands for the part that differs")
    optional: dict[str, list[str]] = Field(
        default_factory=dict, description="a name under `files` to columns that some of its generations lack"
    )
    tables: dict[str, list[PartMapping]]

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("tables"), dict):
            tables = {name: part if isinstance(part, list) else [part] for name, part in value["tables"].items()}
            return value | {"tables": tables}
        return value


def read_mapping(name: str) -> FolderMapping:
    """Read a mapping file, or a shipped one by its name.

    Raises:
        MappingError: no such file, not YAML, or a key or name in it is wrong; with line and nearest name.
    """
    path = Path(name)
    if not path.is_file():
        shipped = {file.stem: file for file in SHIPPED.glob("*.yaml")}
        if name not in shipped:
            raise MappingError(
                f"there is no mapping {name!r}",
                remedy=f"give a file, or a shipped one: {nearest(name, shipped)}",
            )
        path = shipped[name]
    try:
        content = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as fault:
        raise MappingError(f"is no YAML: {' '.join(str(fault).split())}", where=path.name) from fault
    if not isinstance(content, Mapping):
        raise MappingError("is empty", where=path.name)
    try:
        mapping = FolderMapping.model_validate(_plain(content))
    except ValidationError as fault:
        first = fault.errors()[0]
        place: list[Any] = list(first["loc"])
        raise MappingError(
            f"{'.'.join(map(str, place))}: {first['msg']}",
            where=f"{path.name}:{_line(content, place)}",
            remedy=_hint(first, place),
        ) from fault
    for file, what, place in _named_files(mapping):
        if file not in mapping.files:
            raise MappingError(
                f"{what} reads file {file!r}, which is not under files",
                where=f"{path.name}:{_line(content, place)}",
                remedy=nearest(file, mapping.files),
            )
    return mapping


def _named_files(mapping: FolderMapping) -> list[tuple[str, str, list[Any]]]:
    """Each name of a file that a mapping uses, what uses it, and where that is written."""
    used: list[tuple[str, str, list[Any]]] = [(file, "optional", ["optional", file]) for file in mapping.optional]
    for table, parts in mapping.tables.items():
        used += [(file, f"table {table}", ["tables", table]) for part in parts for file in (part.file, *part.join)]
    return used


def _plain(content: Any) -> JsonValue:
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if content is None or isinstance(content, bool):
        return content
    return int(content) if isinstance(content, int) else str(content)


def _line(tree: Any, place: list[Any]) -> int:
    """The line of the deepest part of a place that the file has."""
    line = 1
    content: Any = tree
    for part in place:
        marks: Any = getattr(content, "lc", None)
        if marks and isinstance(content, dict) and part in content:
            line = marks.key(part)[0] + 1
        elif marks and isinstance(part, int) and isinstance(content, list) and part < len(content):
            line = marks.item(part)[0] + 1
        elif isinstance(part, int):
            continue  # one part, written without a list
        else:
            break
        content = content[part]
    return line


KEYS = {
    *FolderMapping.model_fields,
    *PartMapping.model_fields,
    *ColumnMapping.model_fields,
    *Shop.model_fields,
}


def _hint(error: Any, place: list[Any]) -> str:
    return nearest(str(place[-1]), KEYS) if error["type"] == "extra_forbidden" and place else ""
