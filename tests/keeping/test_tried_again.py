"""A reading whose connection broke is tried again, and each try is kept; what changes something is not repeated."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest
from prefect import flow

from control_tower.errors import SourceError, StoreError
from control_tower.keeping import step as keeping
from control_tower.keeping.records import chain_of, verify
from control_tower.keeping.step import broke_off, flow_run_id, open_archive, step
from control_tower.ledger import open_ledger
from control_tower.server import Server
from control_tower.settings import settings

TRIES: Counter[str] = Counter()


def attempt(what: str, failing: int, fault: BaseException) -> str:
    TRIES[what] += 1
    if TRIES[what] <= failing:
        raise SourceError("could not be read", where=what) from fault
    return "read"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PAUSES", (0.0, 0.0))


def run(server: Server, what: str, failing: int, fault: BaseException, **declared: bool) -> tuple[str, list[str]]:
    """What a flow of one step gives back, and how each of its records ended."""

    @step(touches="the source", **declared)
    def read_orders() -> str:
        return attempt(what, failing, fault)

    @flow(name="reading", persist_result=False)
    def reading() -> tuple[str, str]:
        try:
            return read_orders(), flow_run_id()
        except SourceError:
            return "not read", flow_run_id()

    said, run = reading()
    archive, ledger = open_archive(settings().artifacts), open_ledger(settings().ledger)
    verify(archive, ledger, run)
    return said, [record.error for record in chain_of(archive, ledger, run)]


def test_a_connection_that_breaks_twice_costs_two_more_tries(server: Server, at_once: None) -> None:
    said, errors = run(server, "twice", 2, ConnectionResetError(), reads=True)
    assert (said, len(errors), errors[2]) == ("read", 3, "")
    assert errors[0].startswith("SourceError")


def test_it_ends_after_three(server: Server, at_once: None) -> None:
    assert run(server, "always", 9, TimeoutError(), reads=True)[0] == "not read"
    assert TRIES["always"] == 3


def test_what_is_wrong_and_stays_wrong_is_tried_once(server: Server, at_once: None) -> None:
    assert run(server, "malformed", 9, ValueError("not a number"), reads=True)[0] == "not read"
    assert TRIES["malformed"] == 1


def test_a_step_that_may_change_something_is_tried_once(server: Server, at_once: None) -> None:
    assert run(server, "acting", 9, ConnectionResetError())[0] == "not read"
    assert TRIES["acting"] == 1


def test_a_store_that_refused_did_not_break_off() -> None:
    refused = StoreError("refused")
    assert not broke_off(refused)
    refused.__cause__ = ConnectionRefusedError()
    assert broke_off(refused)


def test_a_step_that_fails_lets_go_of_what_it_held_though_the_fault_lives_on(server: Server) -> None:
    class Held:
        """As tables, or a connection."""

    held: list[weakref.ref[Held]] = []

    @step
    def hold() -> None:
        mine = Held()
        held.append(weakref.ref(mine))
        raise SourceError("could not be read", where="there")

    @flow(name="holding", persist_result=False)
    def holding() -> SourceError | None:
        try:
            return hold()
        except SourceError as fault:
            return fault

    fault = holding()
    gc.collect()
    assert fault and [each() for each in held] == [None]
