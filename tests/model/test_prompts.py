"""A prompt that was used is never changed: what a model was told can be read back by its version."""

from __future__ import annotations

from importlib import resources

import pytest

from control_tower.errors import NotFound
from control_tower.model.prompts import prompt
from control_tower.nouns import digest_of

USED = {"reading@1": "6f21dcdc04c36b8f", "brief@1": "8b17276ed4c62b86"}


def test_every_version_is_what_it_was_when_it_was_first_used() -> None:
    held = {file.name.removesuffix(".txt") for file in resources.files("control_tower.model.prompts").iterdir()
            if file.name.endswith(".txt")}  # fmt: skip
    assert held == set(USED)
    assert {reference: digest_of(prompt(reference).text)[:16] for reference in held} == USED


def test_a_version_that_was_never_written_is_not_found() -> None:
    for reference in ("brief@99", "brief", "../brief@1"):
        with pytest.raises(NotFound):
            prompt(reference)
