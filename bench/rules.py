"""Twenty rules over a million orders, 15 % of each fact missing: this judge, Polars by hand, and engines by the row.

Ours and Polars read the same Parquet and must keep the same findings, unknown answers and severities included.
zen-engine and ezrules are asked for yes answers only, of a sample, which must be ours; their time for the million is
extrapolated from it. Then a year of kept looks at a million returns is decided again under a shorter return window.
Read the ratios; seconds differ from machine to machine.

    python -m venv engines && engines/bin/pip install zen-engine ezrules
    python bench/rules.py [--rows 1000000] [--sample 20000] [--engines engines/bin/python]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 3  # turns, and rounds in each: what else the machine does then falls on both


def part(python: str, script: str, *arguments: object, **environment: str) -> dict[str, Any]:
    """One part in a process of its own, so that its memory is its own."""
    command = [python, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return answer


def same(ours: Path, by_hand: Path) -> bool:
    """Whether two files of findings say the same, in the same order."""
    import polars as pl

    one, other = pl.read_parquet(ours), pl.read_parquet(by_hand)
    return one.select(pl.col(name).cast(kind) for name, kind in other.schema.items()).equals(other)


def findings(folder: Path, rows: int) -> tuple[dict[str, Any], bool]:
    """Our judge and Polars by hand, turn about; the best round of each."""
    facts = part(sys.executable, "by_judge.py", "facts", folder, rows)["path"]
    by_hand = folder / "by_hand.parquet"
    turns = [
        (
            part(sys.executable, "by_judge.py", "judge", folder, ROUNDS),
            part(sys.executable, "policies_by_hand.py", facts, by_hand, ROUNDS),
        )
        for _ in range(ROUNDS)
    ]
    ours, hand = (min(several, key=lambda each: float(each["seconds"])) for several in zip(*turns, strict=True))
    ours["yes"] = min(each["yes"] for each, _ in turns)
    equal = same(Path(ours["path"]), by_hand)
    verdict = "the same by both" if equal else "NOT THE SAME"
    print(f"\n20 rules over {rows:,} orders, {ours['findings']:,} findings kept: {verdict}")
    print(f"{'':34}{'seconds':>9}{'peak GB':>9}")
    for name, each in (("judge: facts in, findings kept", ours), ("Polars by hand, the same", hand)):
        print(f"{name:34}{each['seconds']:>9.2f}{each['peak_gb']:>9.2f}")
    print(f"{'ratio':34}{ours['seconds'] / hand['seconds']:>9.2f}{ours['peak_gb'] / hand['peak_gb']:>9.2f}")
    print(
        f"of ours: reading {ours['reading']:.2f}, judging {ours['judging']:.2f}, keeping {ours['keeping']:.2f};"
        f" yes answers alone {ours['yes']:.2f}"
    )
    return ours, equal


def engines(folder: Path, rows: int, sample: int, python: str, ours: dict[str, Any]) -> bool:
    """Engines by the row, on a sample."""
    yes = part(sys.executable, "by_judge.py", "sample", folder, sample)
    said = part(python, "row_by_row.py", folder / "sample.json", folder / "rules.json")
    print(f"\nyes answers of a sample of {sample:,} records, extrapolated to {rows:,}; no reading, nothing kept")
    print(f"{'':34}{'seconds':>9}{'million':>9}{'our yes':>9}{'our findings':>14}")
    agree = True
    for name, each in said.items():
        if "missing" in each:
            print(f"{name:34} not measured: {each['missing']}")
            continue
        whole = each["seconds"] * rows / each["records"]
        agree &= each["yes"] == {kind: [row for row in rows if row < each["records"]] for kind, rows in yes.items()}
        print(
            f"{name + ' ' + each['version']:34}{each['seconds']:>9.2f}{whole:>9.1f}"
            f"{whole / ours['yes']:>8.0f}x{whole / ours['judging']:>13.1f}x"
        )
    print("the same yes answers as ours" if agree else "OTHER ANSWERS THAN OURS")
    return agree


def main() -> None:
    """Run each part in its own process, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--engines", default=None, help="the Python of an environment with zen-engine and ezrules")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tower-bench-"))
    try:
        ours, right = findings(folder, given.rows)
        if given.engines:
            right &= engines(folder, given.rows, given.sample, given.engines, ours)
        part(sys.executable, "a_year.py", "keep", given.rows, TOWER_HOME=str(folder / "home"))
        year = part(sys.executable, "a_year.py", "decide", folder, TOWER_HOME=str(folder / "home"))
    finally:
        shutil.rmtree(folder)
    print(
        f"\na year of {year['looks']} looks, {year['kept']:,} rows kept: {year['subjects']:,} returns decided by both"
        f" versions in {year['seconds']:.1f} s, {year['changed']:,} turn out otherwise; peak {year['peak_gb']:.2f} GB"
    )
    if not right:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
