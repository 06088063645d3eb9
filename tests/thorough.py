"""How much of what could be tried a test run tries, and whether it is new.

By default a quarter of a property's examples, new ones each time. With `--hypothesis-profile=thorough`, which CI takes,
all of them and always the same, so that what stops a change is the same for everybody. With
`--hypothesis-profile=exploring` as many new ones, and new shops too.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections import Counter

from hypothesis import settings

EXAMPLES = 100
MADE: Counter[str] = Counter()


def be_quick() -> None:
    """Draw a quarter of the examples, unless pytest is told of another profile, which it reads after this."""
    settings.register_profile("thorough", max_examples=EXAMPLES, derandomize=True)
    settings.register_profile("exploring", max_examples=EXAMPLES)
    settings.register_profile("quick", max_examples=EXAMPLES // 4)
    settings.load_profile("quick")


def up_to(examples: int) -> int:
    """So many examples when the suite is thorough, and a quarter of them, but three at least, when it is quick."""
    return examples if settings.default.max_examples >= EXAMPLES else max(examples // 4, min(examples, 3))


def own_seed() -> int:
    """The seed of a shop like no other test's, and the same whenever this test is run; a new one when exploring."""
    if settings.default.max_examples >= EXAMPLES and not settings.default.derandomize:
        return secrets.randbits(31)
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
    MADE[test] += 1
    return zlib.crc32(f"{test}, shop {MADE[test]}".encode()) >> 1
