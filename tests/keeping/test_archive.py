"""A folder and a bucket keep alike: by content, once, and nothing that is not what was kept comes out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

from control_tower.errors import BrokenChain, KeepingError
from control_tower.keeping import Archive, nearby
from control_tower.keeping.kept import NOUN

FRAME = pd.DataFrame({"order_id": ["1", "2", "3"], "amount": [100, 200, 300]})


@pytest.fixture(params=["folder", "bucket"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "folder":
        return Archive((tmp_path / "artifacts").as_uri())
    return Archive(f"{request.getfixturevalue('bucket')}/{uuid4().hex}")


def spoil(archive: Archive, path: str) -> None:
    content = bytearray(archive.files.cat_file(path))
    content[len(content) // 2] ^= 1
    archive.files.pipe_file(path, bytes(content))


def test_a_frame_comes_back_as_it_was_kept(archive: Archive) -> None:
    kept = archive.keep_frame("orders", FRAME)
    assert (kept.rows, kept.columns) == (3, ("order_id", "amount"))
    for reader in (archive, Archive(archive.url)):  # another machine has nothing of it at hand
        back = reader.frame(kept)
        assert back.to_dict("list") == FRAME.to_dict("list")
        assert Path(reader.location(kept)).is_file(), "DuckDB reads files of this machine"


def test_equal_content_is_kept_once(archive: Archive) -> None:
    first, second = archive.keep_frame("a", FRAME), archive.keep_frame("b", FRAME)
    assert first.digest == second.digest
    assert archive.keep_nouns({"b": 1, "a": 2}) == archive.keep_nouns({"b": 1, "a": 2})
    assert len(list(archive.lying())) == 2


def test_what_is_json_is_kept_small_and_anybody_can_open_it(archive: Archive) -> None:
    content = [{"order_id": str(number), "sentence": "was promised and did not come"} for number in range(500)]
    address = archive.keep_nouns(content)
    lies = archive.files.cat_file(archive.path(*address))
    assert json.loads(gzip.decompress(lies)) == content == archive.nouns(address)
    assert len(lies) < len(json.dumps(content)) / 8


def test_one_flipped_bit_is_seen_by_whoever_reads_and_whoever_checks(archive: Archive) -> None:
    address, kept = archive.keep_nouns(["evidence"] * 50), archive.keep_frame("orders", FRAME)
    for each in (address, kept.address):
        spoil(archive, archive.path(*each))
        reader = Archive(archive.url)
        with pytest.raises(BrokenChain, match="is not what was kept"):
            reader.verify(*each)
        with pytest.raises(BrokenChain, match="is not what was kept"):
            reader.content(each)


def test_what_is_gone_is_said_to_be_gone(archive: Archive) -> None:
    kept = archive.keep_frame("orders", FRAME)
    archive.remove(kept.address)
    archive.remove(kept.address)
    reader = Archive(archive.url)
    assert not reader.has(kept.address)
    with pytest.raises(BrokenChain, match="is gone"):
        reader.verify(*kept.address)
    with pytest.raises(BrokenChain, match="is gone"):
        reader.content(kept.address)


def test_an_archive_in_front_reads_what_is_behind_it_and_writes_nothing_there(archive: Archive, tmp_path: Path) -> None:
    address, kept = archive.keep_nouns({"a": 1}), archive.keep_frame("orders", FRAME)
    front = Archive((tmp_path / "front").as_uri(), behind=archive)
    assert front.nouns(address) == {"a": 1} and len(front.frame(kept)) == 3
    before = list(archive.lying())
    front.keep_frame("findings", FRAME.head(1))
    assert list(archive.lying()) == before and len(list(front.lying())) == 1


def test_a_machine_holds_no_more_of_a_bucket_than_it_may(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(f"{bucket}/{uuid4().hex}")
    several = [archive.keep_frame("orders", FRAME.assign(amount=number)) for number in range(5)]
    size = Path(archive.location(several[0])).stat().st_size
    monkeypatch.setattr(nearby, "CACHED", 2 * size + 10)
    reader = Archive(archive.url)
    for kept in several:
        assert reader.frame(kept)["amount"].iloc[0] == several.index(kept)
    held = list(Path(reader.location(several[-1])).parent.glob("*.parquet"))
    assert len(held) <= 2


def test_no_bucket_of_that_name_is_told_in_one_line(bucket: str) -> None:
    with pytest.raises(KeepingError, match="nobody-has-this"):
        Archive("s3://nobody-has-this/tower").keep_nouns(["something"])


def test_what_is_kept_keeps_its_order(archive: Archive) -> None:
    assert list(archive.nouns(archive.keep_nouns({"b": 1, "a": 2}))) == ["b", "a"]


def test_a_folder_may_have_a_space_in_its_name(tmp_path: Path) -> None:
    archive = Archive((tmp_path / "our shop").as_uri())
    kept = archive.keep_frame("orders", FRAME)
    assert Path(archive.location(kept)).is_relative_to(tmp_path / "our shop")


def test_the_suffix_says_how_it_is_packed() -> None:
    assert NOUN == "json.gz"


def test_a_bucket_that_is_not_reached_is_told_in_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    archive = Archive(f"{bucket}/{uuid4().hex}")
    with pytest.raises(KeepingError, match="could not be written"):
        archive.keep_nouns(["something"])
