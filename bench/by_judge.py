"""The part of bench/rules.py that is ours: facts to judge, the judge itself, and its conditions for engines.

Usage: python bench/by_judge.py facts|judge|sample FOLDER NUMBER
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from control_tower.keeping import Archive, Kept
from policies import Policy, judge, load
from policies.judgement import columns_of
from policies.tree import And, Arithmetic, Comparison, Constant, Kind, Membership, Name, Node, Not, Or
from policies.truth import evaluate

HERE = Path(__file__).parent
AS_OF = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def twenty() -> Policy:
    """The policy of the twenty rules."""
    return load(HERE / "twenty.yaml", AS_OF)


def facts(folder: Path, rows: int) -> dict[str, Any]:
    """Keep made-up orders, few of them exceptional; each fact but the name is missing in 15 of 100."""
    random = np.random.default_rng(7)

    def words(*several: str, shares: tuple[float, ...] | None = None) -> Any:
        return pd.Series(random.choice(np.array(several, dtype=object), rows, p=shares), dtype="str")

    def flag(share: float) -> Any:
        return pd.Series(random.random(rows) < share, dtype="boolean")

    def number(values: Any, kind: str = "Float64") -> Any:
        return pd.Series(values, dtype=kind)

    amount = random.integers(500, 40_000, rows)
    shipped = random.random(rows) < 0.9
    refunded = np.where(random.random(rows) < 0.03, amount + 100, 0)
    columns = {
        "currency": words("EUR", "USD", "GBP"),
        "status": words("open", "shipped", "delivered", shares=(0.1, 0.1, 0.8)),
        "country": words("DE", "FR", "AT", "NL", "XA", shares=(0.6, 0.2, 0.1, 0.098, 0.002)),
        "carrier": words("falke", "storch", "kranich", "bike", shares=(0.4, 0.3, 0.29, 0.01)),
        "service": words("standard", "express", "economy", shares=(0.7, 0.1, 0.2)),
        "channel": words("web", "app", "shop"),
        "paid": flag(0.97),
        "shipped": number(shipped, "boolean"),
        "delivered": number(shipped & (random.random(rows) < 0.95), "boolean"),
        "cancelled": flag(0.02),
        "gift": flag(0.05),
        "on_hold": flag(0.01),
        "amount": number(amount, "Int64"),
        "paid_amount": number(amount + np.where(random.random(rows) < 0.02, 100, 0), "Int64"),
        "refunded_amount": number(refunded, "Int64"),
        "weight": number(random.exponential(5, rows)),
        "hours_since_placed": number(random.exponential(200, rows)),
        "hours_past_promise": number(random.normal(-40, 40, rows)),
        "days_silent": number(random.exponential(1, rows)),
        "orders_before": number(random.poisson(3, rows), "Int64"),
        "returns_before": number(random.poisson(0.4, rows), "Int64"),
        "risk": number(random.random(rows) ** 2),
        "items": number(random.poisson(3, rows) + 60 * (random.random(rows) < 0.001), "Int64"),
        "scans": number(random.poisson(6, rows), "Int64"),
    }
    gaps = {name: column.mask(random.random(rows) < 0.15) for name, column in columns.items()}
    names = number([f"A{place:08}" for place in range(rows)], "str")
    archive = Archive(folder.as_uri())
    kept = archive.keep_frame("facts", pd.DataFrame({"order_id": names, **gaps}))
    (folder / "facts.json").write_text(kept.model_dump_json())
    return {"path": archive.location(kept)}


def judged(folder: Path, rounds: int) -> dict[str, Any]:
    """Kept facts in, findings kept by their hash, as the lane does it; the best of a few rounds."""
    policy, archive = twenty(), Archive(folder.as_uri())
    kept = Kept.model_validate_json((folder / "facts.json").read_text())
    judge(policy, archive.frame(kept, list(policy.columns)).head(1000), AS_OF)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        frame = archive.frame(kept, list(policy.columns))
        read = time.perf_counter()
        found = judge(policy, frame, AS_OF)
        said = time.perf_counter()
        findings = archive.keep_frame("findings", found)
        times.append((time.perf_counter() - began, read - began, said - read, time.perf_counter() - said))
    seconds, reading, judging, keeping = min(times)
    return {
        "yes": min(yes_alone(policy, frame) for _ in range(rounds)),
        "seconds": seconds,
        "reading": reading,
        "judging": judging,
        "keeping": keeping,
        "findings": len(found),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "path": archive.location(findings),
    }


def yes_alone(policy: Policy, frame: pd.DataFrame) -> float:
    """Seconds for the rows to which each rule says yes, and nothing else: what engines by the row are asked for."""
    began = time.perf_counter()
    columns = columns_of(policy, frame, AS_OF)
    for rule in policy.rules:
        np.flatnonzero(evaluate(policy.expression(rule.when), columns).yes)
    return time.perf_counter() - began


def sample(folder: Path, rows: int) -> dict[str, Any]:
    """The first records as JSON, the rules in the engines' own languages, and to whom each rule says yes."""
    policy, archive = twenty(), Archive(folder.as_uri())
    kept = Kept.model_validate_json((folder / "facts.json").read_text())
    frame = archive.frame(kept, list(policy.columns)).head(rows)
    plain = frame.astype(object).where(frame.notna(), None)
    (folder / "sample.json").write_text(json.dumps(plain.to_dict("records")))
    thresholds = policy.thresholds_on(AS_OF)
    written = {
        language: {rule.kind: said(policy.expression(rule.when).tree, words, thresholds) for rule in policy.rules}
        for language, words in LANGUAGES.items()
    }
    (folder / "rules.json").write_text(json.dumps(written))
    found = judge(policy, frame, AS_OF)
    yes = found[found["answer"] == "yes"]
    return {kind: [int(row) for row in yes.loc[yes["kind"] == kind, "row"].sort_values()] for kind in policy.kinds}


