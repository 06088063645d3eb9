"""What was kept can be checked, to the file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.errors import BrokenChain, NotFound
from control_tower.keeping import Archive
from control_tower.keeping.records import Record, append, verify
from control_tower.ledger import Ledger
from tests.thorough import up_to

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive((tmp_path / "artifacts").as_uri())


def keep(archive: Archive, ledger: Ledger, number: int) -> Record:
    frame = pd.DataFrame({"order_id": ["1", "2"], "amount": [number, 2]})
    kept = archive.keep_frame("orders", frame)
    content = {
        "step": f"step-{number}",
        "task_run": "t",
        "code": "0",
        "versions": {},
        "inputs": {"as_of": archive.keep_nouns("2026-11-02")},
        "outputs": {"result": ("frames", kept.digest, "parquet")},
        "error": "",
        "started_at": NOW,
        "ended_at": NOW,
    }
    return append(archive, ledger, "run-1", content)


@pytest.fixture
def kept(archive: Archive, ledger: Ledger) -> list[Record]:
    return [keep(archive, ledger, number) for number in range(4)]


def path_of(archive: Archive, record: Record) -> Path:
    return Path(archive.path(*record.outputs["result"]))


def test_a_whole_chain_verifies(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    walked = verify(archive, ledger, "run-1")
    assert (walked.records, walked.files) == (4, 5)


def test_equal_content_is_kept_once(archive: Archive) -> None:
    frame = pd.DataFrame({"order_id": ["1"], "paid": [True]})
    assert archive.keep_frame("a", frame).digest == archive.keep_frame("b", frame).digest
    assert len(list(Path(archive.root).glob("frames/*/*.parquet"))) == 1


def test_one_flipped_bit_in_a_frame_is_named(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    path = path_of(archive, kept[2])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenChain, match=path.name):
        verify(archive, ledger, "run-1")


def test_a_deleted_frame_is_named(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    path_of(archive, kept[1]).unlink()
    with pytest.raises(BrokenChain, match="is gone"):
        verify(archive, ledger, "run-1")


def test_a_changed_record_breaks_the_chain(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    record = Path(archive.root) / "runs/run-1/0002.json"
    record.write_text(record.read_text().replace("step-1", "step-9"))
    with pytest.raises(BrokenChain, match="does not follow"):
        verify(archive, ledger, "run-1")


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_lost_record_is_missed_even_at_the_end(
    archive: Archive, ledger: Ledger, kept: list[Record], number: int
) -> None:
    (Path(archive.root) / f"runs/run-1/{number:04d}.json").unlink()
    with pytest.raises(BrokenChain):
        verify(archive, ledger, "run-1")


def test_two_swapped_records_are_seen(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    first, second = (Path(archive.root) / f"runs/run-1/000{n}.json" for n in (2, 3))
    was = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(was)
    with pytest.raises(BrokenChain):
        verify(archive, ledger, "run-1")


def test_a_record_of_a_process_killed_before_its_commit_is_no_break(
    archive: Archive, ledger: Ledger, kept: list[Record]
) -> None:
    orphan = kept[3].model_copy(update={"number": 5, "previous": kept[3].digest})
    archive.files.pipe_file(f"{archive.root}/runs/run-1/0005.json", orphan.model_dump_json().encode())
    assert verify(archive, ledger, "run-1").records == 4
    keep(archive, ledger, 9)
    assert verify(archive, ledger, "run-1").records == 5


@pytest.mark.slow
@settings(max_examples=up_to(60), deadline=None)
@given(st.data())
def test_whatever_is_done_to_whichever_kept_file_is_named(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        archive, ledger = Archive((Path(folder) / "artifacts").as_uri()), Ledger(f"sqlite:///{folder}/ledger.db")
        for number in range(3):
            keep(archive, ledger, number)
        files = sorted(path for path in (Path(folder) / "artifacts").rglob("*") if path.is_file())
        file = data.draw(st.sampled_from(files))
        content = file.read_bytes()
        what = data.draw(st.sampled_from(["flip", "delete", "cut", "swap"]))
        if what == "flip":
            at = data.draw(st.integers(0, 8 * len(content) - 1))
            changed = bytearray(content)
            changed[at // 8] ^= 1 << at % 8
            file.write_bytes(changed)
        elif what == "delete":
            file.unlink()
        elif what == "cut":
            file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        else:
            other = data.draw(st.sampled_from([each for each in files if each.read_bytes() != content]))
            file.write_bytes(other.read_bytes())
            other.write_bytes(content)
        with pytest.raises(BrokenChain) as said:
            verify(archive, ledger, "run-1")
        assert "run-1" in str(said.value)
        ledger.engine.dispose()


def test_a_run_that_was_never_kept_is_said_so(archive: Archive, ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        verify(archive, ledger, "run-2")


def test_a_file_that_two_runs_share_is_read_once(archive: Archive, ledger: Ledger, kept: list[Record]) -> None:
    checked = set(kept[0].outputs.values())
    path_of(archive, kept[0]).write_bytes(b"changed since it was read")
    assert verify(archive, ledger, "run-1", None, checked).files == 5
    assert len(checked) == 5
    with pytest.raises(BrokenChain):
        verify(archive, ledger, "run-1")
