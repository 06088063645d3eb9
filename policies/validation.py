"""Validation: a document's YAML, in its short forms too, becomes a model with strict types."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, JsonValue
from ruamel.yaml.comments import CommentedMap

from control_tower.written import validation

Written = TypeVar("Written", bound=BaseModel)


def validated(model: type[Written], written: JsonValue, tree: CommentedMap, file: str) -> Written:
    """The model of what is written; refused at the first line that is wrong."""
    return validation.validated(model, _short_forms(written), tree, file)


def _short_forms(document: JsonValue) -> JsonValue:
    """`severity: sev2` and `team: payments` are short for a list of one row without a condition."""
    rules = document.get("rules") if isinstance(document, dict) else None
    for rule in rules if isinstance(rules, list) else []:
        for field in ("severity", "team"):
            if isinstance(rule, dict) and isinstance(rule.get(field), str):
                rule[field] = [{field: rule[field]}]
    return document
