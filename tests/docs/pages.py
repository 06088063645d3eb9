"""What the pages hold: their blocks, links and headings, as a Markdown parser reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = (PROJECT / "README.md", *sorted(DOCS.rglob("*.md")))
TITLE = re.compile(r'title="([^"]+)"')
MARK = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the file that it is (its title), and what the comment just above it says."""

    page: Path
    line: int
    language: str
    title: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order; one that is only indented has no language."""
    found: list[Block] = []
    mark = ""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            language, _, rest = token.info.partition(" ")
            title = TITLE.search(rest)
            line = (token.map or [0])[0] + 1
            found.append(Block(page, line, language, title[1] if title else "", mark, token.content))
        said = MARK.fullmatch(token.content.strip()) if token.type == "html_block" else None
        mark = said[1] if said else ""
    return found


def every_block() -> Iterator[Block]:
    for page in PAGES:
        yield from blocks(page)


def links(page: Path) -> Iterator[str]:
    """Where the links and pictures of a page lead."""
    for token in tokens(page):
        for inner in token.children or ():
            target = inner.attrs.get("href") or inner.attrs.get("src")
            if target:
                yield str(target)
