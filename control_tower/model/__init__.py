"""The model: it selects and quotes, and decides nothing. With none configured, nothing of it is loaded.

`ask` puts one question under one deadline, within a budget, and gives an answer of the asked form or says why there is
none. What was sent and what came back is kept. The library that speaks to providers lives in a process of its own.
"""

from control_tower.model.asking import Answered, Question, ask
from control_tower.model.why import Why

__all__ = ["Answered", "Question", "Why", "ask"]
