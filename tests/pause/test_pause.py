"""A run waits for a person, with a form and without a process; waking it grants nothing."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_tower.errors import NotFound, ServerError
from control_tower.server import Server
from control_tower.settings import settings

TOKEN = "tower_" + "s3cret" * 7
FILLED = {"approver": "ana", "code": TOKEN, "ruling": "approve", "reason": "it was never shipped"}


class Desk:
    """A deployment whose flow waits for an answer, and what its runs saw."""

    def __init__(self, client: Any) -> None:
        from prefect import flow
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.exceptions import ObjectAlreadyExists

        from control_tower.pause import answer, pause_again
        from desk.worker import POOL

        self.client = client
        self.seen: list[Any] = []
        self.before: Callable[[], None] = lambda: None

        @flow(name=f"wait-{uuid4().hex[:8]}", persist_result=False)
        def wait(proposal: str) -> str:
            self.before()
            self.seen.append(answer())
            if self.seen[-1] is None:
                pause_again(f"**Nothing was done** for {proposal}: nobody has ruled.")
            return f"done for {proposal}"

        self.flow = wait
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        self.deployment: UUID = client.create_deployment(client.create_flow(wait), "wait", work_pool_name=POOL)
        self.name = f"{wait.name}/wait"

    def request(self, proposal: str | None = None, key: str | None = None) -> Any:
        from control_tower.pause import PauseRequest

        proposal = proposal or uuid4().hex * 2
        return PauseRequest(
            proposal_id=proposal,
            name=f"refund-{proposal[:6]}",
            description_markdown="### Refund 49.90 EUR?",
            parameters={"proposal": proposal},
            tags=["lane:fulfilment"],
            key=key or f"ruling-{proposal[:12]}",
        )

    def open(self, *requests: Any, timeout: timedelta = timedelta(days=30)) -> list[UUID]:
        from control_tower.pause import open_pauses

        return [UUID(run) for run in open_pauses(requests, self.name, timeout).values()]

    def work(self) -> None:
        from desk.worker import work

        work({self.deployment: self.flow}, settings(), once=True)

    def clear(self) -> None:
        """Take away what is still scheduled, so that no other test carries it out."""
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterDeploymentId,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        scheduled = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[self.deployment]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        )
        for run in self.client.read_flow_runs(flow_run_filter=scheduled, limit=200):
            self.client.delete_flow_run(run.id)

    def state(self, run: UUID) -> str:
        return str(self.client.read_flow_run(run).state_name)

    def inputs(self, run: UUID) -> dict[str, str]:
        return {row.key: row.value for row in self.client.filter_flow_run_input(run, "", 200, set())}

    def keyset(self, run: UUID) -> dict[str, str]:
        found: dict[str, str] = self.client.read_flow_run(run).state.state_details.run_input_keyset
        return found


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as found:
        yield found


@pytest.fixture(scope="module")
def shared_desk(client: Any) -> Desk:
    return Desk(client)


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    shared_desk.seen.clear()
    shared_desk.before = lambda: None
    yield shared_desk
    shared_desk.clear()


# opening


def test_a_run_is_born_waiting_with_its_form_and_no_process(desk: Desk) -> None:
    (run,) = desk.open(desk.request())
    found = desk.client.read_flow_run(run)
    assert (found.state_name, found.run_count, found.start_time) == ("Suspended", 0, None)
    assert found.tags == ["lane:fulfilment"]
    keyset, inputs = desk.keyset(run), desk.inputs(run)
    assert set(inputs) == {keyset["schema"], keyset["description"]}
    assert json.loads(inputs[keyset["description"]]) == "### Refund 49.90 EUR?"
    fields = json.loads(inputs[keyset["schema"]])["properties"]
    assert fields["ruling"]["enum"] == ["approve", "reject"]
    assert "default" not in fields["ruling"], "nothing is chosen before a person chooses"
    assert fields["code"]["format"] == "password"
    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in inputs)


def test_asking_twice_opens_one_run(desk: Desk) -> None:
    requests = [desk.request() for _ in range(3)]
    assert desk.open(*requests) == desk.open(*requests)


def test_what_a_crash_left_half_made_is_completed(desk: Desk) -> None:
    request = desk.request()
    (run,) = desk.open(request)
    whole = desk.inputs(run)
    for key in whole:
        desk.client.delete_flow_run_input(run, key)
    assert desk.open(request) == [run]
    assert desk.inputs(run) == whole


def test_a_half_made_run_can_be_woken_all_the_same(desk: Desk) -> None:
    from control_tower.pause import Wake, resume

    (run,) = desk.open(desk.request())
    desk.client.delete_flow_run_input(run, desk.keyset(run)["schema"])
    assert desk.client.resume_flow_run(run).details.reason == "Run input schema not found."
    assert resume(run) is Wake.resumed


def test_a_run_that_had_ended_asks_again_when_its_proposal_comes_back(desk: Desk) -> None:
    request = desk.request()
    (run,) = desk.open(request)
    desk.client.resume_flow_run(run, run_input=FILLED)
    desk.work()
    assert desk.state(run) == "Completed"
    assert desk.open(request) == [run]
    desk.work()
    assert desk.state(run) == "Suspended"
    assert "nobody has ruled" in desk.inputs(run)[desk.keyset(run)["description"]]


@pytest.mark.parametrize("key", ["ruling:1", "Ruling-1", "ruling/1", "", "a" * 201])
def test_a_key_that_would_strand_the_run_is_refused_before_anything_is_made(desk: Desk, key: str) -> None:
    from control_tower.pause import PauseRequest

    with pytest.raises(ServerError, match="can't be a pause's key"):
        PauseRequest("p", "name", "text", {}, [], key)


def test_asking_without_the_deployment_says_what_to_do(desk: Desk) -> None:
    from control_tower.pause import open_pauses

    with pytest.raises(ServerError, match="tower deploy"):
        open_pauses([desk.request()], "no-such-flow/at-all")


@pytest.mark.slow
def test_eight_or_more_are_opened_a_second(desk: Desk) -> None:
    rates = []
    for _ in range(2):  # the better of two: other programs share this machine
        requests = [desk.request() for _ in range(25)]
        began = time.monotonic()
        desk.open(*requests)
        rates.append(25 / (time.monotonic() - began))
    assert max(rates) > 8, rates


@pytest.mark.slow
def test_others_that_write_at_the_same_time_take_no_run_away(desk: Desk) -> None:
    """A busy SQLite fails single runs inside an answer that succeeds."""
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            desk.client.create_flow_run_from_deployment(desk.deployment, parameters={"proposal": "x"})

    other = threading.Thread(target=disturb)
    other.start()
    try:
        requests = [desk.request() for _ in range(30)]
        runs = desk.open(*requests)
    finally:
        stop.set()
        other.join()
    assert len(set(runs)) == 30
    assert [len(desk.inputs(run)) for run in runs] == [2] * 30


# the form


@pytest.mark.parametrize(
    "typed",
    [
        {"approver": "ana", "code": TOKEN, "ruling": "maybe"},
        {"approver": "ana", "code": TOKEN},
        {"ruling": "approve"},
        {"reason": "because"},
        FILLED | {"amount": -5},
        FILLED | {"target": "another order"},
        FILLED | {"reason": "x" * 2001},
    ],
)
def test_a_form_that_is_half_filled_or_wrong_wakes_nobody(desk: Desk, typed: dict[str, Any]) -> None:
    (run,) = desk.open(desk.request())
    refused = desk.client.resume_flow_run(run, run_input=typed)
    assert refused.status.value == "REJECT"
    assert TOKEN not in str(refused)
    assert desk.state(run) == "Suspended"


def test_what_was_typed_is_read_once_and_erased(desk: Desk) -> None:
    from control_tower.pause import answer

    (run,) = desk.open(desk.request())
    desk.client.resume_flow_run(run, run_input=FILLED)
    assert TOKEN in str(desk.inputs(run))
    desk.work()
    (seen,) = desk.seen
    assert (seen.approver, seen.code, seen.verdict, seen.reason) == tuple(FILLED.values())
    assert TOKEN not in repr(seen)
    assert TOKEN not in str(desk.inputs(run))
    assert answer(run) is None
    assert desk.state(run) == "Completed"
    found = desk.client.read_flow_run(run)
    assert TOKEN not in found.model_dump_json()
    assert TOKEN not in str(desk.client.read_flow_run_states(run))
    assert TOKEN not in (Path(settings().folder) / "prefect" / "server.log").read_text()


@pytest.mark.slow
def test_however_it_was_forced_awake_it_waits_again_and_can_still_be_answered(desk: Desk) -> None:
    """Prefect itself ends here in a key that was used before: every resume is refused, for ever."""
    from prefect.states import Cancelled, Crashed, Failed, Running, Scheduled

    from control_tower.pause import Wake, resume

    (run,) = desk.open(desk.request())
    keys = {desk.keyset(run)["schema"]}
    for forced in ([Scheduled()], [Failed()], [Running(), Crashed()], [Cancelled()]):
        for state in forced:
            desk.client.set_flow_run_state(run, state, force=True)
        assert resume(run) in (Wake.resumed, Wake.underway)
        desk.work()
        keyset, inputs = desk.keyset(run), desk.inputs(run)
        assert desk.state(run) == "Suspended"
        assert "nobody has ruled" in inputs[keyset["description"]]
        assert set(inputs) == {keyset["schema"], keyset["description"]}, "old forms are cleared away"
        keys.add(keyset["schema"])
    assert len(keys) == 5, "no key was used twice"
    assert desk.client.resume_flow_run(run, run_input=FILLED).status.value == "ACCEPT"
    desk.work()
    assert desk.seen[:-1] == [None] * 4
    assert desk.seen[-1].approver == "ana"
    assert desk.state(run) == "Completed"


def test_a_retry_inside_the_run_asks_again_under_a_key_of_its_own(desk: Desk) -> None:
    from control_tower.pause import resume

    (run,) = desk.open(desk.request())
    faults = iter([ValueError("the shop did not answer")])

    def fail_once() -> None:
        for fault in faults:
            raise fault

    desk.before = fail_once
    resume(run)
    desk.flow.retries = 1
    try:
        desk.work()
    finally:
        desk.flow.retries = 0
    assert desk.state(run) == "Suspended"
    desk.client.resume_flow_run(run, run_input=FILLED)
    desk.work()
    assert desk.state(run) == "Completed"


def test_an_answer_to_an_earlier_pause_is_never_taken_for_this_one(desk: Desk) -> None:
    from control_tower.pause import resume

    (run,) = desk.open(desk.request())
    first = desk.keyset(run)["response"]
    resume(run)
    desk.work()
    desk.client.create_flow_run_input(run, first, json.dumps(FILLED))
    desk.client.create_flow_run_input(run, desk.keyset(run)["response"], '{"approver": "ana"}')
    resume(run)
    desk.work()
    assert desk.seen == [None, None], "one answers another pause, the other is not whole"
    assert TOKEN not in str(desk.inputs(run)), "and it is erased all the same"


@pytest.mark.parametrize(
    "text", ['{"approver": "ana"}', "[]", "not json", json.dumps(FILLED | {"ruling": "sure"}), "{}", "null"]
)
def test_a_malformed_answer_is_none(text: str) -> None:
    from control_tower.pause.form import understood

    assert understood(text) is None


def test_a_run_made_by_hand_waits_too(desk: Desk) -> None:
    run = desk.client.create_flow_run_from_deployment(desk.deployment, parameters={"proposal": "by hand"}).id
    desk.work()
    assert desk.state(run) == "Suspended"
    assert desk.client.resume_flow_run(run, run_input=FILLED).status.value == "ACCEPT"


def test_only_a_deployments_own_run_can_wait(server: Server) -> None:
    from prefect import flow

    from control_tower.pause import pause_again

    @flow(persist_result=False)
    def by_itself() -> None:
        pause_again("never")

    with pytest.raises(ServerError, match="only the run of a deployment can wait"):
        by_itself()
    with pytest.raises(ServerError, match="no flow run"):
        pause_again("never")


# waking


def test_a_second_click_on_resume_does_no_harm(desk: Desk) -> None:
    from control_tower.pause import Wake, resume

    (run,) = desk.open(desk.request())
    desk.client.resume_flow_run(run, run_input=FILLED)
    with ThreadPoolExecutor(6) as clicks:
        assert set(clicks.map(lambda _: resume(run), range(6))) == {Wake.underway}
    desk.work()
    assert len(desk.seen) == 1
    assert resume(run) is Wake.completed
    desk.work()
    assert len(desk.seen) == 1


def test_of_many_wake_ups_at_once_one_wakes(desk: Desk) -> None:
    from control_tower.pause import Wake, resume

    (run,) = desk.open(desk.request())
    with ThreadPoolExecutor(6) as clicks:
        woken = list(clicks.map(lambda _: resume(run), range(6)))
    assert sorted(woken) == [Wake.resumed] + [Wake.underway] * 5


def test_an_expired_pause_is_revived_by_a_wake_up(desk: Desk) -> None:
    from control_tower.pause import Wake, resume

    (run,) = desk.open(desk.request(), timeout=timedelta(seconds=1))
    time.sleep(1.1)
    assert resume(run) is Wake.resumed
    assert desk.state(run) == "Scheduled"


def test_waking_a_run_that_is_not_there_says_so(server: Server) -> None:
    from control_tower.pause import resume

    with pytest.raises(NotFound, match="Prefect knows no flow run"):
        resume(uuid4())
