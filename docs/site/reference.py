"""The reference, from the code: `python docs/site/reference.py` writes docs/reference/.

The pages are kept with the code, so that whoever reads the repository has them too and a change of an option or a rule
is seen in review; tests/docs/test_reference.py fails where they are not as the code says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "reference"
if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[*header], ["---"] * len(header), *([cell(each) for each in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: object) -> str:
    """Text of one cell: one line, no bar that would end it, nothing that would be read as a tag."""
    text = " ".join(str("" if value is None else value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def code(name: object) -> str:
    """A name as code; in code nothing is read as a tag."""
    return f"`{name}`" if name not in (None, "") else ""


def first_line(thing: object) -> str:
    """What a class or function says of itself in its first sentence."""
    return cleandoc(getattr(thing, "__doc__", None) or "").partition("\n\n")[0]


# the tower command


def commands() -> Iterator[str]:
    """Every word of the command line, as it is declared."""
    from typer.main import get_command

    from desk.command import EXITS, app

    yield "# Commands\n\n`tower` and each of its words; `--help` says the same. `--json` prints one object for scripts."
    for words, command in _commands(get_command(app), ("tower",)):
        given = [each for each in command.params if each.name not in ("help", "install_completion", "show_completion")]
        usage = " ".join([*words, *(_usage(each) for each in given if each.param_type_name == "argument")])
        yield f"## {' '.join(words)}\n\n{cleandoc(command.help or '')}\n\n    {usage}"
        if given:
            yield table(("", "default", "means"), map(_parameter, given))
    yield "## Exit codes"
    rows = [(0, "done"), (1, "with `--check`: something would change; otherwise a fault of Python's"), (2, "refused")]
    by_code = [(number, first_line(kind)) for kind, number in EXITS.items()]
    yield table(("code", "means"), [*rows, *by_code, (130, "stopped by Ctrl-C")])


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        yield words, command
    for name, each in inner.items():
        yield from _commands(each, (*words, name))


def _usage(argument: Any) -> str:
    name = argument.name.rstrip("_").upper() + ("..." if argument.nargs == -1 else "")
    return str(name) if argument.required else f"[{name}]"


def _parameter(each: Any) -> tuple[str, str, str]:
    name = _usage(each) if each.param_type_name == "argument" else ", ".join(each.opts)
    default = "must be given" if each.required else "" if each.default in (None, "", False) else str(each.default)
    also = f" Also from {each.envvar}." if each.envvar else ""
    return code(name), default, (each.help or "") + also


def settings() -> Iterator[str]:
    """Every TOWER_ variable."""
    from pydantic_core import PydanticUndefined

    from control_tower.settings import Settings

    yield (
        "# Settings\n\nA setting is a variable of the environment; there is no other place. What is unknown or makes no"
        " sense is refused at the start. The value of a key or token can be `prefect:NAME` where it says so: it is then"
        " read from Prefect's Secret block of that name."
    )
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined, ()) else field.default
        rows.append((code(f"TOWER_{name.upper()}"), default, field.description))
    yield table(("variable", "default", "means"), rows)


def evidence() -> Iterator[str]:
    """Every evidence table: its contract."""
    from data_contracts.reader import load, names

    yield (
        "# Evidence tables\n\nWhat each table promises, from `data_contracts/*.odcs.yaml`. Every row also says its"
        " `source`, its `source_id` there, and when it was `observed_at`. Money is in minor units, times are UTC. An"
        " *error* sets the row aside until the source corrects it; a *warning* keeps it, marked. A column that must be"
        " there and is not, or more broken rows than allowed, stops the lane before any case is touched."
    )
    for contract in map(load, names()):
        yield f"## {contract.name}\n\n{contract.purpose} Version {contract.version}; owner: {contract.owner}. " + (
            _limits(contract)
        )
        yield table(("column", "type", "must be there", "means"), map(_column, contract.columns.values()))
        said = [rule for rule in contract.rules if not rule.name.endswith(("_present", "_unique"))]
        yield table(("rule", "severity", "says"), [(code(r.name), r.severity, r.sentence) for r in said])


def _limits(contract: Any) -> str:
    said = [f"The lane stops where more than {contract.error_share:.0%} of a hundred rows or more are broken"]
    if contract.minimum_rows:
        said.append(f"where fewer than {contract.minimum_rows} are good")
    if contract.stale_after:
        said.append(f"where the newest is older than {contract.stale_after.total_seconds() / 3600:.0f} hours")
    return ", or ".join(said) + "."


def _column(column: Any) -> tuple[str, str, str, str]:
    must = "unique" if column.unique else "yes" if column.required else ""
    example = f" As in {code(column.example)}." if column.example is not None else ""
    return code(column.name), column.type, must, cell(column.description) + example


def policies() -> Iterator[str]:
    """Every policy and every promise: facts, numbers, tables, rules."""
    from policies.document import Policy
    from policies.reader import names, versions

    yield (
        "# Policies\n\nWhat the business decided, from `policies/*.yaml`: the facts that a policy reads, the numbers it"
        " chose and where they come from, and what it finds. [Changing a policy](../changing_a_policy.md) says how."
    )
    for document in (version for name in names() for version in versions(name)):
        until = f" to {document.in_force.until}" if document.in_force.until else ""
        yield f"## {document.reference}\n\nOwner: {document.owner}. In force from {document.in_force.since}{until}."
        if isinstance(document, Policy):
            yield table(("finding", "means", "severity", "team", "then"), map(_rule, document.rules))
        if document.tables:
            rows = [
                (code(n), t.means, ", ".join(map(str, t.outcomes)), len(t.rows)) for n, t in document.tables.items()
            ]
            yield table(("table", "means", "outcomes, the best first", "rows"), rows)
        if document.thresholds:
            yield table(("number", "value", "unit", "source"), map(_threshold, document.thresholds.items()))
        facts = [(code(name), fact.type, fact.means, fact.owner) for name, fact in document.facts.items()]
        yield table(("fact", "type", "means", "ask"), facts)


def _rule(rule: Any) -> tuple[str, str, str, str, str]:
    severities = " or ".join(dict.fromkeys(str(row.severity) for row in rule.severity))
    teams = " or ".join(dict.fromkeys(row.team for row in rule.team))
    then = [f"propose {each.action}" for each in rule.propose] + [f"advise {each.action}" for each in rule.advise]
    return code(rule.kind), rule.means, severities, teams, ", ".join(then)


def _threshold(named: tuple[str, Any]) -> tuple[str, str, str, str]:
    name, number = named
    dated = [f"{each.value:g} from {each.since}" for each in number.values]
    return code(name), ", ".join(dated), number.unit, number.source


def measured() -> Iterator[str]:
    """Every measure."""
    from policies.measures import measures

    yield "# Measures\n\nWhat `tower measure` works out, from `policies/measures.yaml`; [how](../measures.md)."
    rows = [(code(m.id), m.means, m.kind, m.better, ", ".join(m.needs), m.source) for m in measures().measures]
    yield table(("measure", "means", "kind", "better", "needs", "source"), rows)


def errors() -> Iterator[str]:
    """Every error that is raised on purpose."""
    from control_tower import errors as module
    from desk.command import EXITS

    yield (
        "# Errors\n\nEvery error says where, what, and in brackets what to do. `tower` prints it as one line on"
        " standard error and ends with its code. What to do in each case is in [Operating](../operating.md#errors)."
    )
    rows = []
    for name, kind in vars(module).items():
        if isinstance(kind, type) and issubclass(kind, module.TowerError) and kind is not module.TowerError:
            number = next((code for root, code in EXITS.items() if issubclass(kind, root)), 2)
            rows.append((code(name), number, first_line(kind)))
    yield table(("error", "exit code", "means"), rows)


def ledger() -> Iterator[str]:
    """Every table of the ledger."""
    from sqlmodel import SQLModel

    for room in ("ledger", "model", "slack"):
        for found in iter_modules([str(PROJECT / "control_tower" / room)], f"control_tower.{room}."):
            if not found.ispkg:
                import_module(found.name)  # which registers its rows, if it has any
    yield (
        "# Ledger\n\nThe tables of `TOWER_LEDGER_URL`. A `body` is a [noun](nouns.md), as JSON. Read them as you like;"
        " only the tower writes them, and `tower audit verify` finds what anybody else wrote."
    )
    for row in sorted(SQLModel.__subclasses__(), key=lambda each: str(getattr(each, "__tablename__", ""))):
        kept = getattr(row, "__table__", None)
        if kept is None or not row.__module__.startswith("control_tower."):
            continue
        yield f"## {kept.name}\n\n{first_line(row)}"
        rows = [
            (code(c.name), type(c.type).__name__.removeprefix("Auto").lower(), "key" if c.primary_key else "")
            for c in kept.columns
        ]
        yield table(("column", "type", ""), rows)


def nouns() -> Iterator[str]:
    """Every noun of a case's life, and every word that one of them may have."""
    from enum import StrEnum

    from control_tower import nouns as module

    yield f"# Nouns\n\n`control_tower/nouns.py`. {first_line(module)} [Concepts](../concepts.md) has the picture."
    for name, kind in vars(module).items():
        if not isinstance(kind, type) or kind.__module__ != module.__name__:
            continue
        if issubclass(kind, module.Noun) and kind is not module.Noun:
            yield f"## {name}\n\n{first_line(kind)}"
            rows = [(code(n), _type(f.annotation), f.description) for n, f in kind.model_fields.items()]
            yield table(("field", "type", "means"), rows)
        elif issubclass(kind, StrEnum):
            yield f"## {name}\n\n{first_line(kind)}\n\n" + ", ".join(code(each.value) for each in kind)


