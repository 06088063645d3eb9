"""This machine: Python, packages, settings, disk, and the way out for traces."""

from __future__ import annotations

import platform
import shutil
import socket
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from control_tower import __version__
from control_tower.errors import nearest
from control_tower.settings import Settings
from desk.doctor.finding import Finding

OURS = "control-tower"
OPTIONAL = ("", "postgres", "stripe", "s3", "traces")
SHOWN = (
    "prefect",
    "fastapi",
    "sqlalchemy",
    "alembic",
    "pandas",
    "duckdb",
    "great-expectations",
    "litellm",
    "slack-sdk",
)
ELSEWHERE = {"TOWER_APPROVER", "TOWER_TOKEN", "TOWER_TEST_POSTGRES"}  # read by the command and by tests
ROOM = 2**30  # bytes; below this a night's artifacts may not fit
SECONDS = 3.0


def versions() -> Iterator[Finding]:
    """Python and packages, against what this release asks for."""
    yield Finding(OURS, __version__)
    wanted = SpecifierSet(metadata(OURS)["Requires-Python"])
    good = platform.python_version() in wanted
    yield Finding("python", platform.python_version(), "" if good else f"install Python {wanted}")
    wrong = dict(_wrong_packages())
    for name in sorted({*SHOWN, *wrong}):
        yield Finding(name, installed(name), wrong.get(name, ""))


def installed(name: str) -> str:
    """Its version, or that there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"


def _wrong_packages() -> Iterator[tuple[str, str]]:
    """Packages that are missing or of a version that this release does not work with, and what to do."""
    for each in map(Requirement, requires(OURS) or []):
        extra = next((extra for extra in OPTIONAL if not each.marker or each.marker.evaluate({"extra": extra})), None)
        try:
            wrong = extra is not None and not each.specifier.contains(version(each.name), prereleases=True)
        except PackageNotFoundError:
            wrong = extra == ""
        if wrong:
            yield each.name.lower(), f"pip install '{each.name}{each.specifier}'"


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The names of the settings that are set, and of variables that nothing reads; never a value."""
    known = {f"TOWER_{name.upper()}" for name in Settings.model_fields} | ELSEWHERE
    given = {name for name in environment if name.upper().startswith("TOWER_")}
    yield Finding("settings", ", ".join(sorted(name for name in given if name.upper() in known)) or "none is set")
    for name in sorted(given):
        if name.upper() not in known:
            yield Finding(f"setting {name}", "is read by nothing", nearest(name.upper(), known))


def disk(tower: Settings) -> Iterator[Finding]:
    """How much room the tower's folder has left."""
    free = shutil.disk_usage(tower.folder).free
    remedy = "" if free >= ROOM else "make room, or move TOWER_HOME and TOWER_ARTIFACTS_URL where there is some"
    yield Finding("disk", f"{free / 2**30:,.1f} GB free in {tower.folder}", remedy)


def traces(tower: Settings) -> Iterator[Finding]:
    """Whether spans can leave; none is sent."""
    if not tower.traces_url:
        yield Finding("traces", "none leave (TOWER_TRACES_URL is not set)")
        return
    if not _can_export():
        yield Finding(
            "traces", "TOWER_TRACES_URL is set, and nothing to send with", "pip install 'control-tower[traces]'"
        )
        return
    address = urlsplit(tower.traces_url)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as fault:
        yield Finding("traces", f"{host}:{port} does not answer: {type(fault).__name__}", "start the collector there")
    else:
        yield Finding("traces", f"{host}:{port} can be reached; nothing was sent")


def _can_export() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def time_apart(seconds: float, whose: str) -> Finding:
    """How far another clock is from this machine's."""
    well = abs(seconds) <= APART
    remedy = "" if well else "set both clocks by NTP: due dates, delegations and one-time codes are read off them"
    return Finding(f"clock of {whose}", "agrees" if well else f"is {seconds:+.0f} s from this machine's", remedy)


APART = 5.0
"""Seconds that two clocks may differ: an HTTP date is whole seconds, and an answer takes a while."""
