"""Validate: hold each table against its contract. Rows in = rows accepted + rows quarantined, always."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

import data_contracts
from control_tower.errors import ContractBreach
from control_tower.joins import PARQUET, joins, literal, quoted
from control_tower.keeping import Archive, Kept
from control_tower.keeping.frames import as_pandas
from control_tower.keeping.step import open_archive, step
from control_tower.nouns import Noun, Shop, digest_of
from control_tower.settings import Settings, settings
from tasks.gather import Gathered

if TYPE_CHECKING:
    import pandas as pd

    from data_contracts import Checked, Contract, Tally


class Accepted(Noun):
    """The evidence that a lane may rest on, what was set aside, and what was kept with a mark."""

    shop: Shop
    as_of: AwareDatetime
    frames: dict[str, Kept]
    quarantine: dict[str, Kept]
    marks: Kept
    rules: dict[str, int]
    absent: tuple[str, ...]
    untold: tuple[str, ...] = ()
    parts: tuple[Accepted, ...] = ()
    """What each part of a divided look accepted; it has then no frames of its own but the marks."""

    @property
    def accepted(self) -> dict[str, int]:
        """Rows accepted by table."""
        return {table: sum(kept.rows for kept in several) for table, several in self.every.items()}

    @property
    def quarantined(self) -> dict[str, int]:
        """Rows quarantined by table, none included."""
        found = dict.fromkeys(self.every, 0)
        for part in self.parts or (self,):
            for table, kept in part.quarantine.items():
                found[table] += kept.rows
        return found

    @property
    def every(self) -> dict[str, list[Kept]]:
        """The frames of each table: one, or one of each part."""
        found: dict[str, list[Kept]] = {}
        for part in self.parts or (self,):
            for table, kept in part.frames.items():
                found.setdefault(table, []).append(kept)
        return found

    @property
    def digests(self) -> dict[str, str]:
        """What each table's evidence is known by: its file's digest, or that of the list of its parts' digests."""
        named = {table: [kept.digest for kept in several] for table, several in self.every.items()}
        return {table: digest_of(found) if self.parts else found[0] for table, found in named.items()}

    @property
    def markdown(self) -> str:
        """The rules that found something, for the artifact."""
        found = "\n".join(f"| {rule} | {count:,} |" for rule, count in sorted(self.rules.items()))
        return "| rule broken | rows |\n|---|---:|\n" + (found or "| none | 0 |")


@step
def validate(gathered: Gathered) -> Accepted:
    """Check every table; quarantine rows with errors, mark rows with warnings.

    Raises:
        ContractBreach: a whole table can't be relied on: the first breach by table, with its owner.
    """
    accepted, _ = hold(gathered, stop_on_breach)
    return accepted


Decide = Callable[["Contract", "Tally", datetime], None]


def stop_on_breach(contract: Contract, tally: Tally, as_of: datetime) -> None:
    """Raise the first breach of a table.

    Raises:
        ContractBreach: names the contract, its owner and the rule.
    """
    for breach in data_contracts.breaches(contract, tally, as_of):
        raise ContractBreach(breach.sentence, contract=contract.reference, owner=contract.owner, rule=breach.rule)


def hold(gathered: Gathered, decide: Decide | None) -> tuple[Accepted, dict[str, Tally]]:
    """Hold every table against its contract: what is accepted, and what each table as a whole is decided by.

    Args:
        decide: is told of each table before its rows are divided; nothing is, when these are rows of a part.
    """
    tower = settings()
    archive = open_archive(tower.artifacts)
    frames: dict[str, Kept] = {}
    quarantine: dict[str, Kept] = {}
    marks: list[pd.DataFrame] = []
    rules: dict[str, int] = {}
    tallies: dict[str, Tally] = {}
    for table, kept in sorted(gathered.frames.items()):  # as they are kept: a dictionary has no other order
        contract = data_contracts.load(table)
        checked = data_contracts.check(contract, with_context(contract, gathered, tower), gathered.as_of)
        checked = _of_what_is_told(table, checked, gathered.untold)
        tallies[table] = checked.tally
        if decide:
            decide(contract, checked.tally, gathered.as_of)
        rules |= {rule.name: rule.count for rule in checked.rules if rule.count}
        frames[table], aside = _divide(table, kept, checked, archive, tower)
        if aside:
            quarantine[table] = aside
        marks.append(_marked(table, kept, checked, archive))
    accepted = Accepted(
        shop=gathered.shop,
        as_of=gathered.as_of,
        frames=frames,
        quarantine=quarantine,
        marks=archive.keep_frame("marks", in_order(marks)),
        rules=rules,
        absent=gathered.absent,
        untold=gathered.untold,
    )
    return accepted, tallies


