"""Which lanes there are: one for each flow file `watch_<name>.py`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from control_tower.errors import NotFound, nearest
from tasks.lane import Lane


def lanes() -> tuple[str, ...]:
    """The names of the lanes."""
    return tuple(sorted(file.stem.removeprefix("watch_") for file in Path(__file__).parent.glob("watch_*.py")))


def find_lane(name: str) -> Lane:
    """The lane with this name: its tables and signals.

    Raises:
        NotFound: there is no such lane; offers the nearest.
    """
    found: Lane = import_module(_module(name)).LANE
    return found


def find_flow(name: str) -> Callable[..., Any]:
    """The flow that watches a lane."""
    flow: Callable[..., Any] = getattr(import_module(_module(name)), f"watch_{name}")
    return flow


def can_look_at_changes(name: str) -> bool:
    """Whether a lane can be told to look at what changed alone.

    Raises:
        NotFound: there is no such lane.
    """
    return "only_changed" in signature(find_flow(name)).parameters


def _module(name: str) -> str:
    if name not in lanes():
        raise NotFound(f"there is no lane {name!r}", remedy=nearest(name, lanes()))
    return f"flows.watch_{name}"
