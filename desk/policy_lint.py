"""`tower policy lint`: what is wrong with the policies, proved, and the records that show it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from desk.policies import files
from desk.show import as_json, out, printable, table
from policies.lint import Finding, Level, lint

AUTHORITY = "authority"


def lint_policies(names: list[str], *, json: bool, examples: bool, shop: str) -> None:
    """Look for faults in every version of the policies named, or of all.

    Args:
        names: documents of this house, or files.
        examples: print the records that show the faults, as YAML that can be put beside a policy.
        shop: of a shop of the tower's file: what it has otherwise, and its authority.

    Raises:
        SystemExit: there is a fault, or something that could not be decided; the status is 1.
        PolicyError: there is no such policy, or a file is malformed.
    """
    lanes = [name for name in names if name != AUTHORITY]
    shipped = [*lint(lanes), *_mistyped(lanes)] if not shop and (lanes or not names) else []
    found = _in_shop(shop) if shop else shipped
    if AUTHORITY in names or not names:
        found += _authority(shop)
    found.sort(key=lambda one: (one.file, one.line))
    if json:
        as_json([one.model_dump(mode="json") for one in found])
    elif examples:
        sys.stdout.write(_as_examples(found))
    else:
        _as_table(found)
    if any(one.level is not Level.note for one in found):
        raise SystemExit(1)


def _in_shop(shop: str) -> list[Finding]:
    from control_tower.settings import settings
    from control_tower.shops import settings_of
    from policies.lint.linting import lint_overrides

    folder = settings_of(f"shop:{shop}", settings()).policies
    return lint_overrides(folder) if folder else []


def _authority(shop: str) -> Iterator[Finding]:
    """What written authority leaves to nobody, and roles that nobody is enrolled in where somebody is."""
    from control_tower.ledger import open_ledger
    from control_tower.ledger.approvers import holders
    from control_tower.settings import settings
    from control_tower.shops import settings_at
    from control_tower.written.plain_yaml import line_of
    from control_tower.written.validation import content_of, tree
    from policies.authority import SHIPPED, authority
    from policies.authority.checks import findings

    tower = settings()
    file = settings_at(shop, tower).authority or SHIPPED
    written = authority(file, tower.authority)
    held = frozenset(holders(open_ledger(tower.ledger), shop))
    place = tree(str(file), content_of(file))
    for fault in findings(written, held or None):
        yield Finding(
            check="authority", level=Level.note if "nobody is enrolled" in fault.what else Level.fault,
            document=written.reference, where=".".join(map(str, fault.place)), file=str(file),
            line=line_of(place, fault.place), sentence=f"{fault.what}: {fault.remedy}".rstrip(": "),
        )  # fmt: skip


def _mistyped(names: list[str]) -> Iterator[Finding]:
    """Facts that a lane's signals give in another type, or not at all, than its policy declares."""
    from control_tower.settings import settings
    from control_tower.written.plain_yaml import line_of, tree_of
    from flows.lanes import find_lane, lanes
    from policies.document import Policy
    from policies.reader import read
    from tasks.signals import mistyped

    for file in files(names):
        document = read(file)
        if isinstance(document, Policy) and document.id in lanes():
            tree = tree_of(file.read_bytes(), str(file))
            for name, sentence in mistyped(find_lane(document.id), document, settings()).items():
                yield Finding(
                    check="signals", level=Level.fault, document=document.reference, where=f"facts.{name}",
                    file=str(file), line=line_of(tree, ("facts", name)), sentence=sentence,
                )  # fmt: skip


def _as_table(found: Sequence[Finding]) -> None:
    counted = Counter(one.level for one in found)
    title = ", ".join(f"{counted[level]} {level.value}{'s' if level is not Level.undecided else ''}" for level in Level)
    rows = [
        (one.level.value, one.check, f"{Path(one.file).name}:{one.line}", one.where, _sentence(one)) for one in found
    ]
    if rows:
        table(f"Policies: {title}", ("level", "check", "file", "where", "what"), rows)
    else:
        out.print("Nothing is wrong with the policies.")


def _sentence(one: Finding) -> str:
    return f"{one.sentence} Accepted: {one.accepted}" if one.accepted else one.sentence


def _as_examples(found: Sequence[Finding]) -> str:
    shown = [one for one in found if one.example]
    parts = [f"# {one.document}, {one.level.value}: {printable(one.sentence)}\n{one.example}" for one in shown]
    return "examples:\n" + "".join(parts) if parts else ""
