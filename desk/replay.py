"""`tower replay`: the steps of kept runs, run again, and the first difference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from control_tower.errors import NotFound, ReplayDiffers
from control_tower.keeping.checkouts import unpack_code
from control_tower.keeping.code import code_version
from control_tower.keeping.records import chain_of, find_run, runs
from control_tower.keeping.step import open_archive
from control_tower.ledger import open_ledger
from control_tower.nouns import Noun
from control_tower.server import use
from control_tower.settings import settings
from desk.run import watching
from desk.show import as_json, err, out, table
from tasks.replay import Replay, replay

REPOSITORY = Path(__file__).parent.parent


def replay_runs(handle: str | None, policy: str | None, *, sources: bool, this_code: bool, json: bool) -> None:
    """Run one run again, or all of them, by the code that kept it where that is at hand.

    Raises:
        ReplayDiffers: a step gave something else than then; under another policy that is no fault.
        NotFound: nothing was kept, or no such run.
    """
    tower = settings()
    use(tower)  # before anything imports Prefect
    ledger, archive = open_ledger(tower.ledger), open_archive(tower.artifacts)
    chosen = [find_run(ledger, handle)] if handle else runs(ledger)
    if not chosen:
        raise NotFound("nothing was kept yet", remedy="`tower run fulfilment` keeps a run")
    done: list[Replay] = []
    for run in chosen:
        kept_by = chain_of(archive, ledger, run)[0].code
        if kept_by != code_version() and not this_code:
            done.append(_by_code_of_then(run, kept_by, policy, sources=sources))
            continue
        with watching(f"running {run} again"):
            done.append(replay(run, policy, sources=sources))
    if json:
        as_json([each.model_dump(mode="json") for each in done])
    else:
        for each in done:
            show(each)
    differ = [each for each in done if each.first_difference]
    if differ and not policy:
        first = differ[0].first_difference
        assert first is not None  # noqa: S101 - that is why it is among them; narrows the type
        raise ReplayDiffers(
            f"{len(differ)} of {len(done)} runs give something else: {first.step}, {first.told}",
            where=f"record {first.number} of run {differ[0].run}",
        )


def _by_code_of_then(run: str, version: str, policy: str | None, *, sources: bool) -> Replay:
    """The replay of a run by the code that kept it; by this code, and said so, where that one is not at hand."""
    with TemporaryDirectory(prefix="tower-code-") as folder:
        commit = unpack_code(version, Path(folder), REPOSITORY)
        if not commit:
            _say(f"run {run} was kept by {version}, which is not at hand; it is run by {code_version()}")
            return replay(run, policy, sources=sources)
        _say(f"run {run} was kept by {version}: run by commit {commit[:12]}")
        words = ["replay", run, "--this-code", "--json", *(("--policy", policy) if policy else ())]
        words += ["--sources"] if sources else []
        program = "import sys; from desk.command import main; main(sys.argv[1:])"
        environment = os.environ | {"PYTHONPATH": folder, "TOWER_HOME": str(settings().folder)}
        said = subprocess.run(
            [sys.executable, "-c", program, *words], env=environment, cwd=folder, capture_output=True, text=True
        )
    if not said.stdout.strip():
        raise ReplayDiffers(f"the code of then could not run it: {said.stderr.strip()[-300:]}", where=f"run {run}")
    return Replay.model_validate_json(said.stdout.strip().removeprefix("[").removesuffix("]"))


def _say(line: str) -> None:
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def show(done: Replay) -> None:
    """The first difference, or that there is none; under another policy what turned out otherwise."""
    first = done.first_difference
    same = sum(one.outcome == "same" for one in done.steps)
    taken = [one.step for one in done.steps if one.outcome == "taken as kept"]
    gone = [one.step for one in done.steps if one.outcome == "gone on purpose"]
    out.print(
        f"run {done.run}: {len(done.steps)} steps, {same} gave the same"
        + (f", {len(taken)} taken as kept ({', '.join(dict.fromkeys(taken))})" if taken else "")
        + (f", {len(gone)} can't be run: let go or erased" if gone else ""),
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if done.turned is None:
        if first:
            out.print(f"first difference: record {first.number}, {first.step}: {first.told}", markup=False)
        return
    out.print(f"under {done.policy}:", highlight=False)
    kinds = [
        (kind, *(f"{count:,}" for count in each.model_dump().values())) for kind, each in done.turned.kinds.items()
    ]
    columns = ("kind", "before", "after", "newly", "no longer", "now unknown", "now known")
    table("Findings", columns, kinds, right=columns[1:])
    asked = [(action, *_counts(each)) for action, each in done.turned.proposals.items()]
    table("Proposals", ("action", "gained", "lost", "of another amount"), asked, right=("gained", "lost"))


def _counts(each: Noun) -> list[str]:
    return [f"{count:,}" for count in each.model_dump().values()]
