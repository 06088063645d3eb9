"""SQL that reads one cell as its canonical type, and SQL that tells when it can't be."""

from __future__ import annotations

from functools import lru_cache

from control_tower.joins import literal
from control_tower.nouns import Shop
from control_tower.sources.mapping import ColumnMapping

WHOLE = r"^\s*[+-]?[0-9]{1,18}\s*$"
DECIMAL = r"^\s*[+-]?[0-9]{1,15}(\.[0-9]{1,6})?\s*$"
WITH_COMMA = r"^\s*[+-]?([0-9]{1,15}|[0-9]{1,3}(\.[0-9]{3}){1,4})(,[0-9]{1,6})?\s*$"
TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"
TIME_WITH_OFFSET = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)$"
OFFSET_WITHOUT_COLON, OFFSET_WITH_COLON = r"\s?([+-]\d{2})(\d{2})$", r"\1:\2"
DAY = r"^\d{4}-\d{2}-\d{2}([ T]00:00(:00(\.0+)?)?)?$"


def converted(
    raw: str, given: str, kind: str, mapped: ColumnMapping, shop: Shop, currency: str | None = None
) -> tuple[str, str]:
    """SQL of the value, and of whether it could not be read (empty when it always can).

    Args:
        raw: SQL of the cell.
        given: its DuckDB type.
        kind: the canonical DuckDB type.
        currency: SQL of the currency of money; the shop's when left out.
    """
    zone = literal(mapped.time_zone or shop.time_zone)
    if mapped.map is not None:
        raw, given = _mapped(raw, mapped), "VARCHAR"
    if given == kind and mapped.read_as is None and given != "VARCHAR":
        return raw, ""
    if given == "TIMESTAMP WITH TIME ZONE" and kind == "TIMESTAMPTZ" and mapped.read_as is None:
        return raw, ""
    if (
        given in ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S")
        and kind == "TIMESTAMPTZ"
        and mapped.read_as is None
    ):
        return f"timezone({zone}, {raw})", ""
    if given in ("INTEGER", "SMALLINT", "TINYINT", "UINTEGER") and kind == "BIGINT" and mapped.read_as is None:
        return f"CAST({raw} AS BIGINT)", ""
    if given != "VARCHAR":
        raw = f"CAST({raw} AS VARCHAR)"
    # Blanks around a number or a time are no part of it, and a cell of blanks is empty.
    text = f"nullif({raw}, '')" if kind == "VARCHAR" else f"nullif(trim({raw}), '')"
    value = _read(text, kind, mapped, zone, currency or literal(shop.currency))
    return (
        value,
        "" if kind == "VARCHAR" and mapped.map is None else f"{text} IS NOT NULL AND ({value}) IS NULL",
    )


def _mapped(raw: str, mapped: ColumnMapping) -> str:
    """A value by the map; one that it does not name is kept as it is, for the contract to refuse."""
    cases = " ".join(f"WHEN {literal(source)} THEN {literal(value)}" for source, value in (mapped.map or {}).items())
    other = literal(mapped.otherwise) if mapped.otherwise is not None else raw
    return f"CASE WHEN {raw} IS NULL THEN NULL ELSE CASE {raw} {cases} ELSE {other} END END"


def _read(text: str, kind: str, mapped: ColumnMapping, zone: str, currency: str) -> str:
    """SQL of a text read as a type; NULL when it is anything else, for nothing is guessed."""
    if mapped.read_as == "money":
        return _money(text, currency, mapped.decimal)
    if mapped.read_as == "end_of_day":
        next_day = f"CAST(TRY_CAST(left({text}, 10) AS DATE) + INTERVAL 1 DAY AS TIMESTAMP)"
        return f"CASE WHEN {_is(text, DAY)} THEN timezone({zone}, {next_day}) END"
    if kind == "BIGINT":
        return f"CASE WHEN {_is(text, WHOLE)} THEN TRY_CAST(trim({text}) AS BIGINT) END"
    if kind == "BOOLEAN":
        words = f"lower({text})"
        return (
            f"CASE WHEN {words} IN ('true', 'yes', '1') THEN true WHEN {words} IN ('false', 'no', '0') THEN false END"
        )
    if kind != "TIMESTAMPTZ":
        return text
    if mapped.format:
        return f"timezone({zone}, TRY_STRPTIME({text}, {literal(mapped.format)}))"
    return moment(text, zone)


def moment(text: str, zone: str) -> str:
    """SQL of the moment that a text tells: ISO 8601, with an offset or in a zone; NULL when it is anything else."""
    return (
        f"CASE WHEN {_is(text, TIME)} THEN timezone({zone}, TRY_CAST({text} AS TIMESTAMP))"
        f" WHEN {_is(text, TIME_WITH_OFFSET)} THEN TRY_CAST({_with_colon(text)} AS TIMESTAMPTZ) END"
    )


def _with_colon(text: str) -> str:
    """The engine reads +01:00, and not the +0100 that many shops write."""
    return f"regexp_replace({text}, {literal(OFFSET_WITHOUT_COLON)}, {literal(OFFSET_WITH_COLON)})"


def _money(text: str, currency: str, decimal: str) -> str:
    """Minor units; a fraction of a cent is not rounded away, it can't be read."""
    plain, form = (text, DECIMAL) if decimal == "." else (f"translate({text}, ',.', '.')", WITH_COMMA)
    minor = f"TRY_CAST(trim({plain}) AS DECIMAL(24, 6)) * {_scale(currency)}"
    return f"CASE WHEN {_is(text, form)} AND {minor} = floor({minor}) THEN CAST({minor} AS BIGINT) END"


def _scale(currency: str) -> str:
    """SQL of how many minor units make one of a currency."""
    cases = " ".join(f"WHEN {literal(code)} THEN {10**digits}" for code, digits in _digits().items())
    return f"(CASE upper(trim({currency})) {cases} ELSE 100 END)"


@lru_cache(maxsize=1)
def _digits() -> dict[str, int]:
    """The currencies that do not count in hundredths, by ISO 4217."""
    from babel.numbers import get_currency_precision, list_currencies

    digits = {code: get_currency_precision(code) for code in sorted(list_currencies())}
    return {code: count for code, count in digits.items() if count != 2}


def _is(text: str, pattern: str) -> str:
    return f"regexp_matches({text}, {literal(pattern)})"
