"""What every table of the shop is made of: strict types, and a registry of its own."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Table
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
NUMBERED = {"sqlite_strict": True, "sqlite_autoincrement": True}


class ShopRow(SQLModel, registry=registry()):
    """The base of the shop's tables; its metadata never mixes with the ledger's."""

    __abstract__ = True
    __table__: ClassVar[Table]
