"""Start-up: what a command costs before it does anything, beside the bare interpreter.

Samples of all commands are taken in turn, so that a busy moment hits them alike.
"""

import sys
import sysconfig
from pathlib import Path

from dataflare_cli import codec
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.report import MS_PER_S, Report, summarise
from dataflare_cli.benchmark.workplace import TOPIC, Words, Workplace
from dataflare_cli.catalog import Catalog
from dataflare_cli.log import Log
from dataflare_cli.model import Record
from dataflare_cli.store import Store

INTERPRETER = "python -c pass"
RECORDS = 3


def measure(place: Workplace, samples: int) -> Report:
    """Measure the commands that people wait for."""
    with place.data_dir() as data_dir:
        _fill(data_dir)
        commands = _commands(data_dir)
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(samples + 1):
            place.progress(f"sample {number} of {samples}" if number else "warming up")
            for name, words in commands.items():
                seconds = place.run(words).seconds
                # The first of each only warms up the file system's caches.
                if number:
                    taken[name].append(seconds * MS_PER_S)
    bare = summarise(INTERPRETER, "ms", taken.pop(INTERPRETER))
    return Report(
        benchmark="startup",
        machine=describe_machine(place.path),
        versions=describe_versions(),
        workload={"samples": samples, "started_as": _program_name()},
        figures=[bare, *(summarise(name, "ms", taken[name], beside=bare) for name in taken)],
        notes=[f"DIFFERENCE and RATIO are to `{INTERPRETER}`, medians to medians"],
    )


def _commands(data_dir: Path) -> dict[str, Words]:
    script = _script()
    program = [script] if script else [sys.executable, "-m", "dataflare_cli"]
    chosen = [*program, "--data-dir", data_dir]
    return {
        "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"],
        INTERPRETER: [sys.executable, "-c", "pass"],
        "dataflare --version": [*program, "--version"],
        "Tab: a command": [*program, "__complete", "bash", "--", "pro"],
        "Tab: a topic": [*program, *_tab(data_dir)],
        "dataflare topic list": [*chosen, "topic", "list"],
        f"dataflare consume {TOPIC} -B -d -n 1": [*chosen, "consume", TOPIC, "-B", "-d", "-n", "1"],
    }


def _tab(data_dir: Path) -> Words:
    return ["__complete", "bash", "--", "--data-dir", data_dir, "consume", ""]


def _script() -> Path | None:
    """Return the console script that belongs to this interpreter, if it was installed."""
    path = Path(sysconfig.get_path("scripts")) / "dataflare"
    return path if path.exists() else None


def _program_name() -> str:
    return "dataflare" if _script() else "python -m dataflare_cli"


def _fill(data_dir: Path) -> None:
    """Store a few records."""
    records = [Record(value=b"%d" % number, timestamp_ms=0) for number in range(RECORDS)]
    with Store.open(data_dir) as store:
        Log(store).append(Catalog(store).topic(TOPIC), [(0, codec.encode_frame(records))])
