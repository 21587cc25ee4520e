"""The feeder: a process that appends records at a rate, and notes when each was stored.

`python -m dataflare_cli.benchmark.feeder DATA_DIR TOPIC RATE SECONDS RECORD_BYTES LOG`. Every
record begins with its number. Those that fall due while a commit is under way share the
next one, as in `produce`.

For each commit the log has the number of its last record, and the times (monotonic, ns)
at which append was called and had returned.
"""

import struct
import sys
import time
from pathlib import Path
from typing import NamedTuple

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.model import Record
from dataflare_cli.store import Store

NUMBER_DIGITS = 12
_COMMIT = struct.Struct("<Qqq")


class Commit(NamedTuple):
    """One commit: all records up to a number (exclusive) were stored with it."""

    next_number: int
    called_ns: int
    returned_ns: int


def read_log(path: Path) -> list[Commit]:
    """Return what a feeder that has ended noted."""
    return [Commit._make(each) for each in _COMMIT.iter_unpack(path.read_bytes())]


def make_record(number: int, record_bytes: int) -> Record:
    """Make a record that begins with its number."""
    value = f"{number:0{NUMBER_DIGITS}d}".encode().ljust(record_bytes - 1, b".")
    return Record(value=value, timestamp_ms=time.time_ns() // 1_000_000)


def feed(data_dir: Path, name: str, rate: float, seconds: float, record_bytes: int) -> bytes:
    """Append records for some time, and return the log."""
    noted = bytearray()
    with Store.open(data_dir) as store:
        log, topic = Log(store), Catalog(store).topic(name)
        total, number = max(1, round(rate * seconds)), 0
        started = time.monotonic()
        while number < total:
            elapsed = time.monotonic() - started
            due = min(total, int(elapsed * rate) + 1)
            if due <= number:
                time.sleep(number / rate - elapsed)
                continue
            frame = codec.encode_frame(
                [make_record(each, record_bytes) for each in range(number, due)]
            )
            called_ns = time.monotonic_ns()
            log.append(topic, [(0, frame)])
            noted += _COMMIT.pack(due, called_ns, time.monotonic_ns())
            number = due
    return bytes(noted)


def main(words: list[str]) -> int:
    """Run as a process."""
    data_dir, name, rate, seconds, record_bytes, log = words
    noted = feed(Path(data_dir), name, float(rate), float(seconds), int(record_bytes))
    Path(log).write_bytes(noted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
