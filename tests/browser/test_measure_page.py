"""The page of measures in a real browser, as a file and in Prefect's UI: it fits, and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from control_tower.server import Server
from control_tower.settings import settings
from control_tower.stores.generator import generate
from tests.browser.test_prefect_ui import CHROMIUM, QUIET, page_of

pytestmark = pytest.mark.browser
AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HOSTILE = "<img src=http://evil.example onerror=alert(1)>"
CONTRAST = """() => {
    const shade = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
    const solid = color => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1)
        return 'rgb(' + canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).join(',') + ')' }
    const dark = matchMedia('(prefers-color-scheme: dark)').matches
    const paper = dark ? 'rgb(18,18,18)' : 'rgb(255,255,255)'
    const worst = [...document.querySelectorAll('.value, .badge, .better, .worse, td, h3')].map(each => {
        canvas.fillStyle = paper; canvas.fillRect(0, 0, 1, 1)
        const [a, b] = [shade(solid(getComputedStyle(each).color)), shade(paper)].sort((x, y) => y - x)
        return (a + 0.05) / (b + 0.05)
    })
    return Math.min(...worst)
}"""


@pytest.fixture(scope="module")
def page_file(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("playwright", reason="playwright is not installed; it drives the browser")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    folder = tmp_path_factory.mktemp("measures")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        environment.setenv("TOWER_SHOP_URL", f"sqlite:///{folder / 'shop.db'}")
        environment.setenv("TOWER_ARTIFACTS_URL", (folder / "artifacts").as_uri())
        from flows.measure import measure_shop
        from tasks.measure_page import measure_page

        generate(settings().shop, orders=2000, seed=7, as_of=AS_OF, days=180)
        found = measure_shop(as_of=AS_OF, by="product")
        nasty = found.groups[0].model_copy(update={"group": HOSTILE})
        page = folder / "page.html"
        page.write_text(measure_page(found.model_copy(update={"groups": (nasty, *found.groups)})), "utf-8")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_read_at_two_widths_in_the_dark_and_in_the_light(
    page_file: Path, tmp_path: Path, scheme: Any, width: int
) -> None:
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda fault: said.append(str(fault)))
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off at the side"
        assert page.locator(".card").count() > 20 and page.locator(".card svg").count() >= 5
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
        assert page.evaluate(CONTRAST) >= 4.5, "WCAG 2 AA"
        assert HOSTILE in page.locator("body").inner_text()
        page.screenshot(path=str(tmp_path / f"{width}-{scheme}.png"), full_page=True)
        browser.close()
    assert said == []
    assert asked == [page_file.as_uri()], "it asked somebody for something"


def test_the_page_prints(page_file: Path, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page()
        page.goto(page_file.as_uri())
        printed = page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
        browser.close()
    assert printed.startswith(b"%PDF") and len(printed) > 20_000


@pytest.mark.parametrize("width", [1280, 390])
def test_the_same_page_is_an_artifact_whose_plots_are_seen(page_file: Path, server: Server, width: int) -> None:
    hosts: set[str | None] = set()
    with page_of(f"{server.ui}/artifacts/artifact/{newest_artifact(server)}", hosts) as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_role("heading", name="Stuck orders").wait_for()
        plots = page.get_by_alt_text("by week")
        assert plots.count() >= 5
        assert "support_contacts" in page.locator("td").all_inner_texts()
        page.wait_for_function("() => [...document.images].every(image => image.complete)")
        seen = plots.evaluate_all("plots => plots.map(plot => [plot.naturalWidth, plot.clientWidth])")
        assert all(drawn > 0 and 0 < shown <= width for drawn, shown in seen), seen
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off at the side"
    assert hosts <= {urlsplit(server.ui).hostname, None, ""}, "nothing leaves this machine"


def newest_artifact(server: Server) -> str:
    """The newest version of the shop's page in Prefect's UI, by its id."""
    asked = {"artifacts": {"key": {"any_": ["measures-shop"]}}, "sort": "CREATED_DESC", "limit": 1}
    (found,) = httpx.post(f"{server.api}/artifacts/filter", json=asked).json()
    return str(found["id"])
