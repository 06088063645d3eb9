"""What the pages say can be done can be done: links lead somewhere, commands and settings exist, code can be read."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from control_tower import errors
from control_tower.settings import Settings
from control_tower.sources.mapping import read_mapping
from data_contracts.reader import read as read_contract
from desk.command import app
from policies.reader import read as read_policy
from tests.docs.pages import DOCS, PAGES, PROJECT, Block, blocks, every_block, links

TOWER: Any = get_command(app)
GENERATED = DOCS / "reference"
WRITTEN = [page for page in PAGES if GENERATED not in page.parents]
SCHEMES = re.compile(r"[a-z]+:")


def shown(page: Path) -> str:
    return str(page.relative_to(PROJECT))


# links


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_to_a_file_of_the_project(page: Path) -> None:
    assert not list(broken_links(page))


def broken_links(page: Path) -> Iterator[str]:
    for link in links(page):
        path, _, _ = link.partition("#")
        if path and not SCHEMES.match(path) and not (page.parent / path).exists():
            yield link


# commands


def commands(text: str) -> Iterator[list[str]]:
    """The words of each `tower` command in a text, a line each; what follows a pipe or a comment is not of it."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?tower(?= )(.*)", line)
        if found:  # what may be left out is in brackets
            try:
                words = shlex.split(re.sub(r"[][]", " ", found[1]), comments=True)
            except ValueError:
                words = found[1].split()
            yield words


def wrong_with(words: list[str]) -> str:
    """What is wrong with the words of a command; empty where nothing is."""
    command = TOWER
    while inner := getattr(command, "commands", {}):
        name = words[0] if words else ""
        if name not in inner:
            return "" if name.startswith("-") or not name or name == "|" else f"there is no word {name!r}"
        command, words = inner[name], words[1:]
    known = {option for each in command.params for option in each.opts} | {"--help"}
    for word in words:
        if word in ("|", "||", ">", "&&"):
            return ""
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"{command.name} has no option {word}"
    return ""


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_every_command_of_a_block_exists_with_its_options(page: Path) -> None:
    found = [(words, wrong_with(words)) for block in blocks(page) for words in commands(block.text)]
    assert not [(words, wrong) for words, wrong in found if wrong]


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_every_command_of_a_sentence_exists(page: Path) -> None:
    said = re.findall(r"`(tower [^`]+)`", page.read_text("utf-8"))
    for text in said:
        for words in commands(text.replace(" | ", " # ")):
            words = [word.rstrip(",") for word in words]
            wrong = wrong_with(words)
            assert not wrong, f"`{text}`: {wrong}"


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_every_make_target_exists(page: Path) -> None:
    there = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert asked <= there, asked - there


def test_every_word_of_the_command_line_is_in_the_reference() -> None:
    text = (GENERATED / "commands.md").read_text()

    def words(command: Any, before: str) -> Iterator[str]:
        inner = getattr(command, "commands", {})
        yield from (word for name, each in inner.items() for word in words(each, f"{before} {name}"))
        if not inner:
            yield before

    missing = [each for each in words(TOWER, "tower") if f"## {each}\n" not in text]
    assert not missing


# settings and errors


def test_every_setting_that_a_page_names_exists() -> None:
    known = {f"TOWER_{name.upper()}" for name in Settings.model_fields} | {"TOWER_TOKEN", "TOWER_APPROVER"}
    tests = {"TOWER_TEST_POSTGRES", "TOWER_DATA"}
    for page in WRITTEN:
        named = set(re.findall(r"\bTOWER_[A-Z][A-Z_]*[A-Z]\b", page.read_text("utf-8")))
        assert named <= known | tests, f"{shown(page)}: {named - known - tests}"


def test_every_error_is_in_operating_with_what_to_do() -> None:
    text = (DOCS / "operating.md").read_text()
    kinds = [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.TowerError) and kind is not errors.TowerError
    ]
    assert not [name for name in kinds if f"`{name}`" not in text]


def test_every_alert_is_in_watching_with_what_to_do() -> None:
    rules = YAML(typ="safe").load((PROJECT / "deployments" / "prometheus_alerts.yaml").read_text())
    text = (DOCS / "watching.md").read_text()
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    assert alerts
    assert not [name for name in alerts if name not in text]


def test_every_test_that_security_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "security.md").read_text()))
    there = {
        name
        for file in (PROJECT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(named) > 40
    assert named <= there, named - there


# blocks of code


@pytest.mark.parametrize("block", [b for b in every_block() if b.language == "python"], ids=str)
def test_python_compiles_and_what_it_imports_of_ours_is_there(block: Block) -> None:
    if block.mark.startswith("before:"):  # a piece of a function
        ast.parse("def piece():\n" + "\n".join("    " + line for line in block.text.splitlines()))
        return
    new = {each.title.removesuffix(".py").replace("/", ".") for each in every_block() if each.title.endswith(".py")}
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module not in new:
            module = import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], node.module


@pytest.mark.parametrize("block", [b for b in every_block() if b.language in ("yaml", "json")], ids=str)
def test_yaml_and_json_can_be_read_and_files_by_those_who_will(block: Block, tmp_path: Path) -> None:
    if block.language == "json":
        json.loads(block.text)
        return
    if not block.title:
        YAML(typ="safe").load(block.text.replace("\n...\n", "\n"))
        return
    for each in blocks(block.page):
        if each.language == "yaml" and each.title:
            (tmp_path / Path(each.title).name).write_text(each.text)
    file = tmp_path / Path(block.title).name
    if file.name.endswith(".odcs.yaml"):
        read_contract(file)
    elif block.title.startswith("policies/"):
        read_policy(tmp_path / file.name.replace(".examples", ""))
    elif "mapping" in file.name:
        read_mapping(str(file))
    else:
        YAML(typ="safe").load(block.text)


# the checks themselves


def test_a_broken_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "broken.md"
    page.write_text("[gone](nowhere.md)\n\n```sh\ntower fly away\ntower run fulfilment --sideways\n```\n")
    assert list(broken_links(page)) == ["nowhere.md"]
    wrong = [wrong_with(words) for words in commands(page.read_text())]
    assert wrong == ["there is no word 'fly'", "run has no option --sideways"]
