"""Prefect's UI in a real browser: a person reads the evidence, submits the form, and one refund follows."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.approvers import Credentials, enrol
from control_tower.ledger.effects import list_effects
from control_tower.ledger.proposals import find_proposal, waiting_proposals
from control_tower.markdown import inert
from control_tower.nouns import Action, EffectState, Proposal
from control_tower.server import Server
from control_tower.settings import Settings, settings
from control_tower.stores.generator import generate
from control_tower.stores.shop import sqlite_file
from tests.flows.conftest import code_of

pytestmark = pytest.mark.browser

HOSTILE = (
    "https://evil.example/a WWW.evil.example a@evil.example <img src=http://evil.example/x.png> &lt;b&gt; "
    "[t](javascript:alert(1)) `c` *a* _b_ __c__ ~~s~~ x|y"
)
LAPTOP = {"width": 1280, "height": 720}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Asked:
    """A tower whose lane has run, the refund that waits in it, and somebody who may rule."""

    tower: Settings
    ledger: Ledger
    flows: dict[Any, Any]
    refund: Proposal
    run: str
    given: Credentials = field(repr=False)

    def refunds(self) -> list[int]:
        with sqlite3.connect(sqlite_file(self.tower.shop)) as shop:
            query = "SELECT amount FROM refunds WHERE order_id = ?"
            return [amount for (amount,) in shop.execute(query, (self.refund.order_id,))]

    def work(self) -> None:
        from desk.worker import work

        work(self.flows, self.tower, once=True)

    def files_with(self, code: str, *folders: Path) -> list[str]:
        files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
        return [file.name for file in files if f'"{code}"'.encode() in file.read_bytes()]


@pytest.fixture
def asked(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    pytest.importorskip("playwright", reason="playwright is not installed; it drives the browser")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_SHOP_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    from desk.deploy import deploy
    from flows.watch_fulfilment import watch_fulfilment

    tower, now = settings(), datetime.now(UTC).replace(microsecond=0)
    generate(tower.shop, orders=600, seed=7, as_of=now, frozen=False)
    flows = {each.id: each.flow for each in deploy(tower) if each.flow.name == "resolve-case"}
    watch_fulfilment()
    ledger = open_ledger(tower.ledger)
    waiting = [Proposal.model_validate(row.body) for row in waiting_proposals(ledger)]
    refund = next(proposal for proposal in waiting if proposal.action is Action.refund)
    run = str(find_proposal(ledger, refund.digest).flow_run_id)
    return Asked(tower, ledger, flows, refund, run, enrol(ledger, "ana", now))


@contextmanager
def page_of(url: str, hosts: set[str | None]) -> Iterator[Any]:
    """A page in a browser on a small screen; the hosts that it asks are noted down.

    Prefect's client is not to be used while it is open: Playwright keeps an event loop in this thread.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport=LAPTOP)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.goto(url)
        yield page
        browser.close()


def fill_in(form: Any, typed: dict[str, str]) -> None:
    for label, text in typed.items():
        form.locator(".schema-form-property", has_text=label).locator("textarea").fill(text)


def choose(page: Any, form: Any, verdict: str) -> None:
    """Choose from the drop-down with the keyboard, then by the words."""
    property_ = form.locator(".schema-form-property", has_text="Ruling")
    property_.locator(".p-select-button__control").press("ArrowDown")
    page.get_by_role("option", name=verdict, exact=True).click()


def wait_until_in_sight(page: Any, text: str) -> None:
    """Wait until this text of the evidence can be read without scrolling; a timeout when it can't."""
    page.wait_for_function(
        """text => {
            const evidence = document.querySelector('[role=dialog] .markdown-renderer')
            const frame = evidence.getBoundingClientRect()
            const walker = document.createTreeWalker(evidence.querySelector('ul'), NodeFilter.SHOW_TEXT)
            for (let node; (node = walker.nextNode()); ) {
                const start = node.data.indexOf(text)
                if (start < 0) continue
                const range = document.createRange()
                range.setStart(node, start)
                range.setEnd(node, start + text.length)
                const seen = range.getBoundingClientRect()
                return seen.top >= frame.top && seen.bottom <= frame.bottom
            }
            return false
        }""",
        arg=text,
        timeout=5000,
    )


def test_a_form_submitted_in_the_browser_leads_to_one_refund(server: Server, asked: Asked) -> None:
    before, hosts = asked.refunds(), set[str | None]()
    with page_of(f"{server.ui}/runs/flow-run/{asked.run}", hosts) as page:
        page.get_by_role("button", name="Resume").click()
        form = page.get_by_role("dialog")
        form.get_by_text("evidence as of").wait_for()
        wait_until_in_sight(page, str(asked.refund.money))  # what is proposed is read before anything is typed
        code = code_of(asked.given)
        fill_in(form, {"Approver": "ana", "One-time code": code, "Reason": "paid, cancelled, never handed over"})
        choose(page, form, "approve")
        with page.expect_response(lambda response: response.url.endswith("/resume")) as answered:
            form.get_by_role("button", name="Submit").click()
        assert answered.value.ok
    assert hosts <= {urlsplit(server.ui).hostname, None}, "nothing leaves this machine"
    kept = Path(os.environ["PREFECT_HOME"]), Path(str(sqlite_file(asked.tower.ledger))).parent
    assert asked.files_with(code, *kept), "it waits in Prefect's database until the run reads it"

    asked.work()
    assert asked.refunds() == [*before, asked.refund.money.amount]
    assert [effect.state for effect in list_effects(asked.ledger)] == [EffectState.confirmed]
    assert asked.files_with(code, *kept) == [], "read once, and erased"

    asked.work()
    assert asked.refunds() == [*before, asked.refund.money.amount]


def test_nothing_that_somebody_wrote_can_be_clicked_in_prefects_ui(server: Server, asked: Asked) -> None:
    from prefect import flow
    from prefect.artifacts import create_markdown_artifact

    @flow(persist_result=False)
    def shown() -> Any:
        rows = f"| a | b |\n|---|---|\n| {inert(HOSTILE)} | in its cell |"
        told = f"- as it is: {HOSTILE}\n- inert: {inert(HOSTILE)}\n\n{rows}"
        return create_markdown_artifact(key=f"hostile-{os.getpid()}", markdown=told)

    hosts = set[str | None]()
    with page_of(f"{server.ui}/artifacts/artifact/{shown()}", hosts) as page:
        item, row = page.locator("li", has_text="inert:"), page.locator("tr", has_text="in its cell")
        row.wait_for()
        assert page.locator("li", has_text="as it is").locator("a").count() > 2, "this UI makes links"
        for place in (item, row):
            assert place.locator("a, img, code, em, strong, del").count() == 0
            assert "[t](javascript:alert(1))" in place.inner_text()
            assert "https[:]//evil.example/a" in place.inner_text()
        assert row.locator("td").count() == 2