Words = Callable[..., str]


def zen_words(name: str, literal: Any = None) -> str:
    """A fact, or a literal, in GoRules' language."""
    return name or json.dumps(literal)


def python_words(name: str, literal: Any = None) -> str:
    """A fact, or a literal, in Python as ezrules has it: `$name` is a field of the record."""
    return f"${name}" if name else repr(literal)


LANGUAGES: dict[str, Words] = {"zen": zen_words, "python": python_words}


def said(node: Node, words: Words, numbers: dict[str, float], *, wanted: bool = True) -> str:
    """A condition that holds exactly where ours says yes (or no): whatever it compares is known first."""
    nothing = "null" if words is zen_words else "None"
    true, false = words("", True), words("", False)
    match node:
        case Name(name):
            return f"{words(name)} == {true if wanted else false}"
        case Not(operand):
            return said(operand, words, numbers, wanted=not wanted)
        case And(parts) | Or(parts):
            joined = " and " if isinstance(node, And) is wanted else " or "
            return "(" + joined.join(said(part, words, numbers, wanted=wanted) for part in parts) + ")"
        case Membership(Name(name), choices):
            listed = "[" + ", ".join(words("", choice) for choice in choices) + "]"
            return f"({words(name)} != {nothing} and {words(name)} {'in' if wanted else 'not in'} {listed})"
        case Comparison(sign, left, right):
            known = [f"{words(name)} != {nothing}" for name in sorted(_facts(left, numbers) | _facts(right, numbers))]
            known += [f"{words(name)} != 0" for name in sorted(_divisors(left))]
            how = sign if wanted else OPPOSITE[sign]
            sides = (_value(left, words, numbers), _value(right, words, numbers))
            return "(" + " and ".join([*known, f"{sides[0]} {how} {sides[1]}"]) + ")"
    raise SystemExit(f"no words for {node}")


def _value(node: Node, words: Words, numbers: dict[str, float]) -> str:
    match node:
        case Name(name):
            return words("", numbers[name]) if name in numbers else words(name)
        case Constant(value, kind):
            return words("", value if kind is not Kind.boolean else bool(value))
        case Arithmetic(sign, left, right):
            return f"({_value(left, words, numbers)} {sign} {_value(right, words, numbers)})"
    raise SystemExit(f"no words for {node}")


def _facts(node: Node, numbers: dict[str, float]) -> set[str]:
    match node:
        case Name(name):
            return set() if name in numbers else {name}
        case Arithmetic(_, left, right):
            return _facts(left, numbers) | _facts(right, numbers)
    return set()


def _divisors(node: Node) -> set[str]:
    match node:
        case Arithmetic("/", _, Name(name)):
            return {name}
    return set()


if __name__ == "__main__":
    part = {"facts": facts, "judge": judged, "sample": sample}[sys.argv[1]]
    print(json.dumps(part(Path(sys.argv[2]).resolve(), int(sys.argv[3]))))
