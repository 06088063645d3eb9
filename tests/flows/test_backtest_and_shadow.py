"""What past runs kept is decided again by a changed policy; a version on trial is judged, kept and never served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import select

import policies
from control_tower.errors import BrokenChain, NotFound, PolicyError, SettingError
from control_tower.keeping.step import open_archive
from control_tower.ledger.cases import queue
from control_tower.ledger.proposals import waiting_proposals
from control_tower.nouns import Action
from control_tower.slack.tables import OutboxMessage
from desk.policy_backtest import backtest as show_backtest
from flows.watch_returns import watch_returns
from policies import load, reader
from tasks.backtest import backtest, facts_of, unseen, views
from tasks.shadow import Shadowed
from tests.flows.conftest import AS_OF, Tower, own_tower

pytestmark = pytest.mark.slow

HOUSE = Path(policies.__file__).parent
EARLIER = AS_OF - timedelta(days=3)
EVER = datetime(2020, 1, 1, tzinfo=UTC)


def changed(folder: Path, *values: tuple[str, float], name: str = "fulfilment", **fields: str) -> Path:
    """The fulfilment policy with other numbers and fields, in a file of its own."""
    lines = (HOUSE / "fulfilment.yaml").read_text().splitlines()
    for threshold, value in values:
        at = lines.index(f"  {threshold}:")
        place = next(n for n in range(at, at + 6) if "values:" in lines[n])
        lines[place] = f"    values: [{{from: 2016-01-01, value: {value}}}]"
    for field, value in fields.items():
        at = next((n for n, line in enumerate(lines) if line.startswith(f"{field}:")), len(lines))
        lines[at : at + 1] = [f"{field}: {value}"]
    file = folder / f"{name}.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> Iterator[Any]:
    """A tower that looked at its shop three times: three days ago, now, and now again as a dry run."""
    with own_tower(tmp_path_factory.mktemp("kept"), deployed) as tower:
        tower.fill(500, seed=21)
        tower.watch(as_of=EARLIER)
        tower.watch()
        tower.dry = tower.watch(dry_run=True)
        yield tower


@pytest.fixture(scope="module")
def two_lanes(tmp_path_factory: pytest.TempPathFactory, deployed: dict[UUID, Any]) -> tuple[Path, dict[str, Any]]:
    """The folder of a tower whose fulfilment and returns lanes have looked, and what each reported."""
    folder = tmp_path_factory.mktemp("two-lanes")
    with own_tower(folder, deployed) as tower:
        tower.fill(1500, seed=3)
        return folder, {"fulfilment": tower.watch(dry_run=True), "returns": watch_returns(as_of=AS_OF, dry_run=True)}


@pytest.fixture
def larger(two_lanes: tuple[Path, dict[str, Any]], deployed: dict[UUID, Any]) -> Iterator[Any]:
    """That tower again, with its reports."""
    with own_tower(two_lanes[0], deployed) as tower:
        tower.reports = two_lanes[1]
        yield tower


def lenient(folder: Path) -> str:
    return str(changed(folder, ("late_grace_days", 7), ("unpaid_hours", 1)))


def test_what_was_kept_is_decided_again_each_order_once_by_the_newest_look(kept: Tower, tmp_path: Path) -> None:
    (done,) = backtest(lenient(tmp_path), EVER, AS_OF, None, "")
    assert [look.as_of for look in done.views] == [AS_OF, EARLIER], "a dry run is no look of its own"
    newest, older = done.views
    assert (newest.decided, older.decided) == (newest.kept, 0), "every order of the older look is in the newer"
    assert done.flips.subjects == newest.kept
    late, unpaid = done.flips.kinds["late_delivery"], done.flips.kinds["unpaid_order"]
    assert done.before == "what was in force (fulfilment@1)"
    facts = newest_facts(kept)
    assert late.no_longer_found == int(
        ((facts["days_late"] > 0) & (facts["days_late"] <= 7) & ~facts["cancelled"]).sum()
    )
    unpaid_now = ~facts["approved"] & ~facts["cancelled"]
    assert unpaid.newly_found == int((unpaid_now & facts["hours_since_placed"].between(1, 48, inclusive="right")).sum())
    assert late.no_longer_found > 0
    assert {each.subject for each in done.flips.counterexamples} <= set(facts["order_id"])


def newest_facts(tower: Tower) -> pd.DataFrame:
    newest = max(views("fulfilment"), key=lambda view: view.as_of)
    return open_archive(tower.settings.artifacts).frame(facts_of(newest))


def test_a_subject_is_decided_once_however_many_looks_and_row_groups_have_it() -> None:
    groups = [pa.array(["a", "b"]), pa.array(["c"])]
    newer = pd.Series(pd.array(pa.chunked_array(groups), dtype="str"))
    seen: list[pa.Array] = []
    assert list(unseen(newer, seen)) == [0, 1, 2]
    assert list(unseen(pd.Series(["z", "b", "y"], dtype="str"), seen)) == [0, 2]
    assert list(unseen(newer, seen)) == []


def test_a_window_without_the_newest_look_decides_by_the_older_one(kept: Tower, tmp_path: Path) -> None:
    (done,) = backtest(lenient(tmp_path), EVER, AS_OF - timedelta(days=1), None, "")
    assert [look.as_of for look in done.views] == [EARLIER]
    assert done.flips.subjects == done.views[0].kept > 0


def test_the_version_in_force_against_itself_flips_nothing(kept: Tower) -> None:
    (done,) = backtest("fulfilment", EVER, AS_OF, "1", "")
    assert (done.flips.changed, done.flips.counterexamples) == (0, ())


def test_a_look_at_one_order_again_is_no_look_at_the_shop(tower: Tower, tmp_path: Path) -> None:
    tower.fill(500, seed=8)
    tower.watch()
    refund = tower.waiting(Action.refund)[0]
    tower.rule(refund)
    tower.work()
    (done,) = backtest("fulfilment", EVER, datetime.now(UTC), None, "")
    assert len(done.views) == 1
    assert done.flips.subjects > 400


def test_bad_input_says_what_is_wrong(kept: Tower, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no run of fulfilment was kept as of 2020.* \(2 are kept, as of 2026-10-30"):
        backtest("fulfilment", EVER, EVER, None, "")
    with pytest.raises(NotFound, match=r"no run of returns was kept"):
        backtest("returns", EVER, AS_OF, None, "")
    with pytest.raises(PolicyError, match=r"there is no fulfilment@9 \(there is fulfilment@1\)"):
        backtest("fulfilment@9", EVER, AS_OF, None, "")
    with pytest.raises(PolicyError, match=r"there is no fulfilment@9"):
        backtest("fulfilment", EVER, AS_OF, "9", "")
    with pytest.raises(PolicyError, match="returns@1: is no version of fulfilment"):
        backtest("fulfilment", EVER, AS_OF, "returns@1", "")
    with pytest.raises(PolicyError, match="there is no policy 'fulfillment'"):
        backtest("fulfillment", EVER, AS_OF, None, "")
    with pytest.raises(PolicyError, match="can't be read: No such file"):
        backtest(str(tmp_path / "fulfilment.yaml"), EVER, AS_OF, None, "")
    with pytest.raises(SettingError, match="--until: 2026-01-01 is before 2026-06-01"):
        show_backtest("fulfilment", "2026-06-01", "2026-01-01", None, None, json=True, shop="")
    with pytest.raises(SettingError, match="--since: 'yesterday' is no moment"):
        show_backtest("fulfilment", "yesterday", None, None, None, json=True, shop="")
    with pytest.raises(SettingError, match=r"--plot: .*flips.pdf can't be drawn"):
        show_backtest("fulfilment", None, None, None, tmp_path / "flips.pdf", json=True, shop="")


def test_a_fact_that_no_run_kept_can_decide_nothing(kept: Tower, tmp_path: Path) -> None:
    file = changed(tmp_path)
    file.write_text(
        file.read_text().replace(
            "facts:\n", "facts:\n  weight: {type: number, means: the weight, owner: warehouse}\n", 1
        )
    )
    with pytest.raises(
        PolicyError, match=r"fulfilment@1: reads weight, which run .* as of 2026-11-02 09:30 did not keep"
    ):
        backtest(str(file), EVER, AS_OF, None, "")


def test_evidence_that_is_not_what_was_kept_is_not_decided_again(tower: Tower) -> None:
    tower.fill(300, seed=5)
    report = tower.watch(dry_run=True)
    archive = open_archive(tower.settings.artifacts)
    Path(archive.path(*tower.records(report)["detect"].outputs["result"])).write_bytes(b"other facts")
    with pytest.raises(BrokenChain, match="is not what was kept"):
        backtest("fulfilment", EVER, AS_OF, None, "")


def test_a_changed_promise_is_tried_on_every_return_that_was_kept(larger: Any, tmp_path: Path) -> None:
    report = larger.reports["returns"]
    shorter = tmp_path / "return_policy.yaml"
    shorter.write_text((HOUSE / "return_policy.yaml").read_text().replace("value: 30", "value: 14", 1))
    (done,) = backtest(str(shorter), EVER, AS_OF, None, "")
    facts = larger.kept(report, "entitle")
    held = facts[~facts["status"].isin(["rejected", "cancelled"]) & (facts["fault"] != "ours")]
    in_season = (held["return_window_clause"] == "holiday_extension@1 H.1") & (held["return_window"] == "open")
    told = done.flips.kinds["return_outside_window"]
    assert told.found_after == int(((held["days_held"] > 14) & ~in_season).sum())
    assert told.found_before == report.findings["return_outside_window"].yes
    assert told.newly_found == told.found_after - told.found_before > 0
    assert done.after == f"return_policy@1 of {shorter}"
    assert done.before == "what was in force (returns@1)"


def test_the_queue_of_a_backtest_is_the_lanes_own(larger: Any) -> None:
    for name, report in larger.reports.items():
        (done,) = backtest(name, EVER, AS_OF, None, "")
        cases = larger.kept(report, "score")
        opened = cases.groupby("team").size().to_dict()
        assert opened == {team: load.cases_before for team, load in done.flips.teams.items() if load.cases_before}


def test_the_command_tells_in_json_in_tables_and_in_a_picture(
    kept: Tower, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = lenient(tmp_path)
    show_backtest(policy, "2026-10-01", "2026-11-02", None, tmp_path / "flips.svg", json=True, shop="")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["flips"]["kinds"]["late_delivery"]["no_longer_found"] > 0
    assert len(told["flips"]["counterexamples"]) == min(10, told["flips"]["changed"])
    first = (tmp_path / "flips.svg").read_bytes()
    assert b"<svg" in first
    show_backtest(policy, "2026-10-01", None, None, tmp_path / "flips.png", json=False, shop="")
    said = capsys.readouterr().out
    assert "1 of 2 looks kept" in said
    assert "late_delivery" in said
    assert (tmp_path / "flips.png").read_bytes().startswith(b"\x89PNG")
    show_backtest(policy, "2026-10-01", "2026-11-02", None, tmp_path / "flips.svg", json=True, shop="")
    assert (tmp_path / "flips.svg").read_bytes() == first, "the same backtest draws the same picture"


@pytest.fixture
def on_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a second version of the fulfilment policy on trial, as the house would hold it."""
    house = tmp_path / "house"
    house.mkdir()
    for file in HOUSE.glob("*.yaml"):
        shutil.copy(file, house)
    monkeypatch.setattr(reader, "HOUSE", house)

    def put(*values: tuple[str, float], text: str | None = None) -> None:
        file = changed(house, *values, name="fulfilment@2", version="2", shadow="true")
        if text is not None:
            file.write_text(file.read_text() + text)

    return put


