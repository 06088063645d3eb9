"""The first questions of a new process, asked while another of its threads imports what they are asked with."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Its modules import each other in rings: where two threads import them at once, each may be given halves.
ASKED_WHILE_WARMING_UP = """
import sys, threading, time
import data_contracts
from data_contracts.asking import answers
from data_contracts.soundness import examples
from desk.up import _warm_up

holds = data_contracts.load("holds")
frame = examples(holds, {"order_id": None, "reason": None, "placed_at": None})  # what has to be asked of each row
importing, said = set(), []

class Noted:
    def find_spec(self, name, *_):
        if name.startswith("great_expectations."):
            importing.add(threading.current_thread().name)
            time.sleep(0.001)  # the other threads' turn

def ask():
    said.extend(answer.fault for answer in answers(holds, frame))

def half_way():  # the first module that is asked for is whole, and those that import it are not
    engine = sys.modules.get("great_expectations.execution_engine")
    return engine and not engine.__spec__._initializing

sys.meta_path.insert(0, Noted())
warming, asking = (threading.Thread(target=work, name=work.__name__) for work in (_warm_up, ask))
warming.start()
while warming.is_alive() and not half_way():
    time.sleep(0.0005)
asking.start()
warming.join()
asking.join()
assert len(said) == len(holds.rules) and not any(said), said
assert importing == {"_warm_up"}, importing
"""


@pytest.mark.slow
def test_a_worker_that_starts_while_looks_are_due_asks_every_rule() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED_WHILE_WARMING_UP], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-1500:]
