"""Where inputs and outputs are kept: by the hash of their content, in a folder or a bucket."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from control_tower.errors import BrokenChain
from control_tower.nouns import Noun, canonical

if TYPE_CHECKING:
    import pandas as pd

N = TypeVar("N", bound=Noun)
CHUNK = 1 << 20


class Kept(BaseModel):
    """The address of a kept frame: what tasks hand on in place of the frame itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str = Field(description="SHA-256 of the Parquet file")
    rows: int
    columns: tuple[str, ...]
    contract: str = ""


class Nouns(Generic[N]):
    """A batch of nouns that a task hands on. Not a list, so that Prefect does not walk through it."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[N] = ()) -> None:
        self.items = tuple(items)

    def __iter__(self) -> Iterator[N]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Archive:
    """Kept files under one fsspec URL. Equal content is kept once; nothing is ever rewritten."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url.rstrip("/")
        self.files, self.root = fsspec.core.url_to_fs(self.url)
        self.files.makedirs(self.root, exist_ok=True)

    def path(self, shelf: str, digest: str, suffix: str) -> str:
        """Where content with this digest lies: shelf/first two characters/digest.suffix."""
        return f"{self.root}/{shelf}/{digest[:2]}/{digest}.{suffix}"

    def location(self, kept: Kept) -> str:
        """The path of a kept frame, for DuckDB, pandas and people."""
        return self.path("frames", kept.digest, "parquet")

    def keep_bytes(self, shelf: str, content: bytes, suffix: str = "json") -> str:
        """Keep bytes and return their digest."""
        digest = hashlib.sha256(content).hexdigest()
        self._place(self.path(shelf, digest, suffix), content)
        return digest

    def keep_nouns(self, content: Any) -> str:
        """Keep a noun, or any JSON content, and return its digest."""
        return self.keep_bytes("nouns", canonical(content))

    def keep_file(self, name: str, written: Path, contract: str = "") -> Kept:
        """Move a Parquet file in under its hash; `written` is gone afterwards."""
        import pyarrow.parquet as pq

        digest = hashlib.file_digest(written.open("rb"), "sha256").hexdigest()
        schema = pq.read_metadata(written)
        target = self.path("frames", digest, "parquet")
        if not self.files.exists(target):
            self.files.makedirs(target.rpartition("/")[0], exist_ok=True)
            if self._is_local:
                shutil.move(written, target)
            else:
                self.files.put_file(str(written), target)
        written.unlink(missing_ok=True)
        columns = tuple(schema.schema.to_arrow_schema().names)
        return Kept(name=name, digest=digest, rows=schema.num_rows, columns=columns, contract=contract)

    def keep_frame(self, name: str, frame: pd.DataFrame, contract: str = "") -> Kept:
        """Keep a frame as Parquet, without pandas' own metadata, which would change the hash."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        written = self.scratch(name)
        pq.write_table(table, written, compression="zstd", compression_level=1)
        return self.keep_file(name, written, contract)

    def frame(self, kept: Kept, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> pd.DataFrame:
        """Read a kept frame back; text as Arrow strings, integers and booleans with missing values.

        Args:
            coded: text columns to read as categories.
        """
        import pandas as pd
        import pyarrow.parquet as pq

        with self.files.open(self.location(kept), "rb") as file:
            table = pq.read_table(file, columns=list(columns) if columns else None, read_dictionary=list(coded))
        return pd.DataFrame(as_pandas(table))

    def repetitive(self, kept: Kept) -> list[str]:
        """The text columns of a kept frame that hold few values many times, by what they take on disk."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self.files.open(self.location(kept), "rb") as file:
            metadata = pq.read_metadata(file)
        names = metadata.schema.to_arrow_schema()
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        return [
            field.name
            for place, field in enumerate(names)
            if pa.types.is_string(field.type)
            and sum(group.column(place).total_uncompressed_size for group in groups) <= 4 * kept.rows
        ]

    def verify(self, shelf: str, digest: str, suffix: str) -> None:
        """Check that what is kept under a digest still has it.

        Raises:
            BrokenChain: it is missing or changed.
        """
        path = self.path(shelf, digest, suffix)
        if not self.files.exists(path):
            raise BrokenChain("is gone", where=path)
        actual = hashlib.sha256()
        with self.files.open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                actual.update(chunk)
        if actual.hexdigest() != digest:
            raise BrokenChain("is not what was kept", where=path)

    def scratch(self, name: str) -> Path:
        """A path on this machine to write a file to before it is kept."""
        import tempfile

        folder = Path(self.root) / "scratch" if self._is_local else Path(tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}-{uuid4().hex}.parquet"

    @property
    def _is_local(self) -> bool:
        return "file" in self.files.protocol

    def _place(self, path: str, content: bytes) -> None:
        if self.files.exists(path):
            return
        self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        partial = f"{path}.{uuid4().hex}.part"
        self.files.pipe_file(partial, content)
        self.files.mv(partial, path)  # whole or not at all


def as_pandas(table: Any) -> Any:
    """A pyarrow table as pandas: Arrow text, nullable integers and booleans, UTC microseconds, days as datetime64."""
    import pandas as pd
    import pyarrow as pa

    kinds = {
        pa.int64(): pd.Int64Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.float64(): pd.Float64Dtype(),
    }
    text = pd.StringDtype("pyarrow")

    def kind(arrow: Any) -> Any:
        return text if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) else kinds.get(arrow)

    return table.to_pandas(types_mapper=kind, date_as_object=False, split_blocks=True, self_destruct=True)