def served(tower: Tower) -> dict[str, Any]:
    """All that a person may see or rule on: cases, proposals and messages."""
    with tower.ledger.read() as session:
        messages = {row.key: (row.text, row.blocks) for row in session.scalars(select(OutboxMessage))}
    cases = {row.id: row.model_dump(exclude={"opened_at"}) for row in queue(tower.ledger)}
    waiting = {row.digest: row.body for row in waiting_proposals(tower.ledger)}
    return {"messages": messages, "cases": cases, "proposals": waiting}


def tried(tower: Tower, report: Any) -> Shadowed:
    address = tower.records(report)["shadow"].outputs["result"]
    return Shadowed.model_validate(open_archive(tower.settings.artifacts).nouns(address))


def test_a_version_on_trial_is_judged_and_kept_and_nothing_of_it_is_served(
    tmp_path: Path, deployed: dict[UUID, Any], on_trial: Callable[..., None]
) -> None:
    with own_tower(tmp_path / "without", deployed) as tower:
        (tmp_path / "without").mkdir()
        tower.fill(500, seed=33)
        tower.watch()
        without = served(tower)
    on_trial(("unpaid_hours", 1), ("late_grace_days", 7))
    assert load("fulfilment", AS_OF).version == 1, "the version on trial is not the one in force"
    with own_tower(tmp_path / "beside", deployed) as tower:
        (tmp_path / "beside").mkdir()
        tower.fill(500, seed=33)
        report = tower.watch()
        assert served(tower) == without
        said = tried(tower, report)
        findings = tower.kept(report, "shadow", "result.findings.fulfilment@2")
        (record,) = [each for each in tower.records(report).values() if each.step == "shadow"]
    assert without["cases"]
    assert without["proposals"]
    assert (said.served, set(said.findings), said.faults) == ("fulfilment@1", {"fulfilment@2"}, {})
    flips = said.flips["fulfilment@2"]
    assert flips.kinds["late_delivery"].no_longer_found > 0
    counted = findings[findings["answer"] == "yes"].groupby("kind").size().to_dict()
    assert counted == {kind: each.found_after for kind, each in flips.kinds.items() if each.found_after}
    assert report.findings["late_delivery"].yes == flips.kinds["late_delivery"].found_before
    assert "late_delivery" in said.markdown
    assert "nothing of it is served" in said.markdown
    assert record.versions["policy"] == "fulfilment@1"


