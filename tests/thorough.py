"""How many examples a property is tried on, and whether they are new ones.

By default a quarter of them, new ones each time. With `--hypothesis-profile=thorough`, which CI takes, all of them and
always the same, so that what stops a change is the same for everybody. `--hypothesis-profile=exploring` takes as many
new ones.
"""

from __future__ import annotations

from hypothesis import settings

EXAMPLES = 100


def be_quick() -> None:
    """Draw a quarter of the examples, unless pytest is told of another profile, which it reads after this."""
    settings.register_profile("thorough", max_examples=EXAMPLES, derandomize=True)
    settings.register_profile("exploring", max_examples=EXAMPLES)
    settings.register_profile("quick", max_examples=EXAMPLES // 4)
    settings.load_profile("quick")


def up_to(examples: int) -> int:
    """So many examples when the suite is thorough, and a quarter of them, but three at least, when it is quick."""
    return examples if settings.default.max_examples >= EXAMPLES else max(examples // 4, min(examples, 3))
