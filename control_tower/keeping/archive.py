"""Where inputs and outputs are kept: by the hash of their content, in a folder or a bucket."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

from control_tower.errors import BrokenChain, KeepingError
from control_tower.keeping.frames import as_pandas
from control_tower.keeping.kept import NOUN, Address, Kept, Lying
from control_tower.keeping.nearby import Nearby
from control_tower.redaction import redacted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CHUNK = 1 << 20
LEVEL = 3  # of gzip, which anybody can open: most of the gain at a third of the time of its default
YOUNG = timedelta(hours=12)


class Archive:
    """Kept files under one fsspec URL. Equal content is kept once; nothing is ever rewritten.

    Args:
        url: a folder, or a bucket such as s3://bucket/tower.
        behind: another archive, to read what is not here; nothing is written to it.
    """

    def __init__(self, url: str, behind: Archive | None = None) -> None:
        import fsspec

        self.url, self.behind, self._nearby = _named(url).rstrip("/"), behind, Nearby()
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.url, **_options(self.url))
        except ImportError as fault:
            raise KeepingError(str(fault), where=url, remedy="pip install 'control-tower[s3]' for a bucket") from None
        if self.is_local:
            self.files.makedirs(self.root, exist_ok=True)

    @property
    def is_local(self) -> bool:
        """Whether its files are files of this machine."""
        return "file" in self.files.protocol

    def path(self, shelf: str, digest: str, suffix: str) -> str:
        """Where content with this digest lies: shelf/first two characters/digest.suffix."""
        return f"{self.root}/{shelf}/{digest[:2]}/{digest}.{suffix}"

    def location(self, kept: Kept) -> str:
        """The path of a kept frame on this machine, for DuckDB, pandas and people."""
        return str(self.local(kept.address))

    def local(self, address: Address) -> Path:
        """A kept file as a file of this machine; one of a bucket is fetched, and checked as it comes.

        Raises:
            BrokenChain: it is missing, or is not what was kept.
        """
        path = self.path(*address)
        if self.is_local:
            there = Path(path)
            return self.behind.local(address) if self.behind and not there.exists() else there
        if held := self._nearby.find(address):
            return held
        fetched = self.scratch(address[1][:12])
        try:
            self.files.get_file(path, str(fetched))
        except FileNotFoundError:
            fetched.unlink(missing_ok=True)
            if self.behind:
                return self.behind.local(address)
            raise BrokenChain("is gone", where=path) from None
        if _digest_of(fetched) != address[1]:
            fetched.unlink()
            raise BrokenChain("is not what was kept", where=path)
        return self._nearby.hold(fetched, address)

    def keep_bytes(self, shelf: str, content: bytes, suffix: str) -> str:
        """Keep bytes and return their digest."""
        digest = hashlib.sha256(content).hexdigest()
        self._place(self.path(shelf, digest, suffix), content)
        return digest

    def keep_nouns(self, content: Any, shelf: str = "nouns") -> Address:
        """Keep a noun, or any JSON content, compressed; in its own order, which whoever reads it may go by."""
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, default=str)
        return shelf, self.keep_bytes(shelf, gzip.compress(text.encode(), LEVEL, mtime=0), NOUN), NOUN

    def nouns(self, address: Address) -> Any:
        """Kept JSON content.

        Raises:
            BrokenChain: it is missing, or is not what was kept.
        """
        return json.loads(gzip.decompress(self.content(address)))

    def content(self, address: Address) -> bytes:
        """A kept file as it lies there, checked against its address.

        Raises:
            BrokenChain: it is missing, or is not what was kept.
        """
        file = self.local(address)
        if not file.exists():
            raise BrokenChain("is gone", where=str(file))
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != address[1]:
            raise BrokenChain("is not what was kept", where=str(file))
        return content

    def keep_file(self, name: str, written: Path, contract: str = "") -> Kept:
        """Move a Parquet file in under its hash; `written` is gone afterwards."""
        kept = self.described(name, written, _digest_of(written), contract)
        target = self.path(*kept.address)
        if self.is_local:
            if not self._is_there(target):
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(written, target)
            written.unlink(missing_ok=True)
            return kept
        with self._told():
            if not self._is_there(target):
                self.files.put_file(str(written), target)
        self._nearby.hold(written, kept.address)  # the next step reads it at once
        return kept

    def described(self, name: str, file: Path, digest: str, contract: str = "") -> Kept:
        """A Parquet file of this machine as what tasks hand on."""
        import pyarrow.parquet as pq

        schema = pq.read_metadata(file)
        columns = tuple(schema.schema.to_arrow_schema().names)
        return Kept(name=name, digest=digest, rows=schema.num_rows, columns=columns, contract=contract)

    def keep_frame(self, name: str, frame: pd.DataFrame, contract: str = "") -> Kept:
        """Keep a frame as Parquet, without pandas' own metadata, which would change the hash."""
        import pyarrow as pa

        return self.keep_table(name, pa.Table.from_pandas(frame, preserve_index=False), contract)

    def keep_table(self, name: str, table: pa.Table, contract: str = "") -> Kept:
        """Keep an Arrow table as Parquet."""
        import pyarrow.parquet as pq

        table, written = table.replace_schema_metadata(None), self.scratch(name)
        pq.write_table(table, written, compression="zstd", compression_level=1)
        return self.keep_file(name, written, contract)

    def frame(self, kept: Kept, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> pd.DataFrame:
        """Read a kept frame back; text as Arrow strings, integers and booleans with missing values.

        Args:
            coded: text columns to read as categories.
        """
        import pandas as pd
        import pyarrow.parquet as pq

        file = self.local(kept.address)
        table = pq.read_table(file, columns=list(columns) if columns else None, read_dictionary=list(coded))
        return pd.DataFrame(as_pandas(table))

    def repetitive(self, kept: Kept) -> list[str]:
        """The text columns of a kept frame that hold few values many times, by what they take on disk."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(self.local(kept.address))
        names = metadata.schema.to_arrow_schema()
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        return [
            field.name
            for place, field in enumerate(names)
            if pa.types.is_string(field.type)
            and sum(group.column(place).total_uncompressed_size for group in groups) <= 4 * kept.rows
        ]

    def has(self, address: Address) -> bool:
        """Whether a file lies there."""
        return bool(self.files.exists(self.path(*address)))

    def verify(self, shelf: str, digest: str, suffix: str) -> None:
        """Check that what is kept under a digest still has it.

        Raises:
            BrokenChain: it is missing or changed.
        """
        if self.behind and not self.has((shelf, digest, suffix)):
            self.behind.verify(shelf, digest, suffix)
            return
        path = self.path(shelf, digest, suffix)
        actual = hashlib.sha256()
        try:
            with self.files.open(path, "rb") as file:
                while chunk := file.read(CHUNK):
                    actual.update(chunk)
        except FileNotFoundError:
            raise BrokenChain("is gone", where=path) from None
        if actual.hexdigest() != digest:
            raise BrokenChain("is not what was kept", where=path)

    def lying(self) -> Iterator[Lying]:
        """Every kept file that lies here, records of runs apart."""
        for path, facts in sorted(self.files.find(self.root, detail=True).items()):
            parts = str(path).removeprefix(self.root).strip("/").split("/")
            if len(parts) != 3 or parts[0] in ("runs", "scratch"):
                continue
            digest, _, suffix = parts[2].partition(".")
            yield Lying((parts[0], digest, suffix), int(facts["size"]), _moment(facts))

    def remove(self, address: Address) -> None:
        """Take a file away; one that is not there is gone already."""
        if self.has(address):
            self.files.rm_file(self.path(*address))
        if not self.is_local:
            self._nearby.drop(address)

    def scratch(self, name: str) -> Path:
        """A path on this machine to write a file to before it is kept."""
        folder = (Path(self.root) if self.is_local else self._nearby.folder) / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}-{uuid4().hex}.parquet"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever a bucket has against being written to, in one line."""
        try:
            yield
        except Exception as fault:
            remedy = "see that the bucket is there, is reached, and may be written to; `tower doctor` asks it"
            what = f"could not be written: {redacted(str(fault))}"
            raise KeepingError(what, where=self.url, remedy=remedy) from fault

    def write(self, path: str, content: bytes) -> None:
        """Put a file there whole, in place of what was there; another process never sees half of it.

        Raises:
            KeepingError: the bucket does not take it.
        """
        if not self.is_local:
            with self._told():
                self.files.pipe_file(path, content)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        partial = Path(f"{path}.{uuid4().hex}.part")
        partial.write_bytes(content)
        partial.replace(path)

    def _place(self, path: str, content: bytes) -> None:
        with self._told():
            there = self._is_there(path)
        if not there:
            self.write(path, content)

    def _is_there(self, path: str) -> bool:
        """Whether a file need not be written, and is as young as if it had been: it is needed from now on again.

        What is old is let go by age, and must not go between being found here and being named in a record.
        """
        if self.is_local:
            try:
                os.utime(path)
            except FileNotFoundError:
                return False
            return True
        try:
            return datetime.now(UTC) - _moment(self.files.info(path)) < YOUNG  # an older one is put there again
        except FileNotFoundError:
            return False


def _named(url: str) -> str:
    """A folder by its path, for in a URL a space is written otherwise; a bucket by its URL."""
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else url


def _options(url: str) -> dict[str, bool]:
    """Others write to a bucket too, so that what was listed before says nothing."""
    return {} if "://" not in url else {"use_listings_cache": False, "skip_instance_cache": True}


def _digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _moment(facts: dict[str, Any]) -> datetime:
    """Since when a file lies there, as its file system says."""
    since = facts.get("LastModified") or facts.get("mtime") or facts.get("created")
    return since.astimezone(UTC) if isinstance(since, datetime) else datetime.fromtimestamp(float(since or 0), UTC)