def _type(annotation: Any) -> str:
    plain = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else annotation
    text = str(plain)
    for long in ("control_tower.nouns.", "typing.", "datetime."):
        text = text.replace(long, "")
    return code("moment" if "AwareDatetime" in text else "JSON" if "JsonValue" in text else text)


def schedules() -> Iterator[str]:
    """What runs when."""
    from ruamel.yaml import YAML

    yield "# Schedules\n\nFrom `deployments/prefect.yaml`, which `tower deploy` applies; `tower up` does it by itself."
    rows = []
    for each in YAML(typ="safe").load((PROJECT / "deployments" / "prefect.yaml").read_text("utf-8"))["deployments"]:
        when = [f"{one['cron']} {one.get('timezone', 'UTC')}" for one in each.get("schedules", [])]
        rows.append((code(each["name"]), ", ".join(map(code, when)) or "opened as needed", each["description"]))
    yield table(("deployment", "when", "does"), rows)


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "commands": commands, "settings": settings, "evidence": evidence, "policies": policies, "measures": measured,
    "errors": errors, "ledger": ledger, "nouns": nouns, "schedules": schedules,
}  # fmt: skip


def page(name: str) -> str:
    """The text of one page."""
    parts = ["<!-- Made by docs/site/reference.py from the code. -->", *PAGES[name]()]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in PAGES:
        (FOLDER / f"{each}.md").write_text(page(each), "utf-8")
