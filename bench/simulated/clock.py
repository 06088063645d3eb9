"""The clock that the whole simulated week lives by: PostgreSQL, Prefect, the tower, Slack and the people."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
OURS = ("SIMULATED_CLOCK", "LD_PRELOAD")


def can_be_simulated() -> str:
    """Why a clock can't be simulated here; nothing where it can."""
    if not sys.platform.startswith("linux"):
        return "a clock is simulated on Linux alone"
    return "" if shutil.which("cc") else "no C compiler here to build the simulated clock with"


def live_by_one(folder: Path) -> SimulatedClock:
    """Start this program again by a simulated clock in a folder, unless it already lives by that one."""
    file, library = folder / "clock", folder / "clock.so"
    if os.environ.get("SIMULATED_CLOCK") != str(file):
        file.write_bytes(struct.pack("q", 0))
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        environment = os.environ | {"SIMULATED_CLOCK": str(file), "LD_PRELOAD": str(library)}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    return SimulatedClock(file)


class SimulatedClock:
    """Moves the date of every process that was started with the same file; what measures time is real.

    Args:
        file: eight bytes, how many nanoseconds the date is ahead.
    """

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._ahead = mmap.mmap(opened.fileno(), 8)

    def now(self) -> datetime:
        """What everybody's clock shows."""
        return datetime.now(UTC)

    def set(self, moment: datetime) -> None:
        """Show this moment now; from then on the clock goes as clocks do. It never goes back."""
        self.forward(max(moment - self.now(), timedelta()))

    def begin(self, moment: datetime) -> None:
        """Show this moment, whatever was shown before: for once, before anything was started."""
        self.forward(moment - self.now())

    def forward(self, by: timedelta) -> None:
        """Jump."""
        (ahead,) = struct.unpack("q", self._ahead[:8])
        self._ahead[:8] = struct.pack("q", ahead + by // timedelta(microseconds=1) * 1000)

    def calm(self, seconds: float) -> None:
        """Wait for so many real seconds."""
        time.sleep(seconds)
