"""The pause: a flow run that waits for a person, with a form, and with no process running.

A run is born suspended, under a key of its own; whoever resumes it only wakes it up. What was typed
into the form is read once and erased from Prefect's database, for it holds a token. A run that was
woken and may not act pauses again under the next key, so that no answer is ever taken for another.
"""

from control_tower.pause.form import FormAnswer, RulingForm
from control_tower.pause.opening import PauseRequest, open_pauses
from control_tower.pause.waiting import Wake, answer, pause_again, resume, start_anew

__all__ = [
    "FormAnswer",
    "PauseRequest",
    "RulingForm",
    "Wake",
    "answer",
    "open_pauses",
    "pause_again",
    "resume",
    "start_anew",
]
