"""Consuming, measured: a topic to /dev/null, in any number of formats.

Before a format is timed its output is looked at once, through a pipe: the text of an
unkeyed topic has to be the input, byte for byte, and other formats have a line a record.
"""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from dataflare_cli.benchmark import beside
from dataflare_cli.benchmark.lines import write_lines
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.produce import (
    ONE_BY_ONE_BYTES,
    SPACE_FACTOR,
    Plan,
    fill,
    resource_figures,
    startup_figure,
    store_one_by_one,
    time_without,
    workload,
)
from dataflare_cli.benchmark.report import Figure, Load, Report, summarise
from dataflare_cli.benchmark.workplace import TOPIC, Ran, Words, Workplace
from dataflare_cli.errors import DataError
from dataflare_cli.model import MIB, TopicSpec

APART = "times, rates and ratios of consume are without its start-up, the time for an empty topic"
CACHED = "everything is read from memory: the file and the topic have just been written"


class Format(NamedTuple):
    """What is consumed as: the option and its value."""

    option: str
    value: str

    @property
    def name(self) -> str:
        """What the figure is called."""
        return f"consume -B -d {self.option} {self.value}"

    @property
    def is_plain(self) -> bool:
        """Whether a record without a key comes out as the line that went in."""
        return (self.option, self.value) in {("-O", "text"), ("-O", "dynamic"), ("-O", "raw")}


def measure(place: Workplace, plan: Plan, formats: Sequence[Format]) -> Report:
    """Measure one topic in all the formats."""
    place.need_space(
        plan.records
        * (SPACE_FACTOR * plan.record_bytes + (ONE_BY_ONE_BYTES if plan.one_by_one else 0))
    )
    source = place.path / "input"
    place.progress("writing the input")
    load = write_lines(source, plan.records, plan.record_bytes, plan.key_separator)
    with place.data_dir(TopicSpec(partitions=plan.partitions)) as data_dir:
        place.progress("filling the topic")
        if plan.one_by_one:
            store_one_by_one(place, plan, data_dir)
        else:
            fill(place, plan, data_dir, source, record_count=plan.records)
        is_ordered = plan.partitions == 1 and plan.key_separator is None and not plan.one_by_one
        for number, each in enumerate(formats):
            place.progress(f"checking format {number + 1} of {len(formats)}")
            check(place, data_dir, each, load, source if is_ordered and each.is_plain else None)
        words = {each: place.program(data_dir, *_words(each)) for each in formats}
        figures = _measure_formats(place, plan, words, source, load)
    return Report(
        benchmark="consume",
        machine=describe_machine(place.path),
        versions=describe_versions(),
        workload=workload(plan, load),
        figures=figures,
        notes=[APART, CACHED],
    )


def _measure_formats(
    place: Workplace, plan: Plan, words: Mapping[Format, Words], source: Path, load: Load
) -> list[Figure]:
    formats = list(words)
    starts, cats = [], []
    runs: dict[Format, list[Ran]] = {each: [] for each in formats}
    with place.data_dir() as empty:
        for number in range(plan.samples):
            place.progress(f"sample {number + 1} of {plan.samples}")
            starts.append(place.run(place.program(empty, *_words(formats[0]))))
            cats.append(beside.cat_s(place, source))
            for each in formats:
                runs[each].append(place.run(words[each]))
    cat = summarise(beside.CAT, "s", cats, load=load)
    return [
        *(time_without(starts, each.name, runs[each], load, cat) for each in formats),
        cat,
        startup_figure("empty topic", starts),
        *(row for each in formats for row in resource_figures(starts, each.name, runs[each])),
    ]


def check(
    place: Workplace, data_dir: Path, form: Format, load: Load, expected: Path | None
) -> None:
    """Look at all the output of a format once.

    Raises:
        DataError: it is not what was produced, as far as can be told.
    """
    lines, is_same = 0, True
    words = place.program(data_dir, *_words(form))
    with ExitStack() as stack:
        file = None if expected is None else stack.enter_context(expected.open("rb"))
        process = stack.enter_context(place.started(words, stdout=subprocess.PIPE))
        while data := process.stdout.read(MIB):
            lines += data.count(b"\n")
            is_same = is_same and (file is None or data == file.read(len(data)))
        process.process.wait()
        process.check()
        is_same = is_same and (file is None or not file.read(1))
    if not is_same:
        raise DataError(f"{form.name} printed other bytes than were produced")
    if lines != load.records:
        raise DataError(f"{form.name} printed {lines} lines for {load.records} records")


def _words(form: Format) -> list[str]:
    return ["consume", TOPIC, "-B", "-d", form.option, form.value]