@pytest.mark.large
def test_a_malformed_version_on_trial_stops_nothing_and_is_told(
    tower: Tower, on_trial: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    tower.fill(300, seed=4)
    on_trial(text="rulez: []\n")
    report = tower.watch()
    assert report.cases.opened > 0
    said = tried(tower, report)
    assert (said.findings, said.flips) == ({}, {})
    assert "rulez" in said.faults["fulfilment@2"]
    assert "could not be tried" in said.markdown
    assert "could not be tried beside fulfilment@1" in caplog.text


def test_a_version_on_trial_that_reads_what_the_lane_does_not_have_stops_nothing(
    tower: Tower, on_trial: Callable[..., None]
) -> None:
    tower.fill(300, seed=4)
    on_trial()
    file = reader.HOUSE / "fulfilment@2.yaml"
    file.write_text(
        file.read_text().replace("facts:\n", "facts:\n  weight: {type: number, means: the weight, owner: us}\n", 1)
    )
    report = tower.watch()
    assert report.cases.opened > 0
    assert "reads weight, which the evidence does not have" in tried(tower, report).faults["fulfilment@2"]


@pytest.mark.large
def test_a_promise_on_trial_is_read_in_place_of_the_one_in_force(tower: Tower, on_trial: Callable[..., None]) -> None:
    tower.fill(1500, seed=3)
    promise = (reader.HOUSE / "return_policy.yaml").read_text().replace("value: 30", "value: 14", 1)
    (reader.HOUSE / "return_policy@2.yaml").write_text(promise.replace("version: 1", "version: 2\nshadow: true", 1))
    report = watch_returns(as_of=AS_OF, dry_run=True)
    said = tried(tower, report)
    outside = said.flips["return_policy@2"].kinds["return_outside_window"]
    assert outside.newly_found > 0
    assert report.findings["return_outside_window"].yes == outside.found_before, "the promise in force is served"
    findings = tower.kept(report, "shadow", "result.findings.return_policy@2")
    assert (
        int(((findings["kind"] == "return_outside_window") & (findings["answer"] == "yes")).sum())
        == outside.found_after
    )


def test_without_a_version_on_trial_nothing_is_tried(kept: Any) -> None:
    said = tried(kept, kept.dry)
    assert (said.findings, said.flips, said.faults) == ({}, {}, {})
