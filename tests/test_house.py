"""The house holds: code looks down only, judgement has no hands, and light imports stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW = {
    "desk": {"flows", "tasks", "policies", "data_contracts", "control_tower"},
    "flows": {"tasks", "policies", "data_contracts", "control_tower"},
    "tasks": {"policies", "data_contracts", "control_tower"},
    "policies": {"control_tower"},
    "data_contracts": {"control_tower"},
    "control_tower": set[str](),
}
HANDS = {
    "prefect", "httpx", "requests", "urllib3", "aiohttp", "slack_sdk", "litellm", "openai",
    "sqlalchemy", "sqlmodel", "duckdb", "sqlite3", "psycopg",
}  # fmt: skip


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("room", BELOW)
def test_a_room_looks_down_only(room: str) -> None:
    allowed = BELOW[room] | {room}
    for file in (ROOT / room).rglob("*.py"):
        for name in imports(file):
            top = name.partition(".")[0]
            assert top not in BELOW or top in allowed, f"{file.relative_to(ROOT)} looks up at {name}"


@pytest.mark.parametrize("room", ["policies", "data_contracts"])
def test_judgement_has_no_hands(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        reached = {name.partition(".")[0] for name in imports(file)} & HANDS
        assert not reached, f"{file.relative_to(ROOT)} has hands: {reached}"


@pytest.mark.parametrize("room", BELOW)
def test_every_room_is_ours_and_not_another_package_of_that_name(room: str) -> None:
    assert Path(str(import_module(room).__file__)).is_relative_to(ROOT)


def test_importing_the_rooms_loads_nothing_that_is_slow_to_import() -> None:
    program = (
        "import sys, control_tower, control_tower.nouns, control_tower.ledger, data_contracts, policies, desk.command\n"
        "slow = ('great_expectations', 'litellm', 'prefect', 'opentelemetry.sdk', 'prometheus_client', 'alembic')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    assert said.stdout.strip() == "[]", said.stdout


def test_no_package_runs_code_at_every_start_of_python() -> None:
    """litellm 1.82.8 was compromised through a .pth file; ours may be the only ones that import."""
    folder = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    running = {
        file.name
        for file in folder.glob("*.pth")
        if any(line.startswith(("import ", "import\t")) for line in file.read_text(errors="replace").splitlines())
    }
    assert {name for name in running if not name.startswith(("_editable_impl_", "distutils-precedence"))} == set()


@pytest.mark.parametrize("name", ["requirements.lock", "deployments/requirements.lock"])
def test_a_lock_names_no_registry_and_hashes_everything(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in "".join(line for line in lock.splitlines() if not line.strip().startswith("#"))
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert len(pinned) > 100
    assert lock.count("--hash=sha256:") >= len(pinned)
