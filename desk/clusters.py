"""`tower model clusters`: what customers lately mean of a product, more often than they used to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import policies
from control_tower.keeping.step import open_archive
from control_tower.settings import settings
from desk.run import when
from desk.show import as_json, table
from tasks.clusters import clusters
from tasks.gather import read_tables

TABLES = ("returns", "orders", "order_lines")


def show_clusters(source: str, mapping: str | None, as_of: str | None, *, json: bool) -> None:
    """Print them; the texts are read here and kept nowhere."""
    moment = when(as_of, source, mapping, settings()) or datetime.now(UTC)
    rate = policies.load("returns", moment).thresholds_on(moment)["false_discovery_rate"]
    with TemporaryDirectory(prefix="tower-clusters-") as folder:
        tower = settings().model_copy(update={"artifacts_url": Path(folder).as_uri()})
        gathered = read_tables(source, mapping, TABLES, moment, (), as_of is None, tower)
        archive = open_archive(tower.artifacts)
        frames = {name: archive.frame(kept).query("visible") for name, kept in gathered.frames.items()}
    sold = frames["order_lines"].merge(frames["orders"][["order_id", "placed_at"]], on="order_id")
    found = clusters(frames["returns"], sold, moment, rate)
    if json:
        as_json([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (one.sku, one.meaning, one.team, one.recently, f"{one.expected:.1f}", f"{one.q:.1g}", " | ".join(one.words))
        for one in found
    ]
    title = f"What customers lately mean; at most {rate:.0%} of these are chance"
    table(title, ("product", "meaning", "team", "lately", "expected", "q", "words"), rows, right=("lately", "expected"))
