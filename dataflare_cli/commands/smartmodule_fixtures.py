"""The tests of fixtures, as `smartmodule test` runs them: once, or after every change.

Hides discovery, filters, updates, reports and watching; all fixtures are read before any test
is run, so that a malformed one does not come after minutes of tests.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from msgspec.structs import replace

from dataflare_cli.commands.chain_options import read_limits
from dataflare_cli.commands.context import Environment
from dataflare_cli.commands.stored import counted, quiet_catalog, store_with
from dataflare_cli.errors import (
    ConfigError,
    DataError,
    ExitCode,
    NotFound,
    NothingProcessed,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    from dataflare_cli.commands.smartmodule_test import Request
    from dataflare_cli.model import Record
    from dataflare_cli.smartmodule.fixtures.compare import Outcome
    from dataflare_cli.smartmodule.fixtures.parse import Fixture, TopicInput
    from dataflare_cli.smartmodule.fixtures.runner import Bench, FileRun, Verdict

_States = dict[Path, tuple[int, int] | None]

POLL_S = 0.5
# Records of a topic that one test is given.
TOPIC_RECORDS_MAX = 1_000_000
JUNIT = "junit="
_CLEAR = b"\x1b[2J\x1b[3J\x1b[H"


class Tests:
    """The tests of the fixtures that were asked for."""

    def __init__(self, env: Environment, request: "Request") -> None:
        self.env, self.request = env, request
        output = request.output.lower()
        if "output" in env.from_settings:
            # The setting is for lists, and knows more forms.
            output = "json" if output == "json" else "text"
        if output not in ("text", "json"):
            raise UsageError(f"-O: {request.output!r} is not text or json")
        self._is_json = output == "json"
        self._reports = [_report_path(each) for each in request.report or ()]
        self._bench = self._make_bench()

    def run(self) -> None:
        """Run all of them, once or again and again.

        Raises:
            NothingProcessed: there was none.
            typer.Exit: one failed.
        """
        if self.request.watch:
            self._watch()
        verdicts = self._run_all(self._read())
        if not all(each.passed for each in verdicts):
            raise typer.Exit(ExitCode.FAILED)

    def _read(self) -> "list[Fixture]":
        """Read all fixtures before any test is run."""
        from dataflare_cli.smartmodule.fixtures.parse import read_fixture

        return [read_fixture(path, name) for path, name in self._find()]

    def _find(self) -> list[tuple[Path, str]]:
        from dataflare_cli.smartmodule.fixtures.discover import find_fixtures

        return find_fixtures(self.request.path or [Path()], self.env.cwd)

    def _run_all(self, fixtures: "Sequence[Fixture]") -> "list[Verdict]":
        """Run the tests of some fixtures, and show how they went."""
        from dataflare_cli.commands.smartmodule_report import (
            TextReport,
            summary,
            to_json,
            write_junit,
        )
        from dataflare_cli.smartmodule.fixtures.runner import FileRun

        began = time.perf_counter()
        runs = [FileRun(each, self._bench) for each in fixtures]
        wanted = sum(self._is_wanted(case.name) for each in fixtures for case in each.tests)
        if not wanted:
            raise self._nothing(fixtures)
        report = TextReport(self.env)
        verdicts: list[Verdict] = []
        for run in runs:
            for verdict in self._run_file(run):
                verdicts.append(verdict)
                if not self._is_json:
                    report.add(verdict)
            if self.request.fail_fast and not all(each.passed for each in verdicts):
                break
        took_s = time.perf_counter() - began
        not_run = wanted - len(verdicts)
        if self._is_json:
            self.env.write(to_json(verdicts, took_s, not_run))
        for path in self._reports:
            write_junit(self.env.cwd / path, verdicts, took_s)
        self.env.say(summary(verdicts, took_s, not_run))
        return verdicts

    def _run_file(self, run: "FileRun") -> "Iterable[Verdict]":
        """Run the wanted tests of a fixture; those that fail are updated if that is wanted."""
        verdicts: list[Verdict] = []
        for case in run.fixture.tests:
            if not self._is_wanted(case.name):
                continue
            verdicts.append(run.run(case))
            if not self.request.update:
                yield verdicts[-1]
            if self.request.fail_fast and not verdicts[-1].passed:
                break
        if self.request.update:
            yield from self._updated(run, verdicts)

    def _updated(self, run: "FileRun", verdicts: "list[Verdict]") -> "Iterable[Verdict]":
        """Write what came out of tests that fail into their file, and run them again."""
        from dataflare_cli.smartmodule.fixtures.runner import FileRun
        from dataflare_cli.smartmodule.fixtures.update import left_alone, rewrite, store

        failed: dict[int, Outcome] = {}
        for place, each in enumerate(verdicts):
            if each.outcome is None or not each.is_updatable:
                continue
            reason = left_alone(each.case.expect, each.outcome)
            if reason is None:
                failed[each.case.index] = each.outcome
            else:
                verdicts[place] = replace(each, problems=(*each.problems, reason))
        if not failed:
            return verdicts
        fixture = store(run.fixture, rewrite(run.fixture, failed))
        self.env.say(f"updated {fixture.name}: {counted(len(failed), 'test')}")
        again = FileRun(fixture, self._bench)
        return [
            again.run(fixture.tests[each.case.index], is_updated=True)
            if each.case.index in failed
            else each
            for each in verdicts
        ]

    def _is_wanted(self, name: str) -> bool:
        return self.request.filter is None or self.request.filter in name

    def _nothing(self, fixtures: "Sequence[Fixture]") -> NothingProcessed:
        count = sum(len(each.tests) for each in fixtures)
        if count:
            return NothingProcessed(f"no test has {self.request.filter!r} in its name, of {count}")
        places = ", ".join(map(str, self.request.path or ())) or "the working directory"
        if fixtures:
            return NothingProcessed(
                f"there is no test in {', '.join(each.name for each in fixtures)}"
            )
        return NothingProcessed(
            f"there is no *.smtest.yaml or *.smtest.json in {places}",
            hint="a file has `module: NAME` and `tests:`, each with a name, input and expect; "
            "--text, --stdin or --file run records without one",
        )

    def _make_bench(self) -> "Bench":
        from dataflare_cli.smartmodule.fixtures.runner import Bench
        from dataflare_cli.smartmodule.registry import Registry

        env = self.env
        return Bench(
            Registry(lambda: quiet_catalog(env)),
            read_limits(self.request),
            lambda wanted: _read_topic(env, wanted),
        )

    # ------------------------------------------------------------------- watching

    def _watch(self) -> NoReturn:
        """Run the tests, and again after every change, until somebody ends it."""
        from dataflare_cli.log.bells import pause

        while True:
            if self.env.stdout_is_terminal:
                self.env.write(_CLEAR)
            before = self._run_watched()
            self.env.say(f"watching {counted(len(before), 'file')}; Ctrl-C ends it")
            while before == _states({*before, *self._found()}):
                pause(POLL_S, stdout=self.env.stdout_fd)

    def _run_watched(self) -> "_States":
        """Run the tests, whatever comes of it; return the files that matter as they were."""
        from dataflare_cli.smartmodule.fixtures.runner import files_of

        states = _states(self._found())
        try:
            fixtures = self._read()
            for each in fixtures:
                states = _states(files_of(each)) | states
            self._run_all(fixtures)
        except (ConfigError, NotFound, Unreachable, NothingProcessed) as exc:
            self.env.warn("\n  ".join(filter(None, (exc.message, exc.hint))))
        return states

    def _found(self) -> set[Path]:
        try:
            return {path for path, _ in self._find()}
        except NotFound:
            return set()


def _states(files: Iterable[Path]) -> "_States":
    """Return what tells that a file was changed: its time and size, None if it is not there."""
    states: _States = {}
    for path in files:
        try:
            found = path.stat()
            states[path] = (found.st_mtime_ns, found.st_size)
        except OSError:
            states[path] = None
    return states


def _report_path(text: str) -> Path:
    if not text.startswith(JUNIT) or text == JUNIT:
        raise UsageError(f"--report: {text!r} is not junit=FILE")
    return Path(text.removeprefix(JUNIT))


def _read_topic(env: Environment, wanted: "TopicInput") -> "list[Record]":
    """Return the records of a topic's range, as far as it goes now.

    Raises:
        NotFound, OffsetOutOfRange: there is no such topic, partition or offset.
        DataError: it has several partitions, and which one was not said; or too many records.
    """
    from dataflare_cli.catalog import Catalog
    from dataflare_cli.consumers import Consumers
    from dataflare_cli.log import Log
    from dataflare_cli.stream.positions import Wanted, tracks_for
    from dataflare_cli.text.offsets import parse_offset

    store = store_with(env, "topic", wanted.topic, read_only=True)
    log, topic = Log(store), Catalog(store).topic(wanted.topic)
    if wanted.partition is None and len(topic.partition_ids) > 1:
        raise DataError(
            f"{wanted.topic} has {len(topic.partition_ids)} partitions",
            hint=f"say which one: {{topic: {wanted.topic}, partition: 0}}",
        )
    spec = parse_offset(wanted.range, time.time_ns() // 1_000_000)
    only = [wanted.partition or 0]
    (track,) = tracks_for(
        log, Consumers(store), topic, Wanted(spec, stop_at_end=True, partitions=only)
    )
    records: list[Record] = []
    offset = track.offset
    while offset < track.end:
        found = log.read(topic, track.partition, offset, track.end)
        if found is None:
            break
        run, first = found
        records += run.records(first, track.end)
        if len(records) > TOPIC_RECORDS_MAX:
            raise DataError(f"more than {TOPIC_RECORDS_MAX} records of {wanted.topic} for a test")
        offset = run.next_offset
    return records
