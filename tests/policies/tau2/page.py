"""The tables of docs/tau2_retail.md, worked out anew: `python -m tests.policies.tau2.page FOLDER` writes them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from tests.policies.tau2.comparison import HERE, KINDS, Compared, compare

PAGE = HERE.parents[2] / "docs" / "tau2_retail.md"
REASONS = HERE / "differences.yaml"
SPOKEN = {"hand_over": "hand to a person", "modify": "modify"}


@dataclass(frozen=True)
class Reason:
    """Why one task differs, and what differed when somebody said so."""

    why: str
    because: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


def reasons() -> tuple[dict[str, str], dict[str, Reason]]:
    """The kinds of reason with their meaning, and the reason of each differing task."""
    kept = YAML(typ="safe").load(REASONS)
    given = {
        one["task"]: Reason(one["why"], one["because"], tuple(one["ours"]), tuple(one["theirs"]))
        for one in kept["differences"]
    }
    assert len(given) == len(kept["differences"]), "a task has two reasons"
    return kept["reasons"], given


def tables(compared: list[Compared]) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "rates": _rates(compared),
        "kinds": _kinds(compared),
        "reasons": _reasons(compared),
        "agreements": _agreements(compared),
        "differences": _differences(compared),
    }


def _rates(compared: list[Compared]) -> str:
    built = [one for one in compared if not one.held_out]
    held_out = [one for one in compared if one.held_out]
    rows = [("all", compared), ("built with: train", built), ("held out: test", held_out)]
    told = [
        (
            name,
            len(tasks),
            _share(sum(one.agrees for one in tasks), len(tasks)),
            _share(sum(one.agrees_without_modify for one in tasks), len(tasks)),
            _share(sum(one.same_orders for one in tasks), len(tasks)),
        )
        for name, tasks in rows
    ]
    return _table(
        ("tasks", "number", "same kinds", "same kinds, modify left out", "same kinds of the same orders"), told
    )


def _kinds(compared: list[Compared]) -> str:
    told = []
    for kind in (*KINDS, "nothing"):
        ours = {one.task for one in compared if kind in (one.ours or ("nothing",))}
        theirs = {one.task for one in compared if kind in (one.theirs or ("nothing",))}
        told.append((_say((kind,)), *map(len, (theirs, ours, ours & theirs, ours - theirs, theirs - ours))))
    return _table(("", "the tasks' own", "ours", "both", "ours alone", "theirs alone"), told)


def _reasons(compared: list[Compared]) -> str:
    meanings, given = reasons()
    counted = Counter(given[one.task].why for one in compared if not one.agrees)
    return _table(("reason", "tasks", "meaning"), [(why, counted[why], means) for why, means in meanings.items()])


def _agreements(compared: list[Compared]) -> str:
    agreeing: dict[tuple[str, ...], list[str]] = {}
    for one in compared:
        if one.agrees:
            agreeing.setdefault(one.ours, []).append(one.task)
    ordered = sorted(agreeing.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return _table(
        ("both", "number", "tasks"), [(_say(kinds), len(tasks), ", ".join(tasks)) for kinds, tasks in ordered]
    )


def _differences(compared: list[Compared]) -> str:
    _, given = reasons()
    told = []
    for one in compared:
        if not one.agrees:
            task = one.task + (" *" if one.held_out else "")
            unknown = " (unknown)" if one.unknown else ""
            told.append(
                (task, _say(one.ours) + unknown, _say(one.theirs), given[one.task].why, given[one.task].because)
            )
    return _table(("task", "ours", "the task's own", "reason", "why"), told)


def _say(kinds: tuple[str, ...]) -> str:
    return ", ".join(SPOKEN.get(kind, kind) for kind in kinds) or "nothing"


def _share(some: int, whole: int) -> str:
    return f"{some} ({100 * some / whole:.0f} %)"


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def with_tables(page: str, told: dict[str, str]) -> str:
    """The page with each table in its place, between its two marks."""
    for name, table in told.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert mark, f"the page has no place for the table {name}"
        assert end, f"the table {name} has no end"
        page = f"{before}{mark}{table}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(), tables(compare(Path(sys.argv[1])))))
