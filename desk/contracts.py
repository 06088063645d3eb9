"""`tower contract`: are the contracts sound, and how does the evidence stand against them?"""

from __future__ import annotations

import data_contracts
from control_tower.errors import ContractError
from control_tower.settings import settings
from desk.run import when
from desk.show import as_json, out, table


def test(*, json: bool) -> None:
    """Lint every contract.

    Raises:
        ContractError: at least one has a problem.
    """
    problems = {name: list(data_contracts.lint(name)) for name in data_contracts.names()}
    if json:
        as_json(problems)
    else:
        table(
            "Contracts",
            ("contract", "owner", "rules", "problems"),
            [
                (c.reference, c.owner, len(c.rules), "; ".join(problems[name]) or "none")
                for name in data_contracts.names()
                if not problems[name]
                for c in [data_contracts.load(name)]
            ]
            + [(name, "-", "-", "; ".join(found)) for name, found in problems.items() if found],
        )
    if any(problems.values()):
        raise ContractError("a contract has problems", remedy="see above")


def docs(lane: str, source: str, mapping: str | None, as_of: str | None) -> None:
    """Check a lane's evidence and write the pages."""
    tower = settings()
    from flows.lanes import find_lane
    from tasks.pages import write_contract_pages

    moment = when(as_of, source, mapping, tower)
    page = write_contract_pages(find_lane(lane).tables, source, mapping, moment, tower.folder / "contracts")
    out.print(f"open {page}", soft_wrap=True, highlight=False)
