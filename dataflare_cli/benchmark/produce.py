"""Producing, measured: lines of a file or a pipe into a topic; or records one by one."""

import json
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import msgspec

from dataflare_cli import codec
from dataflare_cli.benchmark import beside
from dataflare_cli.benchmark.lines import make_lines, write_lines
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.report import (
    BYTES_PER_MB,
    MS_PER_S,
    Figure,
    Load,
    Report,
    summarise,
)
from dataflare_cli.benchmark.workplace import TOPIC, Ran, Workplace
from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import DataError
from dataflare_cli.log import Log
from dataflare_cli.model import BATCH_BYTES_MAX, Record, TopicSpec
from dataflare_cli.store import Durability, Store

# Of a run: input, copy and topic, and what file systems need beside.
SPACE_FACTOR = 4
# Room for each record stored one by one: its frame, keys, and half-empty pages.
ONE_BY_ONE_BYTES = 1024
# More lines than this are repeated, when records are stored one by one.
DISTINCT_LINES = 10_000
PROGRESS_EVERY = 1000
APART = "times, rates and ratios of produce are without its start-up, the time for an empty input"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is produced, and how; what the report calls the workload."""

    records: int
    record_bytes: int
    samples: int
    batch_bytes: int = BATCH_BYTES_MAX
    durability: Durability = "full"
    partitions: int = 1
    compression: str = "none"
    key_separator: str | None = None
    pipe: bool = False
    one_by_one: bool = False


def measure(place: Workplace, plan: Plan) -> Report:
    """Measure what a plan says."""
    notes = []
    if plan.one_by_one:
        load, figures = _measure_one_by_one(place, plan)
    else:
        load, figures = _measure_input(place, plan)
        notes.append(APART)
    return Report(
        benchmark="produce",
        machine=describe_machine(place.path),
        versions=describe_versions(),
        workload=workload(plan, load),
        figures=figures,
        notes=notes,
    )


def workload(plan: Plan, load: Load) -> dict[str, str | int | float]:
    """Return what a report says of its plan."""
    fields = {key: value for key, value in msgspec.to_builtins(plan).items() if value is not None}
    return {**fields, "input_bytes": load.size_bytes}


def _measure_input(place: Workplace, plan: Plan) -> tuple[Load, list[Figure]]:
    place.need_space(SPACE_FACTOR * plan.records * plan.record_bytes)
    source, empty, small = (place.path / name for name in ("input", "empty", "small"))
    empty.touch()
    place.progress("writing the input")
    write_lines(small, 2 * lines_of_a_batch(plan), plan.record_bytes, plan.key_separator)
    load = write_lines(source, plan.records, plan.record_bytes, plan.key_separator)
    place.progress("warming up")
    # The first run may compile the kernel.
    produce_once(place, plan, small)
    starts, copies, runs = [], [], []
    for number in range(plan.samples):
        place.progress(f"sample {number + 1} of {plan.samples}")
        starts.append(produce_once(place, plan, empty))
        copies.append(beside.copy_s(place, source))
        runs.append(produce_once(place, plan, source, record_count=plan.records))
    copy = summarise(beside.COPY, "s", copies, load=load)
    name = "cat FILE | produce" if plan.pipe else "produce -f FILE"
    return load, [
        time_without(starts, name, runs, load, copy),
        copy,
        startup_figure("empty input", starts),
        *resource_figures(starts, name, runs),
    ]


def lines_of_a_batch(plan: Plan) -> int:
    """Return how many lines fill a batch, so that the kernel is what works on them."""
    return -(-BATCH_BYTES_MAX // plan.record_bytes)


def produce_once(
    place: Workplace, plan: Plan, source: Path, *, record_count: int | None = None
) -> Ran:
    """Produce a file into a fresh data directory; what was stored is counted, if told so.

    Raises:
        DataError: the program failed, or stored another number of records.
    """
    with place.data_dir(TopicSpec(partitions=plan.partitions)) as data_dir:
        return fill(place, plan, data_dir, source, record_count=record_count)


def fill(
    place: Workplace,
    plan: Plan,
    data_dir: Path,
    source: Path,
    *,
    record_count: int | None = None,
) -> Ran:
    """Produce a file into a data directory, as `produce_once`."""
    words: list[str | Path] = [
        *("produce", TOPIC, "--report", "json", "--durability", plan.durability),
        *("--batch-size", str(plan.batch_bytes), "--compression", plan.compression),
    ]
    if plan.key_separator is not None:
        words += ["--key-separator", plan.key_separator]
    if plan.pipe:
        ran = place.run(place.program(data_dir, *words), after=["cat", source])
    else:
        ran = place.run(place.program(data_dir, *words, "-f", source))
    stored = json.loads(ran.stderr.splitlines()[-1])["records"]
    if record_count not in (None, stored):
        raise DataError(f"produce stored {stored} records of {record_count}")
    return ran


def startup_figure(what: str, starts: Sequence[Ran]) -> Figure:
    """Return what runs with nothing to do have taken."""
    return summarise(f"start-up ({what})", "ms", [each.seconds * MS_PER_S for each in starts])


def time_without(
    starts: Sequence[Ran], name: str, runs: Sequence[Ran], load: Load, plain: Figure | None
) -> Figure:
    """Return the time of runs, less that of their start-up, beside a plain tool's."""
    startup_s = median(each.seconds for each in starts)
    seconds = [max(0.0, each.seconds - startup_s) for each in runs]
    return summarise(name, "s", seconds, load=load, beside=plain)


