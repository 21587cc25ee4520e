"""SmartModules, measured: a topic through one to /dev/null, on one core and on all.

Every chain is run on the same topic, in turn, beside consuming it without any. What a run
costs before its first record is measured on an empty topic, and taken off.

Also how long a module takes to be there at all: compiled, and taken from the cache.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.benchmark.consume import APART, CACHED
from dataflare_cli.benchmark.lines import write_lines
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.produce import (
    SPACE_FACTOR,
    Plan,
    fill,
    startup_figure,
    time_without,
    workload,
)
from dataflare_cli.benchmark.report import MS_PER_S, Figure, Load, Report, summarise
from dataflare_cli.benchmark.workplace import TOPIC, Ran, Words, Workplace

PLAIN = "consume -B -d"
IMPORT = "python -c 'import wasmtime'"
# Runs the words after it on the processor before them: what one core can do.
_ON_ONE = (
    "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


class Subject(NamedTuple):
    """A chain to be measured: what it is called, and the options that ask for it."""

    name: str
    options: tuple[str, ...]


# Of the lines that benchmarks are made of, about 1 in 18 is an error.
SUBJECTS = (
    Subject("keep everything", ("--sm", "regex-filter", "-e", "regex=")),
    Subject("regex-filter", ("--match", '"event":"error"')),
    Subject(
        "json-filter equals", ("--sm", "json-filter", "-e", "field=event", "-e", "equals=error")
    ),
    Subject("json-filter range", ("--sm", "json-filter", "-e", "field=id", "-e", "max=100000")),
    Subject(
        "json-filter in",
        ("--sm", "json-filter", "-e", "field=event", "-e", "in=error,refund,logout"),
    ),
    Subject("jq-filter", ("--sm", "jq-filter", "-e", 'filter=.event == "error"')),
    Subject("redact", ("--redact", "text")),
)


def subjects_of(files: Sequence[Path]) -> list[Subject]:
    """Return the built-in subjects, and one for each file."""
    more = [Subject(path.name, ("--smartmodule-path", str(path.absolute()))) for path in files]
    return [*SUBJECTS, *more]


def measure(place: Workplace, plan: Plan, subjects: Sequence[Subject]) -> Report:
    """Measure all chains on one topic."""
    place.need_space(SPACE_FACTOR * plan.records * plan.record_bytes)
    source = place.path / "input"
    place.progress("writing the input")
    load = write_lines(source, plan.records, plan.record_bytes, plan.key_separator)
    with place.data_dir() as data_dir, place.data_dir() as empty:
        place.progress("filling the topic")
        fill(place, plan, data_dir, source, record_count=plan.records)
        figures = _measure_rates(place, plan, subjects, _Input(load, data_dir, empty))
        figures += _measure_starts(place, plan, empty)
    return Report(
        benchmark="smartmodule",
        machine=describe_machine(place.path),
        versions=describe_versions(),
        workload=workload(plan, load),
        figures=figures,
        notes=[APART, CACHED],
    )


class _Input(NamedTuple):
    """What is consumed: directories with a topic that has the load, and with an empty one."""

    load: Load
    data_dir: Path
    empty: Path


def _measure_rates(
    place: Workplace, plan: Plan, subjects: Sequence[Subject], given: _Input
) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    runs: dict[tuple[str, bool], list[Ran]] = {}
    starts: dict[tuple[str, bool], list[Ran]] = {}
    rows = [Subject(PLAIN, ()), *subjects]
    for number in range(plan.samples + 1):
        for subject in rows:
            for is_single in (True, False):
                step = f"sample {number} of {plan.samples}" if number else "warming up"
                where = "1 core" if is_single else f"{len(cores)} cores"
                place.progress(f"{step}: {subject.name}, {where}")
                key = (subject.name, is_single)
                start = place.run(_words(place, given.empty, subject, cores, is_single=is_single))
                # The first one may compile.
                if number:
                    starts.setdefault(key, []).append(start)
                    words = _words(place, given.data_dir, subject, cores, is_single=is_single)
                    runs.setdefault(key, []).append(place.run(words))
    figures: list[Figure] = []
    for is_single, where in ((True, "1 core"), (False, f"{len(cores)} cores")):
        plain = _figure(PLAIN, where, starts, runs, given.load, is_single=is_single, beside=None)
        figures.append(plain)
        figures += [
            _figure(each.name, where, starts, runs, given.load, is_single=is_single, beside=plain)
            for each in subjects
        ]
    return figures


def _figure(
    name: str,
    where: str,
    starts: Mapping[tuple[str, bool], Sequence[Ran]],
    runs: Mapping[tuple[str, bool], Sequence[Ran]],
    load: Load,
    *,
    is_single: bool,
    beside: Figure | None,
) -> Figure:
    key = (name, is_single)
    return time_without(starts[key], f"{name}, {where}", runs[key], load, beside)


def _words(
    place: Workplace, data_dir: Path, subject: Subject, cores: Sequence[int], *, is_single: bool
) -> Words:
    words = place.program(data_dir, "consume", TOPIC, "-B", "-d", *subject.options)
    return [sys.executable, "-c", _ON_ONE, str(cores[0]), *words] if is_single else words


def _measure_starts(place: Workplace, plan: Plan, empty: Path) -> list[Figure]:
    """Time how long the first record would have to wait, compiling and not."""
    words = place.program(empty, "consume", TOPIC, "-B", "-d")
    module = [*words, "--match", "x"]
    bare = [sys.executable, "-c", "pass"]
    cold, warm, plain, imported, interpreter = [], [], [], [], []
    for number in range(plan.samples):
        place.progress(f"starting: sample {number + 1} of {plan.samples}")
        with tempfile.TemporaryDirectory(dir=place.path) as cache:
            cold.append(place.run(module, environ={"XDG_CACHE_HOME": cache}))
        warm.append(place.run(module))
        plain.append(place.run(words))
        imported.append(place.run([sys.executable, "-c", "import wasmtime"]))
        interpreter.append(place.run(bare))
    nothing = startup_figure("no SmartModule", plain)
    return [
        nothing,
        _milliseconds("start-up (filter compiled)", cold, nothing),
        _milliseconds("start-up (filter cached)", warm, nothing),
        _milliseconds(IMPORT, imported, _milliseconds("python -c pass", interpreter, None)),
    ]


def _milliseconds(name: str, runs: Sequence[Ran], beside: Figure | None) -> Figure:
    return summarise(name, "ms", [each.seconds * MS_PER_S for each in runs], beside=beside)
