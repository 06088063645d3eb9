"""The kinds of columns that the embedded shop's tables have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from sqlalchemy import Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A timezone-aware datetime, stored as integer microseconds since 1970 in UTC."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds; a naive time is refused, because nobody could say which moment it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the shop keeps moments, not naive times")
        return (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """An aware datetime in UTC."""
        return None if value is None else EPOCH + value * MICROSECOND


class Flag(TypeDecorator[bool]):
    """A truth value, stored as 0 or 1: a STRICT table has no booleans."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        """0 or 1."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:
        """True or false."""
        return None if value is None else bool(value)


Key = Annotated[str, Field(sa_type=Text, primary_key=True)]
Words = Annotated[str, Field(sa_type=Text)]
OfOrder = Annotated[str, Field(sa_type=Text, index=True)]
PerhapsOfOrder = Annotated[str | None, Field(sa_type=Text, index=True)]
OfParcel = Annotated[str, Field(sa_type=Text, index=True)]
Perhaps = Annotated[str | None, Field(sa_type=Text)]
At = Annotated[datetime, Field(sa_type=Moment)]
Written = Annotated[datetime, Field(sa_type=Moment, index=True)]  # what changed is found by it
PerhapsAt = Annotated[datetime | None, Field(sa_type=Moment)]
PerhapsFlag = Annotated[bool | None, Field(sa_type=Flag)]
