"""One server for one tower, shared, and gone with the last command that used it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from control_tower.errors import ServerError
from control_tower.locks import is_taken
from control_tower.server import Server, prefect_environment, running_server, server_environment, use
from control_tower.settings import Settings, settings

HOLD = """
import sys
from control_tower.server import running_server
from control_tower.settings import settings
with running_server(settings(), port=0) as server:
    print(server.pid, server.api, flush=True)
    sys.stdin.read()
"""


UP = "from desk.up import up; up()"
PROFILE = 'active = "mine"\n\n[profiles.mine]\nPREFECT_API_URL = "http://127.0.0.1:1/api"\n'


def hold(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()


def comes_true(condition: Callable[[], bool], within: float = 15.0) -> bool:
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Set up before any other fixture, so that Prefect reads the environment again after all of them."""
    yield
    use(settings())


@dataclass(frozen=True)
class Held:
    """A tower whose server two commands hold, begun at the same moment, in a user's home of their own."""

    environment: dict[str, str]
    commands: tuple[subprocess.Popen[str], subprocess.Popen[str]]
    told: tuple[list[str], list[str]]
    user: Path

    @property
    def server(self) -> int:
        return int(self.told[0][0])


@pytest.fixture(scope="module")
def held(its_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    user = tmp_path_factory.mktemp("user")
    (user / ".prefect").mkdir()
    (user / ".prefect" / "profiles.toml").write_text(PROFILE)
    environment = its_environment | {"HOME": str(user), "HTTP_PROXY": "http://127.0.0.1:9"}
    commands = hold(environment), hold(environment)
    yield Held(environment, commands, (said(commands[0]), said(commands[1])), user)
    for command in commands:
        command.kill()
        command.wait()


def test_two_commands_at_once_share_one_server(held: Held) -> None:
    assert held.told[0] == held.told[1], "the same process, at the same address"
    assert is_alive(held.server)


def test_a_third_command_joins_and_leaves_the_others_in_peace(
    held: Held, another_tower: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")
    home = os.environ["PREFECT_HOME"]
    with running_server(another_tower) as joined, running_server(another_tower) as again:
        assert (joined.pid, joined.api, again.api) == (held.server, held.told[0][1], held.told[0][1])
        assert os.environ["PREFECT_API_URL"] == joined.api
    assert "PREFECT_API_URL" not in os.environ
    assert os.environ["PREFECT_HOME"] == home
    assert is_alive(held.server)


@pytest.fixture
def up(held: Held) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", UP],
        env=held.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_up_says_where_to_look_and_takes_down_what_it_brought_up(
    held: Held, another_tower: Settings, up: subprocess.Popen[str]
) -> None:
    assert up.stdout
    shown: list[str] = []
    while "Ctrl-C" not in (shown[-1] if shown else ""):
        shown.append(up.stdout.readline())
        assert shown[-1], f"it ended: {up.communicate()[1]}"
    text = "".join(shown)
    assert held.told[0][1].removesuffix("/api") in text
    assert str(another_tower.folder) in text
    lanes = ("fulfilment", "returns", "fraud", "inventory", "subscriptions")
    assert ", ".join([*(f"watch-{lane}/watch-{lane}" for lane in lanes), "resolve-case/resolve-case"]) in text
    workers = another_tower.folder / "prefect" / "workers.lock"
    assert comes_true(lambda: is_taken(workers))

    up.send_signal(signal.SIGTERM)
    rest, errors = up.communicate(timeout=30)
    assert (up.returncode, rest.splitlines()[-1]) == (0, "stopped")
    assert "Traceback" not in errors
    assert not is_taken(workers)
    assert is_alive(held.server), "the other commands still use it"


def test_a_server_that_nobody_uses_ends_itself_even_when_its_commands_were_killed(held: Held) -> None:
    one, two = held.commands
    one.kill()
    one.wait()
    time.sleep(1.2)
    assert is_alive(held.server), "the other command still uses it"
    two.kill()
    two.wait()
    assert comes_true(lambda: not is_alive(held.server))


def test_the_users_own_profile_is_never_touched(held: Held) -> None:
    assert files_below(held.user / ".prefect") == {"profiles.toml": PROFILE.encode()}


@pytest.mark.slow
def test_a_server_that_does_not_start_says_why_and_tells_no_secret(
    tmp_path: Path, its_environment: dict[str, str]
) -> None:
    environment = its_environment | {
        "TOWER_HOME": str(tmp_path),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+nothing://tower:hunter2@127.0.0.1/prefect",
    }
    tried = subprocess.run(
        [sys.executable, "-c", HOLD], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert tried.returncode != 0
    assert "Prefect's server did not start" in tried.stderr
    assert "nothing" in tried.stderr, "the end of its log is told"
    assert "hunter2" not in tried.stderr


def test_the_users_own_server_is_used_and_none_is_started(server: Server, tmp_path: Path) -> None:
    tower = Settings(home=tmp_path / "third")
    with running_server(tower) as used:
        assert used.api == server.api
        assert used.pid is None
    assert not (tower.folder / "prefect" / "server.json").exists()


def test_a_server_of_the_user_that_does_not_answer_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with (
        pytest.raises(ServerError, match=r"PREFECT_API_URL http://127\.0\.0\.1:9/api: it does not answer"),
        running_server(Settings(home=tmp_path)),
    ):
        pass


def test_loopback_is_reached_without_the_users_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example,localhost")
    found = prefect_environment(Settings(home=tmp_path))
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet.example,localhost,127.0.0.1"


def test_the_users_database_stays_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    assert server_environment(tmp_path, 4200)[name] == f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    monkeypatch.setenv(name, "postgresql+asyncpg://somewhere/prefect")
    assert server_environment(tmp_path, 4200)[name] == "postgresql+asyncpg://somewhere/prefect"


def test_prefects_second_ui_is_not_there_for_it_calls_home(server: Server) -> None:
    with httpx.Client(trust_env=False) as client:
        said = client.get(f"{server.ui}/ui-settings").json()
        page = client.get(f"{server.ui}/v2/runs", headers={"accept": "text/html"}, follow_redirects=True).text
        scripts = [client.get(f"{server.ui}{path}").text for path in re.findall(r'src="(/[^"]+\.js)"', page)]
    assert (said["available_uis"], said["v2_base_url"]) == (["v1"], None)
    assert not any("amplitude" in text for text in (page, *scripts))


def test_two_towers_in_one_process_never_share_a_database(tmp_path: Path) -> None:
    for name in ("one", "two"):
        use(Settings(home=tmp_path / name))
        assert os.environ["PREFECT_HOME"] == str(tmp_path / name / "prefect")
        assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in os.environ


def test_nobody_else_can_read_prefects_folder(tmp_path: Path) -> None:
    tower = Settings(home=tmp_path)
    prefect_environment(tower)
    assert (tower.folder / "prefect").stat().st_mode & 0o077 == 0


def test_looking_for_a_server_does_not_import_prefect() -> None:
    code = "import sys, control_tower.server; print({'prefect', 'httpx', 'pandas'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_server_and_client_agree(server: Server) -> None:
    """FastAPI from 0.151 on makes the server refuse what its own client sends."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Suspended

    @flow(name=f"agree-{uuid4().hex[:8]}")
    def agree() -> None: ...

    pool = f"agree-{uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        assert client.api_version() == json.loads(client._client.get("/admin/version").text)
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        assert pool in {each.name for each in client.read_work_pools(limit=None)}
        client.send_worker_heartbeat(pool, "a worker", heartbeat_interval_seconds=30)
        assert client.get_scheduled_flow_runs_for_work_pool(pool, scheduled_before=None) == []
        deployed = client.create_deployment(
            flow_id=client.create_flow(agree), name="agree", work_pool_name=pool, concurrency_limit=1
        )
        run = client.create_flow_run_from_deployment(deployed, state=Suspended(timeout_seconds=60))
        assert client.read_flow_runs(flow_run_filter=FlowRunFilter(), limit=None)
        assert client.resume_flow_run(run.id).status.value == "ACCEPT"
        scheduled = client.get_scheduled_flow_runs_for_work_pool(pool)
        assert [each.flow_run.id for each in scheduled] == [run.id]


def test_a_folder_of_no_tower_has_no_server_to_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale record of a server that died, with its number now another process's, is not believed."""
    from control_tower.server import _ours

    folder = tmp_path / "prefect"
    folder.mkdir()
    (folder / "server.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:4200"}))
    assert _ours(folder) is None


def test_a_fastapi_that_is_too_new_is_named_as_the_cause(tmp_path: Path) -> None:
    from control_tower.server import _did_not_start

    said = "TypeError: Body() got an unexpected keyword argument 'min_items'"
    (tmp_path / "server.log").write_text(f"Traceback ...\n{said}\n")
    fault = _did_not_start(tmp_path, "it ended with status 1")
    assert said in fault.what
    assert "fastapi>=0.139,<0.151" in fault.remedy


def test_a_deadline_ends_the_wait_and_the_process(tmp_path: Path, its_environment: dict[str, str]) -> None:
    code = HOLD.replace("port=0", "port=0, deadline=0.5")
    environment = its_environment | {"TOWER_HOME": str(tmp_path)}
    tried = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "it did not answer in time" in tried.stderr
    assert comes_true(lambda: not is_taken(tmp_path / "prefect" / "server.lock"))
