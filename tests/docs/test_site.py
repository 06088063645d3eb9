"""The site is built without a warning, loads nothing from elsewhere, and each of its links leads to what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.site import build as site
from tests.docs.pages import DOCS, PROJECT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """The ids of a page, where its links lead, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADED and given.get(LOADED[tag]) and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site.build(tmp_path_factory.mktemp("site")).parent


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    return {file: Page(file.read_text("utf-8")) for file in built.rglob("*.html")}


def test_every_page_of_the_docs_is_in_the_site_and_in_its_navigation(pages: dict[Path, Page], built: Path) -> None:
    there = {str(file.relative_to(built)) for file in pages}
    wanted = {str(page.with_suffix(".html")) for page in site.pages()}
    assert wanted <= there
    led = {urlsplit(link).path.removeprefix("./") for link in pages[built / "index.html"].links}
    assert wanted <= led, wanted - led


def test_every_link_and_anchor_leads_to_a_place_that_is_there(pages: dict[Path, Page]) -> None:
    lost = defaultdict(list)
    for file, page in pages.items():
        for link in page.links:
            to = urlsplit(link)
            if to.scheme or to.netloc or file.name == "404.html":
                continue
            target = (file.parent / unquote(to.path)).resolve() if to.path else file
            there = target in pages or target.is_file()
            if not there or (to.fragment and target in pages and to.fragment not in pages[target].ids):
                lost[file.name].append(link)
    assert not lost


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], built: Path) -> None:
    elsewhere = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    assert not elsewhere
    for style in built.rglob("*.css"):
        assert "url(http" not in style.read_text("utf-8").replace('"', "").replace("'", ""), style.name


def test_a_link_to_what_is_no_page_is_named_instead() -> None:
    text = site.as_laid_out(
        Path("slack.md"), "[the manifest](../deployments/slack_app_manifest.yaml) [gone](../no.yaml)"
    )
    assert text == "`deployments/slack_app_manifest.yaml` [gone](../no.yaml)"


def test_a_page_that_nobody_placed_is_found_all_the_same() -> None:
    led = site.navigation([Path("index.md"), Path("tea.md"), Path("decisions/0099-tea.md")])
    assert led == [{"Start": ["index.md"]}, {"More": ["tea.md"]}, {"Decisions": ["decisions/0099-tea.md"]}]


def test_a_broken_page_is_not_built(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(DOCS, project / "docs")
    (project / "docs" / "tea.md").write_text("# Tea\n\n[gone](nowhere.md)\n")
    command = [sys.executable, str(project / "docs" / "site" / "build.py"), "--to", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "does not exist" in done.stdout + done.stderr
