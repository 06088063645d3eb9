"""`tower up`: server, deployments and a warm worker in one command, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

from control_tower.server import Server, running_server
from control_tower.settings import Settings
from control_tower.settings import settings as read_settings

MINUTE = 60.0


def say(line: str) -> None:
    """Print a line at once, also into a file or a pipe."""
    print(line, flush=True)


def up(
    settings: Settings | None = None,
    write: Callable[[str], None] = say,
    every_minute: Sequence[Callable[[], object]] = (),
    beside: Sequence[Callable[[threading.Event], object]] = (),
) -> None:
    """Run until Ctrl-C or SIGTERM; finish what is under way, then stop everything that was started.

    Args:
        write: takes each line that a person should see.
        every_minute: what else to do once a minute; a fault in one is told, and ends nothing.
        beside: what else runs, each until the event that it is given is set; a fault in one is told.

    Raises:
        ServerError: the server does not start, or stopped answering.
    """
    tower = settings or read_settings()
    stop = threading.Event()
    write(f"starting Prefect in {tower.folder} ...")
    with _told_to_stop(stop, write), running_server(tower) as server:
        from desk.deploy import deploy
        from desk.deploy_show import automate
        from desk.worker import recover, work

        deployed = deploy(tower)
        automate()
        flows = {each.id: each.flow for each in deployed if each.id}

        def put_right() -> None:
            for run, state in recover(flows, tower).items():
                write(f"run {run} was left behind; it is {state} now")

        put_right()  # as the worker would, but told
        duties = (put_right, *every_minute)
        threading.Thread(target=_each_minute, args=(stop, write, duties), daemon=True).start()
        threading.Thread(target=_warm_up, daemon=True).start()
        others = [threading.Thread(target=_beside, args=(each, stop, write), daemon=True) for each in beside]
        for other in others:
            other.start()
        for line in _where_to_look(tower, server, [each.name for each in deployed]):
            write(line)
        work(flows, tower, stop=stop)
        stop.set()
        for other in others:
            other.join()
    write("stopped")


def _beside(act: Callable[[threading.Event], object], stop: threading.Event, write: Callable[[str], None]) -> None:
    try:
        act(stop)
    except Exception as fault:
        logging.getLogger("prefect.tower.up").warning("what runs beside ended", exc_info=True)
        write(f"{getattr(act, '__name__', 'what runs beside')} ended: {fault}")


def _warm_up() -> None:
    """Import now what is slow to import, so that the first approval does not wait for it."""
    from data_contracts.asking import great_expectations

    import_module("duckdb")
    great_expectations()


def _where_to_look(tower: Settings, server: Server, deployments: Sequence[str]) -> Iterator[str]:
    yield f"Prefect's UI   {server.ui}"
    yield f"everything kept in {tower.folder}"
    yield f"deployed       {', '.join(deployments)}"
    yield "in another terminal: tower queue, tower case ID, tower approve ID"
    yield "Ctrl-C stops it all"


def _each_minute(stop: threading.Event, write: Callable[[str], None], duties: Sequence[Callable[[], object]]) -> None:
    logger = logging.getLogger("prefect.tower.up")
    while not stop.wait(MINUTE):
        for duty in duties:
            try:
                duty()
            except Exception as fault:
                logger.warning("a duty of every minute failed", exc_info=True)
                write(f"{getattr(duty, '__name__', 'a duty')} failed, and is tried again in a minute: {fault}")


@contextmanager
def _told_to_stop(stop: threading.Event, write: Callable[[str], None]) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the work in good order, and the second at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def begin_to_stop(_number: int, _frame: FrameType | None) -> None:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        write("stopping; what is under way is finished first")
        stop.set()

    before = {sign: signal.signal(sign, begin_to_stop) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
