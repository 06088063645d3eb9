"""`tower model evaluate`: how well texts are read, by the paper and by the configured model, on labelled texts."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from control_tower.errors import SettingError
from control_tower.ledger import open_ledger
from control_tower.model.redaction import tower_key
from control_tower.settings import Settings, settings
from desk.show import as_json, table
from policies.meanings import Kind, meanings
from tasks.reading import read_by_model, read_by_paper
from tasks.reading_quality import Labelled, Measured, Quality, measured

PARTS = ("train", "dev", "test")


def intents(folder: Path, part: str) -> list[Labelled]:
    """Sentences to a shop's support, each with the one intent that it was written for."""
    return [
        Labelled(f"bitext-{part}-{number}", row["utterance"], frozenset([row["intent"]]))
        for number, row in enumerate(_rows(folder / "bitext_support" / f"{part}.csv.gz"))
    ]


def reviews(folder: Path) -> list[Labelled]:
    """Reviews that speak of sending something back, with the reasons that a person read in each."""
    labels = (resources.files("desk") / "labelled" / "womens_reviews.csv").read_text("utf-8").splitlines()
    wanted = {int(row["row"]): row for row in csv.DictReader(labels)}
    found = []
    for number, row in enumerate(_rows(folder / "womens_reviews" / "womens_clothing_reviews.csv.gz")):
        if number in wanted:
            text = f"{row['Title']}. {row['Review Text']}"
            means = {
                *wanted[number]["reasons"].split("|"),
                *(["sent_back"] if wanted[number]["returned"] == "yes" else []),
            }
            found.append(Labelled(f"review-{number}", text, frozenset(means - {"", "other"})))
    return found


def _rows(file: Path) -> Iterator[dict[str, str]]:
    if not file.is_file():
        raise SettingError("is not there", where=str(file), remedy="name the folder of public data with --data")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        yield from csv.DictReader(opened)


def evaluate(data: Path | None, part: str, limit: int, *, json: bool) -> None:
    """Print a table for each set of texts and each reader.

    Args:
        limit: how many texts of each set a model reads; the paper reads all.
    """
    tower = settings()
    folder = data or tower.data
    if folder is None:
        raise SettingError("no folder of public data is known", remedy="name it with --data or TOWER_DATA")
    if part not in PARTS:
        raise SettingError(f"there is no part {part!r}", where="--part", remedy=", ".join(PARTS))
    sets: dict[str, tuple[list[Labelled], tuple[Kind, ...]]] = {
        f"bitext_support {part}: intents": (intents(folder, part), ("contact",)),
        "womens_reviews: reasons, labelled by hand": (reviews(folder), ("return_reason", "mention")),
    }
    tables: dict[str, Measured] = {}
    for name, (texts, kinds) in sets.items():
        labels = {label for one in texts for label in one.means} & set(meanings().by_id)
        paper = partial(_by_paper, kinds=kinds)
        tables[f"{name}, by {meanings().reference} on {len(texts):,}"] = measured(texts, paper, labels)
        if tower.model:
            chosen = texts[:: max(1, len(texts) // limit)][:limit]
            tables[f"{name}, by {tower.model} on {len(chosen):,}"] = measured(
                chosen, partial(_by_model, tower=tower, kinds=kinds), labels
            )
    if json:
        as_json({name: [_shown(row) for row in (*found.labels, found.together)] for name, found in tables.items()})
        return
    for name, found in tables.items():
        rows = [tuple(_shown(row).values()) for row in (*found.labels, found.together)]
        table(
            name,
            ("label", "texts", "read", "precision", "recall"),
            rows,
            right=("texts", "read", "precision", "recall"),
        )


def _by_paper(one: Labelled, kinds: tuple[Kind, ...]) -> frozenset[str]:
    """Its meanings; of a sentence with one intent, the surest only."""
    read = read_by_paper(one.text, kinds)
    return frozenset(found.meaning for found in (read[:1] if kinds == ("contact",) else read))


def _by_model(one: Labelled, tower: Settings, kinds: tuple[Kind, ...]) -> frozenset[str]:
    ledger, key = open_ledger(tower.ledger), tower_key(tower.folder)
    return frozenset(found.meaning for found in read_by_model(ledger, tower, key, one.name, one.text, kinds))


def _shown(row: Quality) -> dict[str, Any]:
    return {
        "label": row.label,
        "texts": row.labelled,
        "read": row.read,
        "precision": "-" if row.precision is None else f"{row.precision:.2f}",
        "recall": "-" if row.recall is None else f"{row.recall:.2f}",
    }