def with_context(contract: Contract, gathered: Gathered, tower: Settings) -> pd.DataFrame:
    """A table with the columns of other tables that its rules compare it with, in file order."""
    archive = open_archive(tower.artifacts)
    context = [column for column in contract.context.values() if column.table in gathered.frames]
    coded = archive.repetitive(gathered.frames[contract.name])
    if not context:
        frame = archive.frame(gathered.frames[contract.name], coded=coded)
    else:
        joined, picked = [], []
        for number, (table, on) in enumerate(sorted({(column.table, column.on) for column in context})):
            parent, key = literal(archive.location(gathered.frames[table])), quoted(on)
            several = [column for column in context if (column.table, column.on) == (table, on)]
            # Rows of one key are refused; what they say differently is, wherever they lie, the least of it.
            least = ", ".join(f"min({quoted(column.column)}) AS {quoted(column.name)}" for column in several)
            once = f"(SELECT {key}, {least} FROM read_parquet({parent}) GROUP BY {key})"
            joined.append(f"LEFT JOIN {once} AS p{number} ON p{number}.{key} = c.{key}")
            picked += [f"p{number}.{quoted(column.name)}" for column in several]
        child = literal(archive.location(gathered.frames[contract.name]))
        with joins(tower) as connection:
            table = connection.sql(
                f"SELECT c.* EXCLUDE (file_row_number), {', '.join(picked)}"
                f" FROM read_parquet({child}, file_row_number = true) AS c {' '.join(joined)}"
                " ORDER BY c.file_row_number"
            ).to_arrow_table()
        for name in coded:
            table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
        frame = as_pandas(table)
    for column in contract.context.values():
        if column.name not in frame:
            frame[column.name] = None
    return frame


def _of_what_is_told(table: str, checked: Checked, untold: tuple[str, ...]) -> Checked:
    """A column that the source never tells of contradicts nothing: that it is empty is no warning."""
    found = checked.failures
    silent = (found["severity"] == "warning") & (table + "." + found["column"].astype(str)).isin(untold)
    if not silent.any():
        return checked
    fewer = found.loc[silent, "rule"].value_counts()
    rules = tuple(replace(rule, count=rule.count - int(fewer.get(rule.name, 0))) for rule in checked.rules)
    return replace(checked, failures=found[~silent], rules=rules)


def _divide(table: str, kept: Kept, checked: Checked, archive: Archive, tower: Settings) -> tuple[Kept, Kept | None]:
    """The accepted rows and the quarantined ones; the same file again when every row is accepted."""
    errors = checked.failures[checked.failures["severity"] == "error"]
    if errors.empty:
        return kept, None
    broken = errors.groupby("row", as_index=False).agg(
        broken_rules=("rule", lambda rules: ", ".join(sorted(set(rules)))),
        broken_because=("sentence", lambda sentences: "; ".join(sorted(set(sentences)))),
    )
    whole = f"read_parquet({literal(archive.location(kept))}, file_row_number = true)"
    with joins(tower) as connection:
        connection.register("broken", broken)
        good, bad = archive.scratch(table), archive.scratch(f"quarantine-{table}")
        connection.execute(
            f"COPY (SELECT t.* EXCLUDE (file_row_number) FROM {whole} AS t ANTI JOIN broken ON file_row_number = row"
            f" ORDER BY file_row_number) TO {literal(str(good))} {PARQUET}"
        )
        connection.execute(
            f"COPY (SELECT t.* EXCLUDE (file_row_number), broken_rules, broken_because FROM {whole} AS t"
            f" JOIN broken ON file_row_number = row ORDER BY file_row_number) TO {literal(str(bad))} {PARQUET}"
        )
    return archive.keep_file(table, good, kept.contract), archive.keep_file(f"quarantine-{table}", bad, kept.contract)


def _marked(table: str, kept: Kept, checked: Checked, archive: Archive) -> pd.DataFrame:
    """The rows that a warning keeps: order, table, row and rule."""
    import pandas as pd

    warnings = checked.failures[checked.failures["severity"] == "warning"]
    if warnings.empty:
        return pd.DataFrame({"order_id": [], "table": [], "source_id": [], "rule": [], "sentence": []}, dtype=str)
    named = [name for name in ("order_id", "source_id") if name in kept.columns]  # not every table is of orders
    rows = archive.frame(kept, named).iloc[warnings["row"].to_numpy()]
    return pd.DataFrame(
        {
            "order_id": rows["order_id"].to_numpy() if "order_id" in rows else None,
            "table": table,
            "source_id": rows["source_id"].to_numpy(),
            "rule": warnings["rule"].to_numpy(),
            "sentence": warnings["sentence"].to_numpy(),
        },
        dtype=str,
    )


def in_order(marks: list[pd.DataFrame]) -> pd.DataFrame:
    """Marks of several tables, or parts, as one frame in its order."""
    import pandas as pd

    return pd.concat(marks, ignore_index=True).sort_values(["order_id", "table", "rule", "source_id"])
