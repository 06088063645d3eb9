"""Replay: run kept steps again on what they were given then, and say what comes out otherwise. Nothing acts or asks.

A step that touches more than it was given (a source, the ledger, a store, a channel) is not run again: what it gave
then is taken as it was kept, and checked. Under another policy each step is given what the steps before it give now.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import Field, TypeAdapter

import tasks
from control_tower.errors import NotFound, PolicyError
from control_tower.keeping import Address, Archive, Nouns
from control_tower.keeping.code import code_version
from control_tower.keeping.differences import first_difference
from control_tower.keeping.kept import FRAME
from control_tower.keeping.records import Record, chain_of
from control_tower.keeping.step import STEPS, Step, open_archive, replaying
from control_tower.keeping.values import keep_values
from control_tower.ledger import open_ledger
from control_tower.ledger.letting_go import Gone, erased_files, gone_since, run_ages
from control_tower.nouns import Noun
from control_tower.redaction import redacted
from control_tower.settings import settings
from control_tower.shops import named_in
from policies import Policy
from policies.document import day_of
from tasks.backtest import document, reading
from tasks.replay_flips import Turnings, turnings

SOURCE = "the source"
Outcome = Literal["same", "differs", "taken as kept", "gone on purpose", "unknown here"]


class Replayed(Noun):
    """One step of a run, run again."""

    number: int
    step: str
    outcome: Outcome
    told: str = Field(default="", description="the first difference, or why it was not run again")


class Replay(Noun):
    """One run, run again on what was kept."""

    run: str
    code: str = Field(description="the code that kept it")
    replayed_by: str
    policy: str = Field(default="", description="the policy that was put in place of the one that decided then")
    steps: tuple[Replayed, ...]
    turned: Turnings | None = Field(default=None, description="what another policy finds and proposes otherwise")

    @property
    def first_difference(self) -> Replayed | None:
        """The first step that gave something else."""
        return next((one for one in self.steps if one.outcome in ("differs", "unknown here")), None)


def replay(run: str, policy: str | None = None, *, sources: bool = False) -> Replay:
    """Run a run's steps again.

    Args:
        run: the whole flow run id.
        policy: another policy's name, `name@2` or file, in place of the one that decided then.
        sources: read the sources again too, which may have changed since.

    Raises:
        NotFound: no such run was kept.
        BrokenChain: its records, or the files that they name, are not what was kept.
        PolicyError: there is no such policy, or it needs a step that the run did not take.
    """
    _import_steps()
    tower = settings()
    behind, ledger = open_archive(tower.artifacts), open_ledger(tower.ledger)
    records = chain_of(behind, ledger, run)
    age = next(one for one in run_ages(ledger) if one.run == run)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="tower-replay-"))
        again = _Again(Archive(Path(folder).as_uri(), behind=behind), run, sources, erased_files(ledger), age.let_go)
        if policy:
            again.policy = _instead(behind, records, policy)
        steps = tuple(again.step(record) for record in records)
        turned = turnings(again.archive, records, again.moved) if policy else None
    return Replay(
        run=run,
        code=records[0].code,
        replayed_by=code_version(),
        policy=again.policy.reference if again.policy else "",
        steps=steps,
        turned=turned,
    )


@dataclass
class _Again:
    """One run under way again."""

    archive: Archive
    run: str
    sources: bool
    erased: Mapping[tuple[str, str], Gone]
    let_go: Mapping[str, str]
    policy: Policy | None = None
    moved: dict[Address, Address] = field(default_factory=dict)
    """What was kept then, and what stands in its place now; only under another policy."""

    def step(self, record: Record) -> Replayed:
        known = STEPS.get(record.step)
        if known is None:
            return self._told(record, "unknown here", "this version of the code has no such step")
        if gone := self._gone(record):
            return self._told(record, "gone on purpose", gone)
        if known.touches and not (self.sources and known.touches == SOURCE):
            for address in record.outputs.values():
                self.archive.verify(*address)
            return self._told(record, "taken as kept", f"it touches {known.touches}")
        outputs, error = self._run(known, self._given(known, record))
        if error != record.error:
            if self.policy:  # what comes after has nothing to go on
                raise PolicyError(f"{record.step} ends with {error}", where=self.policy.reference)
            return self._told(record, "differs", f"{_how(record.error, 'ended')}; {_how(error, 'ends')} now")
        if self.policy:
            self.moved |= {was: outputs[name] for name, was in record.outputs.items() if name in outputs}
        told = first_difference(self.archive, record.outputs, outputs)
        return self._told(record, "differs" if told else "same", told)

    def _gone(self, record: Record) -> str:
        """Why what a step was given or gave is not there any more, where it was let go by age or erased."""
        for address in (*record.inputs.values(), *record.outputs.values()):
            gone = self.erased.get(address[:2]) or gone_since(self.let_go, address[0])
            behind = self.archive.behind
            if gone and address not in self.moved and behind and not behind.has(address):
                return f"what it was given or gave was {gone.why}"
        return ""

    def _told(self, record: Record, outcome: Outcome, told: str) -> Replayed:
        return Replayed(number=record.number, step=record.step, outcome=outcome, told=told)

    def _run(self, known: Step, given: dict[str, Any]) -> tuple[dict[str, Address], str]:
        """What a step gives, kept in front; or how it fails."""
        with replaying(self.run, self.archive):
            try:
                return keep_values(self.archive, {"result": known.function(**given)}), ""
            except Exception as fault:  # noqa: BLE001 - a step that failed then is to fail now, by the same words
                return {}, redacted(f"{type(fault).__name__}: {fault}")[:2000]

    def _given(self, known: Step, record: Record) -> dict[str, Any]:
        """The step's arguments, read back from what was kept; what was None was not kept."""
        for address in {self.moved.get(each, each) for each in record.inputs.values()}:
            self.archive.verify(*address)
        given = {
            name: self._value(name, hint, record.inputs[name]) if name in record.inputs else None
            for name, hint in _parameters(known.name).items()
        }
        return given | ({"policy": self.policy} if self.policy and "policy" in given else {})

    def _value(self, name: str, hint: Any, address: Address) -> Any:
        address = self.moved.get(address, address)
        if address[2] == FRAME:
            return self.archive.described(name, self.archive.local(address), address[1])
        content = self.archive.nouns(address)
        if get_origin(hint) is Nouns:
            (kind,) = get_args(hint)
            return Nouns([kind.model_validate(each) for each in content])
        return TypeAdapter(hint).validate_python(content)


