"""Prepare: let a model, where one is configured, choose what a person sees first. It changes nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import Field

from control_tower.errors import PolicyError
from control_tower.keeping.step import step
from control_tower.ledger import Ledger, open_ledger
from control_tower.ledger.cases import queue
from control_tower.model import Why, ask
from control_tower.model.briefs import Brief, Briefs
from control_tower.model.redaction import Redactor, tower_key
from control_tower.nouns import Case, Noun
from control_tower.settings import Settings, settings
from policies import Policy
from policies.disclosure import Disclosure
from tasks.exhibits import Exhibits, exhibits_of
from tasks.selection import brief_of, question, template


class Prepared(Noun):
    """How many briefs a model made, how many are from a template and why, and how many stay as they were."""

    model: str
    by_model: int
    by_template: dict[str, int] = Field(default={})
    same: int

    @property
    def markdown(self) -> str:
        """The counts, for the artifact."""
        templates = ", ".join(
            f"{count} from a template because {Why(why).words}" for why, count in self.by_template.items()
        )
        return "; ".join(part for part in (f"{self.by_model} briefs by {self.model}", templates) if part)


@step(touches="the model")
def prepare(lane: str, shop: str) -> Prepared:
    """Prepare the briefs of this lane's open cases whose evidence is new, those of the highest priority first.

    A model that fails, is slow or is spent leaves a template with the reason; no case waits for it longer than its
    deadline, and after a few failures none waits at all.
    """
    tower = settings()
    ledger = open_ledger(tower.ledger)
    briefs = Briefs(ledger)
    key = tower_key(tower.folder)
    cases = [Case.model_validate(row.body) for row in queue(ledger) if row.lane == lane and row.shop == shop]
    known = briefs.of([case.id for case in cases])
    counted: Counter[str] = Counter()
    read = same = 0
    policies: dict[str, tuple[Policy, Disclosure]] = {}
    for case in cases:
        try:
            exhibits = exhibits_of(case, policies)
        except PolicyError:  # the version that judged it is gone; the next look judges it anew
            continue
        before = known.get(case.id)
        if before and before.evidence == exhibits.digest and before.source == "model":
            same += 1
            continue
        made = template(case, exhibits, Why.too_many.value)
        if read < tower.model_cases_a_run:
            made, asked = prepared(ledger, tower, case, exhibits, key)
            read += asked
        briefs.keep(made, datetime.now(UTC))
        counted[made.why] += 1
    by_model = counted.pop("", 0)
    return Prepared(model=tower.model or "", by_model=by_model, by_template=dict(counted), same=same)


def prepared(ledger: Ledger, tower: Settings, case: Case, exhibits: Exhibits, key: bytes) -> tuple[Brief, bool]:
    """The brief of one case, a model's if its answer holds and else a template's; and whether anybody was asked."""
    redactor = Redactor(key, case.id, exhibits.own)
    found = ask(ledger, tower, question(case, exhibits, redactor))
    return brief_of(case, exhibits, redactor, found), not found.again


def briefs_for(ledger: Ledger, tower: Settings, cases: Iterable[Case]) -> dict[str, Brief]:
    """The brief of each case as its evidence is now; what was prepared from other evidence is not shown."""
    named = {case.id: case for case in cases}
    known = Briefs(ledger).of(list(named)) if tower.model else {}
    found: dict[str, Brief] = {}
    policies: dict[str, tuple[Policy, Disclosure]] = {}
    for id, case in named.items():
        kept = known.get(id)
        try:
            exhibits = exhibits_of(case, policies)
        except PolicyError:  # the version that judged it is gone; what it found is in the case
            found[id] = Brief(case_id=id, evidence="", source="template", why=Why.changed.value)
            continue
        if kept and kept.evidence == exhibits.digest:
            found[id] = kept
        else:
            why = Why.changed if kept else Why.too_many if tower.model else Why.not_configured
            found[id] = template(case, exhibits, why)
    return found


def brief_for(ledger: Ledger, case: Case) -> Brief:
    """The brief of one case."""
    return briefs_for(ledger, settings(), [case])[case.id]
