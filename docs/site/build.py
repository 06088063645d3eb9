"""The site: `python docs/site/build.py` lays the pages of docs/ out in `.site/`, and has Zensical build them there.

Pages are found by themselves; `SECTIONS` says where those that it names stand, and the others come last.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).parent
DOCS = HERE.parent
PROJECT = DOCS.parent
ASSETS = ("*.svg", "*.png")

SECTIONS: dict[str, tuple[str, ...]] = {
    "Start": ("index", "start", "your_own_orders", "concepts"),
    "Decide": ("approvals", "slack", "rungs", "changing_a_policy", "measures"),
    "Run": ("operating", "deploying", "growing", "watching", "keeping", "recovery", "upgrading", "security"),
    "Connect": ("sources", "stores", "shops"),
    "Build": ("adding_a_lane", "adding_a_contract", "adding_a_policy", "adding_a_store", "adding_a_source"),
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^]\n]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def pages() -> list[Path]:
    """Every page, by its path under docs/."""
    return sorted(file.relative_to(DOCS) for file in DOCS.rglob("*.md") if HERE not in file.parents)


def navigation(found: list[Path]) -> list[dict[str, list[str]]]:
    """Sections and their pages: the named ones in their order, then the reference, what is left, the decisions."""
    names = {str(page): page for page in found}
    sections = {title: [f"{name}.md" for name in named if f"{name}.md" in names] for title, named in SECTIONS.items()}
    placed = {page for section in sections.values() for page in section}
    sections["Reference"] = [name for name in names if name.startswith("reference/")]
    sections["More"] = [name for name in names if name not in placed and "/" not in name]
    sections["Decisions"] = [name for name in names if name.startswith("decisions/")]
    return [{title: section} for title, section in sections.items() if section]


def as_laid_out(page: Path, text: str) -> str:
    """A page as the site has it: what it links to outside docs/ is no page, and is named instead."""

    def named(link: re.Match[str]) -> str:
        target = link["target"]
        there = (DOCS / page).parent / target
        if "://" in target or there.resolve().is_relative_to(DOCS) or not there.exists():
            return link[0]  # what is nowhere stays a link, for the strict build to refuse
        return f"`{there.resolve().relative_to(PROJECT)}`"

    return LINK.sub(named, text)


def lay_out(folder: Path) -> Path:
    """Write the pages and the configuration into a folder; the configuration's path."""
    shutil.rmtree(folder, ignore_errors=True)
    for page in pages():
        to = folder / "pages" / page
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(as_laid_out(page, (DOCS / page).read_text("utf-8")), "utf-8")
    for asset in (*_assets(), HERE / "site.css"):
        shutil.copy(asset, folder / "pages" / asset.name)
    yaml = YAML()
    configuration = yaml.load((HERE / "mkdocs.yml").read_text("utf-8"))
    configuration["nav"] = navigation(pages())
    with (folder / "mkdocs.yml").open("w", encoding="utf-8") as file:
        yaml.dump(configuration, file)
    return folder / "mkdocs.yml"


def _assets() -> Iterator[Path]:
    for pattern in ASSETS:
        yield from DOCS.glob(pattern)


def build(folder: Path) -> Path:
    """Build the site in a folder, and return its first page; a warning of Zensical's ends it."""
    configuration = lay_out(folder.resolve())
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(configuration)]
    if subprocess.run(command, cwd=configuration.parent).returncode:
        raise SystemExit("the site was not built")
    for page in (folder / "html").glob("*/*.html"):  # whose way home leads to a folder, which no file system opens
        page.write_text(page.read_text("utf-8").replace('href="./.."', 'href="../index.html"'), "utf-8")
    return folder / "html" / "index.html"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Build the site of docs/.")
    arguments.add_argument("--to", type=Path, default=PROJECT / ".site", help="where; made anew")
    print(build(arguments.parse_args().to))