@lru_cache(maxsize=64)
def _parameters(name: str) -> dict[str, Any]:
    function = STEPS[name].function
    hints = get_type_hints(function)
    return {parameter: hints[parameter] for parameter in inspect.signature(function).parameters}


@lru_cache(maxsize=1)
def _import_steps() -> None:
    """A step is known once its module is imported."""
    for module in pkgutil.iter_modules(tasks.__path__):
        import_module(f"tasks.{module.name}")


def _instead(archive: Archive, records: list[Record], policy: str) -> Policy:
    """The policy that decides in place of the one that did, as of the moment that the run looked at."""
    if any(record.step == "look-at-part" for record in records):
        remedy = "`tower policy backtest` decides each part again"
        raise PolicyError("can't be put in place where a run looked in parts", where=policy, remedy=remedy)
    decided = next((record.versions["policy"] for record in records if "policy" in record.inputs), None)
    gathered = next((record for record in records if record.step == "gather"), None)
    if decided is None or gathered is None:
        raise NotFound("no policy decided in this run", remedy="name a run of a lane")
    as_of = datetime.fromisoformat(str(archive.nouns(gathered.inputs["as_of"]))).astimezone(UTC)
    shop = named_in(str(archive.nouns(gathered.inputs["source"])))
    found = reading(decided.partition("@")[0], document(policy, shop))(as_of, shop)
    if found.id != decided.partition("@")[0]:
        raise PolicyError("is of another lane", where=found.reference, remedy=f"this run was decided by {decided}")
    taken = {record.step for record in records}
    for step, wanted in (("entitle", bool(found.conclusions)), ("advise", any(one.advise for one in found.rules))):
        if wanted and step not in taken:
            raise PolicyError(f"needs the step {step}, which this run did not take", where=found.reference)
    return found.model_copy(update={"as_of": day_of(as_of)})


def _how(error: str, verb: str) -> str:
    return f"{verb} with {error}" if error else f"{verb} well"
