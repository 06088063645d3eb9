"""Validation: a file's YAML becomes a model with strict types, or is refused with its line."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from ruamel.yaml.comments import CommentedMap

from control_tower.errors import PolicyError
from control_tower.written.plain_yaml import LARGEST, tree_of
from control_tower.written.refusals import explained, refusal

Written = TypeVar("Written", bound=BaseModel)


def content_of(file: Path) -> bytes:
    """The bytes of a file, and one more than may be read where it is too large."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as fault:
        raise PolicyError(f"can't be read: {fault.strerror}", where=str(file)) from fault


@lru_cache(maxsize=64)
def tree(file: str, content: bytes) -> CommentedMap:
    """The YAML of a file, with its lines."""
    return tree_of(content, file)


def validated(model: type[Written], written: JsonValue, tree: CommentedMap, file: str) -> Written:
    """The model of what is written; refused at the first line that is wrong."""
    try:
        # JSON, so that types are strict and dates and enums are still read from text.
        return model.model_validate_json(json.dumps(written), strict=True)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        misspelt_in = {error["loc"][:-1] for error in errors if error["type"] == "extra_forbidden"}
        # A field that is missing beside a misspelt one is the misspelt one.
        causes = [error for error in errors if error["type"] != "missing" or error["loc"][:-1] not in misspelt_in]
        raise refusal([explained(error, model) for error in causes], tree, file) from None