def resource_figures(starts: Sequence[Ran], name: str, runs: Sequence[Ran]) -> list[Figure]:
    """Return the processor time, less that of start-up, and the peak of anonymous memory."""
    startup_s = median(each.cpu_s for each in starts)
    figures = [
        summarise(f"CPU of {name}", "s", [max(0.0, each.cpu_s - startup_s) for each in runs])
    ]
    peaks = [
        each.anonymous_bytes / BYTES_PER_MB for each in runs if each.anonymous_bytes is not None
    ]
    return [*figures, summarise(f"memory of {name}", "MB", peaks)] if peaks else figures


def _measure_one_by_one(place: Workplace, plan: Plan) -> tuple[Load, list[Figure]]:
    """Time every append, and every line written and synced to a plain file."""
    place.need_space(ONE_BY_ONE_BYTES * plan.records)
    lines = list(islice(_endless_lines(plan), plan.records))
    load = Load(len(lines), sum(map(len, lines)))
    place.progress("writing lines to a file")
    plain = beside.write_each_s(place, lines)
    with place.data_dir() as data_dir:
        appends = store_one_by_one(place, plan, data_dir)
    written = summarise(beside.WRITE, "ms", [each * MS_PER_S for each in plain])
    figures = [
        summarise(
            "append of one record", "ms", [each * MS_PER_S for each in appends], beside=written
        ),
        written,
        summarise("all appends", "s", [sum(appends)], load=load),
    ]
    return load, figures


def store_one_by_one(place: Workplace, plan: Plan, data_dir: Path) -> list[float]:
    """Store records in a commit each, in this process; return the time of each append."""
    samples = []
    with Store.open(data_dir, durability=plan.durability) as store:
        log, topic = Log(store), Catalog(store).topic(TOPIC)
        for number, line in enumerate(islice(_endless_lines(plan), plan.records)):
            if number % PROGRESS_EVERY == 0:
                place.progress(f"storing one by one: {number} of {plan.records}")
            now_ms = time.time_ns() // 1_000_000
            frame = codec.encode_frame([Record(value=line[:-1], timestamp_ms=now_ms)])
            started = time.monotonic()
            log.append(topic, [(0, frame)])
            samples.append(time.monotonic() - started)
    return samples


def _endless_lines(plan: Plan) -> Iterator[bytes]:
    return cycle(make_lines(min(plan.records, DISTINCT_LINES), plan.record_bytes))
