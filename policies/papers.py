"""Papers: what the business wrote down beside its policies: what may be disclosed, words for customers, meanings.

They are YAML beside the policies and are read as strictly: an unknown field, a wrong type or a second key is refused
with file, line and the nearest right name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from control_tower.errors import PolicyError
from control_tower.written.faults import Fault
from control_tower.written.plain_yaml import plain
from control_tower.written.refusals import WORKED_OUT, refusal
from control_tower.written.validation import content_of, tree
from policies.terms import Identifier, InForce, Term
from policies.validation import validated

HOUSE = Path(__file__).parent
PAPERS = ("authority", "disclosure", "messages", "meanings", "measures", "retention")


class Paper(Term):
    """One version of a paper: whose it is and since when it holds."""

    id: Identifier
    version: int = Field(ge=1)
    owner: str = Field(min_length=2)
    in_force: InForce

    @property
    def reference(self) -> str:
        """Id and version, as in messages@1."""
        return f"{self.id}@{self.version}"


P = TypeVar("P", bound=Paper)


def read_paper(kind: type[P], file: Path | str, faults: Callable[[P], list[Fault]] = lambda _: []) -> P:
    """A paper of this house by name, or of a file.

    Args:
        faults: what else can be wrong with it, each at its place.

    Raises:
        PolicyError: it can't be read, or says something that is not understood or not allowed; names file and line.
    """
    path = HOUSE / f"{file}.yaml" if isinstance(file, str) else file
    written = tree(str(path), content_of(path))
    for name in WORKED_OUT:
        if name in written:
            raise refusal([Fault((name,), f"{name!r} is not for the file to say")], written, str(path))
    found: P = _read(kind, str(path), content_of(path))
    if wrong := faults(found):
        raise refusal(wrong, written, str(path))
    if found.id != path.stem:
        raise PolicyError(f"holds {found.id!r}", where=f"{path}:1", remedy=f"call the file {found.id}.yaml")
    return found


@lru_cache(maxsize=32)
def _read(kind: type[P], file: str, content: bytes) -> P:
    written = tree(file, content)
    return validated(kind, plain(written), written, file)


def is_paper(file: Path) -> bool:
    """Whether a file beside the policies is none of them."""
    return file.stem in PAPERS
