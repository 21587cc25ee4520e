"""What figures stand beside: plain tools over the same bytes, in the same run."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from dataflare_cli.benchmark.workplace import Workplace

COPY = "cp + fsync"
CAT = "cat"
WRITE = "write + fsync of each line"


def copy_s(place: Workplace, source: Path) -> float:
    """Copy a file as a process of its own, make the copy durable, and return how long it took."""
    target = place.path / "copy"
    try:
        started = time.monotonic()
        place.run(["cp", source, target])
        with target.open("rb") as copied:
            os.fsync(copied.fileno())
        return time.monotonic() - started
    finally:
        target.unlink(missing_ok=True)


def cat_s(place: Workplace, source: Path) -> float:
    """Print a file to /dev/null, and return how long it took."""
    return place.run(["cat", source]).seconds


def write_each_s(place: Workplace, lines: Sequence[bytes]) -> list[float]:
    """Append lines to a file, each made durable before the next, and return each one's time."""
    target = place.path / "written"
    samples = []
    try:
        with target.open("wb", buffering=0) as out:
            for line in lines:
                started = time.monotonic()
                out.write(line)
                os.fsync(out.fileno())
                samples.append(time.monotonic() - started)
    finally:
        target.unlink(missing_ok=True)
    return samples
