"""`tower policy test` and `tower policy explain`: what a policy says, of its examples and of a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_tower.errors import PolicyError
from desk.show import as_json, out, printable, table

if TYPE_CHECKING:
    from control_tower.nouns import Case
    from policies.document import Document, Policy
    from policies.explanation import Explained
    from policies.nearest_change import Change

SHOWN = 5


def files(names: list[str]) -> list[Path]:
    """The files of documents named, or of a path; of every document of this house when none is named."""
    from policies.reader import files_of
    from policies.reader import names as shipped

    return [file for name in (names or shipped()) for file in files_of(name)]


def test(names: list[str], *, json: bool, shop: str) -> None:
    """Run the examples of documents, as a shop has them where one is named.

    Exits with 1 when one is not kept or a document can't be read.
    """
    from policies.examples import failing
    from policies.reader import family, read, undecided_examples

    rows: list[dict[str, Any]] = list(_in_shop(names, shop)) if shop else []
    for file in files(names) if not shop else ():
        try:
            document = read(file)
            told = failing(document, family(file))
        except PolicyError as fault:
            rows.append({"policy": file.stem, "examples": 0, "faults": [str(fault)]})
            continue
        if document.id not in {row["policy"].partition("@")[0] for row in rows}:  # once for all versions
            told += [f"{name}: no version is in force on its day" for name in undecided_examples(file)]
        rows.append({"policy": document.reference, "examples": len(document.examples), "faults": told})
    if json:
        as_json(rows)
    else:
        table(
            "Examples",
            ("policy", "examples", "not kept"),
            [(row["policy"], row["examples"], "\n".join(map(printable, row["faults"])) or "-") for row in rows],
            right=("examples",),
        )
    if any(row["faults"] for row in rows):
        raise SystemExit(1)


def _in_shop(names: list[str], shop: str) -> Iterator[dict[str, Any]]:
    """The examples of what a shop has otherwise: the house's, with those that its own say otherwise, and its own."""
    from control_tower.settings import settings
    from control_tower.shops import settings_of
    from policies.document import Entitlement
    from policies.examples import failing
    from policies.inheriting import laid_over, overridden

    folder = settings_of(f"shop:{shop}", settings()).policies
    there = dict.fromkeys(file.stem.partition("@")[0] for file in overridden(folder)) if folder else {}
    for name in [name for name in there if not names or name in names]:
        every = laid_over(name, folder) if folder else []
        family = [laid.document for laid in every if isinstance(laid.document, Entitlement)]
        for document in [laid.document for laid in every if laid.file]:
            told = failing(document, family)
            yield {"policy": document.reference, "examples": len(document.examples), "faults": told}


def explain(handle: str, *, json: bool) -> None:
    """Which rule said what of a case, from which values, under which version, and what would change it."""
    from control_tower.ledger import open_ledger
    from control_tower.ledger.dossiers import dossier
    from control_tower.settings import settings

    case = dossier(open_ledger(settings().ledger), handle).case
    policy = _policy_of(case)
    told = [_explained(policy, case, facts) for facts in case.evidence.facts]
    if json:
        as_json(
            {
                "case": case.id,
                "policy": policy.reference,
                "as_of": case.evidence.as_of.isoformat(),
                "subjects": [
                    {**one.model_dump(mode="json"), "changes": [asdict(change) for change in changes]}
                    for one, changes in told
                ],
            }
        )
        return
    out.print(f"case {case.id} · {policy.reference} · as of {case.evidence.as_of:%Y-%m-%d %H:%M} UTC", highlight=False)
    for one, changes in told[:SHOWN]:
        _show(one, changes)
    if len(told) > SHOWN:
        out.print(f"and {len(told) - SHOWN} more; --json has them all", highlight=False)


def _policy_of(case: Case) -> Policy:
    """The very version that judged a case."""
    from policies.document import Policy
    from tasks.shops import version_of

    found: Document = version_of(case)
    if not isinstance(found, Policy):
        raise PolicyError(f"{found.reference} has no rules", where=f"case {case.id}")
    return found.model_copy(update={"as_of": case.evidence.as_of.date()})


def _explained(policy: Policy, case: Case, facts: dict[str, Any]) -> tuple[Explained, list[Change]]:
    from policies.explanation import explained
    from policies.nearest_change import nearest_changes

    known = _moments(policy, facts)
    one = explained(policy, known, case.evidence.as_of)
    asked = [read.table for read in one.promised] + [f.kind for f in one.findings if f.answer != "no"]
    changes = [change for name in asked for change in nearest_changes(policy, known, case.evidence.as_of, name)]
    return one, changes


def _moments(policy: Policy, facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as kept, with moments as moments again."""
    moments = {
        name: datetime.fromisoformat(str(facts[name]))
        for name, fact in policy.facts.items()
        if fact.type == "timestamp" and facts.get(name) is not None
    }
    return facts | moments


def _show(one: Explained, changes: Iterable[Change]) -> None:
    out.rule(printable(one.subject))
    if one.promised:
        table(
            "What was promised",
            ("table", "outcome", "by clause", "because", "today"),
            [
                (
                    read.table,
                    _word(read.outcome),
                    read.clause or f"needs {', '.join(read.missing) or 'a version in force'}",
                    printable(read.because),
                    _word(read.today),
                )
                for read in one.promised
            ],
        )
    table(
        "What the rules say",
        ("rule", "answer", "because", "from"),
        [
            (
                finding.kind,
                finding.answer.value,
                printable(finding.sentence),
                printable(", ".join(f"{name} = {_word(value)}" for name, value in finding.values.items())),
            )
            for finding in sorted(one.findings, key=lambda finding: finding.answer == "no")
        ],
    )
    said = [printable(change.sentence) for change in changes]
    if said:
        out.print("What would have to change:", highlight=False)
        for sentence in said:
            out.print(f"  - {sentence}", markup=False, highlight=False)


def _word(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
