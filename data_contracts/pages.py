"""A page of the contracts and how the evidence stands against them: one file, no script, nothing fetched.

It shows counts and sentences, never the values of rows, so that no personal data leaves the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.checks import MANY, Checked, RuleCount
from data_contracts.contract import Contract

if TYPE_CHECKING:
    import pandas as pd

STYLE = """
:root { color-scheme: light dark; --line: #8886; --quiet: #667; --bad: #b3261e; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --quiet: #aab; --bad: #ff8a80; --good: #7fd8a0; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; }
.quiet { color: var(--quiet); } .bad { color: var(--bad); } .good { color: var(--good); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; }
tr { border-bottom: 1px solid var(--line); }
caption { text-align: left; font-weight: 600; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Markup(str):
    """Text that is HTML already; every other text is escaped where it is put in."""


def write_pages(folder: Path, results: Mapping[str, tuple[Contract, Checked, pd.DataFrame]], title: str) -> Path:
    """Write the page, and Great Expectations' Data Docs beside it; the page's path.

    Args:
        folder: made when it is not there; an earlier page is replaced.
        results: table -> its contract, what its check found, and the frame that was checked; Data Docs
            take the first 10,000 rows of it.
        title: what was checked, as in: olist as of 2018-09-03 18:00.
    """
    from data_contracts.data_docs import write_data_docs

    folder.mkdir(parents=True, exist_ok=True)
    write_data_docs(folder / "data_docs", [(contract, frame) for contract, _, frame in results.values()])
    page, half = folder / "index.html", folder / ".index.html.half"
    half.write_text(_page([(contract, checked) for contract, checked, _ in results.values()], title), "utf-8")
    half.replace(page)
    return page


def _element(tag: str, *inside: object, **attributes: str) -> Markup:
    """An element; whatever is put in it or in its attributes is escaped unless it is Markup."""
    given = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{given}>{''.join(map(_escaped, inside))}</{tag}>")


def _escaped(part: object) -> str:
    return part if isinstance(part, Markup) else escape(str(part))


def _page(results: Sequence[tuple[Contract, Checked]], title: str) -> str:
    docs = _element("a", "Great Expectations' Data Docs of a sample", href="data_docs/index.html")
    body = [
        _element("h1", title),
        _overview(results),
        _element("p", docs, " (its pages load styles from the internet)", class_="quiet"),
        *(_contract(contract, checked) for contract, checked in results),
    ]
    head = [
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        _element("title", title),
        Markup(f"<style>{STYLE}</style>"),
    ]
    page = _element("html", _element("head", *head), _element("body", _element("main", *body)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _overview(results: Sequence[tuple[Contract, Checked]]) -> Markup:
    rows = [
        (
            _element("a", contract.reference, href=f"#{contract.name}"),
            contract.owner,
            f"{checked.rows:,}",
            f"{checked.bad_rows:,}",
            f"{_marked(checked):,}",
            f"{len(checked.breaches):,}",
            _standing(checked),
        )
        for contract, checked in results
    ]
    titles = ("Contract", "Owner", "Rows", "Broken rows", "Marked rows", "Breaches", "Standing")
    return _table("How the evidence stands", titles, rows)


def _marked(checked: Checked) -> int:
    """Rows that a warning keeps with a mark."""
    return int(checked.failures.loc[checked.failures["severity"] == "warning", "row"].nunique())


def _standing(checked: Checked) -> Markup:
    if checked.breaches:
        return _element("span", "the table can't be relied on", class_="bad")
    if checked.bad_rows:
        return _element("span", "good rows go on, broken rows are set aside", class_="good")
    return _element("span", "kept", class_="good")


def _contract(contract: Contract, checked: Checked) -> Markup:
    breaches = [_element("li", _element("strong", breach.rule), ": ", breach.sentence) for breach in checked.breaches]
    return _element(
        "section",
        _element("h2", contract.reference),
        _element("p", contract.purpose),
        _element("p", f"Owner: {contract.owner}. {' '.join(_promises(contract))}", class_="quiet"),
        *([_element("ul", *breaches, class_="bad")] if breaches else []),
        _rules(contract, checked.rules),
        _element("details", _element("summary", f"{len(contract.columns)} columns"), _columns(contract)),
        id=contract.name,
    )


def _promises(contract: Contract) -> Iterable[str]:
    """What is promised of the whole table."""
    yield f"At most {contract.error_share:.1%} of {MANY} rows or more may be broken."
    if contract.minimum_rows:
        yield f"At least {contract.minimum_rows:,} good rows."
    if contract.stale_after:
        yield f"Observed within {contract.stale_after / timedelta(hours=1):,.0f} hours."


def _rules(contract: Contract, counts: Iterable[RuleCount]) -> Markup:
    written = {rule.name: rule for rule in contract.rules}
    rows = [
        (
            _element("code", count.name),
            count.severity,
            count.sentence,
            ", ".join(written[count.name].columns),
            f"{count.count:,}" if count.ran else _element("span", f"not asked: {count.fault}", class_="bad"),
        )
        for count in counts
    ]
    return _table("Rules", ("Rule", "Severity", "Promise", "Columns", "Rows that break it"), rows)


def _columns(contract: Contract) -> Markup:
    rows = [
        (
            _element("code", column.name),
            column.type,
            "yes" if column.required else "no",
            column.time or "",
            column.description,
        )
        for column in contract.columns.values()
    ]
    return _table("Columns", ("Column", "Type", "Required", "Time", "Meaning"), rows)


def _table(caption: str, titles: Iterable[str], rows: Iterable[Iterable[object]]) -> Markup:
    head = _element("tr", *(_element("th", title, scope="col") for title in titles))
    body = [_element("tr", *(_element("td", cell) for cell in row)) for row in rows]
    whole = _element("table", _element("caption", caption), _element("thead", head), _element("tbody", *body))
    return _element("div", whole, class_="scroll")
