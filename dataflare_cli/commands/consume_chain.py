"""Consuming through SmartModules: what becomes of a run, printed, failures dealt with.

Two ways. A chain that keeps nothing from record to record, in a format that the kernel
renders, is worked on by all cores, a run each; everything else happens run by run in this
thread.

A track's `seen` moves only when what its records became is written, and the dead letters of
those that failed are stored.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from dataflare_cli.codec.program import EVERYTHING, Needs
from dataflare_cli.commands.chain_options import Chosen, finish_policy, policy_of
from dataflare_cli.commands.context import Environment
from dataflare_cli.errors import SmartModuleError
from dataflare_cli.log import Log
from dataflare_cli.model import NO_TIMESTAMP, Record, Topic
from dataflare_cli.smartmodule.chain import Failure, Stored
from dataflare_cli.stream.failures import Place
from dataflare_cli.stream.pipeline import Pipeline, core_count
from dataflare_cli.stream.reader import Limits, Passed, Track
from dataflare_cli.stream.transform import Transform, Transformed
from dataflare_cli.text.formats import Formatter
from dataflare_cli.wasm import Deadline

if TYPE_CHECKING:
    from dataflare_cli.codec.program import Program
    from dataflare_cli.codec.runs import Run
    from dataflare_cli.codec.smart import Outputs
    from dataflare_cli.commands.consume import Request

_UNLIMITED = 0xFFFFFFFF


class _Job(NamedTuple):
    """A stretch of a run to be transformed and rendered."""

    track: Track
    run: "Run"
    start: int
    stop: int


class _Piece(NamedTuple):
    """What a window of it became."""

    data: bytes
    next_offset: int
    failures: list[Failure]


class Printing(Protocol):
    """A run of `consume`: what is printed, and how far it has come."""

    env: Environment
    request: "Request"
    limits: Limits
    topics: Sequence[Topic]
    output: Formatter
    formatters: dict[int, Formatter]
    left: int | None  # of --max-records
    looks_into_records: bool

    @property
    def keeps_together(self) -> bool:
        """Whether all that became of a record is printed, also past the limit."""
        ...

    def print_records(self, track: Track, records: Iterator[Record]) -> int | None:
        """Print records; return the offset of the last one if the limit was reached with it."""
        ...

    def dead_letter_log(self) -> Log:
        """Return the log that has the topic of dead letters."""
        ...

    def stored(self, track: Track) -> Stored | None:
        """Return what look-backs are fed: what comes before a track's offset."""
        ...


class ChainPrinter:
    """The chains of a session's tracks."""

    def __init__(self, session: Printing, chosen: Chosen) -> None:
        self._session = session
        self._plan = replace(chosen.plan, deadline=_deadline(session.limits))
        names = {topic.name for topic in session.topics}
        regex = session.request.regex
        if regex is not None and chosen.dead_letters is not None:
            # Topics that come later are read, too.
            names |= {name for name in (chosen.dead_letters,) if re.fullmatch(regex, name)}
        log = None if chosen.dead_letters is None else session.dead_letter_log()
        self.policy = policy_of(session.env, chosen, log, names)
        self._needs = self._find_needs()
        self._transforms: dict[int, Transform] = {}
        self._thread = threading.local()
        self._pipeline: Pipeline[_Job, list[_Piece]] | None = None
        self._seen_count = 0

    def begin(self, tracks: Sequence[Track]) -> None:
        """Start the first chain, so that what is wrong with it is said at once."""
        if tracks:
            self._transform(tracks[0])
        is_aggregate = any(step.module.is_aggregate for step in self._plan.steps)
        if is_aggregate and len(tracks) > 1:
            self._session.env.say(
                "an aggregate has one accumulator a partition; for one of all: "
                "dataflare consume … | dataflare transform …"
            )
        session = self._session
        program = session.output.program
        is_parallel = self._plan.is_stateless and core_count() > 1 and program is not None
        if is_parallel and session.left is None and not session.looks_into_records:
            self._pipeline = Pipeline(
                self._work, self._deliver, self._plan.deadline.end, workers=core_count()
            )

    def print_run(self, track: Track, run: "Run") -> None:
        """Print what a run becomes, or have it done."""
        stop = min(track.end, run.next_offset)
        start = track.offset
        if self._pipeline is not None:
            # Read on behind it; `seen` follows when it is written.
            track.offset = stop
            self._pipeline.put(_Job(track, run, start, stop))
            return
        for made in self._transform(track).windows(run, start, stop):
            self._print(track, run, made)
            if self._session.left == 0:
                return

    def records(
        self, track: Track, run: "Run", start: int, stop: int
    ) -> "Iterator[Record | Passed]":
        """Yield what a run becomes, record by record; what went wrong in its place."""
        try:
            for made in self._transform(track).windows(run, start, stop):
                yield from self._in_order(track, run, made, start)
                start = made.next_offset
        except SmartModuleError as exc:
            yield Passed(_time_of(run, start), start, partial(_raise, exc))

    def _in_order(
        self, track: Track, run: "Run", made: Transformed, start: int
    ) -> "Iterator[Record | Passed]":
        failures = deque(made.failures)
        timestamp_ms = NO_TIMESTAMP

        def failed() -> Passed:
            failure = failures.popleft()
            act = partial(self._fail, track, run, [failure])
            return Passed(_time_of(run, failure.offset), failure.offset, act)

        for record in made.outputs.records():
            while failures and failures[0].offset < record.offset:
                yield failed()
            timestamp_ms = record.timestamp_ms
            yield record
        while failures:
            yield failed()
        count = made.next_offset - start
        yield Passed(timestamp_ms, made.next_offset - 1, partial(self._count, count))

    def _count(self, record_count: int) -> None:
        self._seen_count += record_count

    def drain(self) -> None:
        """Print everything that is under way."""
        if self._pipeline is not None:
            self._pipeline.drain()

    def close(self) -> None:
        """End the threads."""
        if self._pipeline is not None:
            self._pipeline.close()

    def finish(self) -> None:
        """Say how many records were left out.

        Raises:
            PartialFailure: some were.
        """
        finish_policy(self._session.env, self.policy, self._seen_count)

    # ------------------------------------------------------------------ printing

    def _print(self, track: Track, run: "Run", made: Transformed) -> None:
        session = self._session
        program = session.formatters[track.topic.topic_id].program
        next_offset = made.next_offset
        if program is None or session.looks_into_records:
            ended = session.print_records(track, made.outputs.records())
        else:
            ended = self._render(track, made, program)
        if ended is not None:
            next_offset = ended + 1
        failures = made.failures
        if ended is not None:
            failures = [each for each in failures if each.offset < next_offset]
        self._seen_count += next_offset - track.offset
        if self._plan.goes_on:
            self._fail(track, run, failures)
        # A failure that ends the run is not passed over: it is where the next one begins.
        track.advance(next_offset)
        if not self._plan.goes_on:
            self._fail(track, run, failures)

    def _render(self, track: Track, made: Transformed, program: "Program") -> int | None:
        """Write outputs; return the offset of the last one if the limit was reached with it."""
        session, outputs = self._session, made.outputs
        first = 0
        while first < outputs.record_count:
            count_max = _UNLIMITED if session.left is None else session.left
            written = outputs.render(
                program, partition=track.partition, first=first, count_max=count_max
            )
            session.env.write(written.data)
            count, first = written.next_index - first, written.next_index
            if session.left is not None:
                session.left -= count
                if session.left == 0:
                    if session.keeps_together:
                        self._render_rest(track, outputs, program, first)
                    return outputs.offset_of(first - 1)
        return None

    def _render_rest(
        self, track: Track, outputs: "Outputs", program: "Program", first: int
    ) -> None:
        """Write what else became of the source of the output before `first`."""
        source, end = outputs.offset_of(first - 1), first
        while end < outputs.record_count and outputs.offset_of(end) == source:
            end += 1
        while first < end:
            written = outputs.render(
                program, partition=track.partition, first=first, count_max=end - first
            )
            self._session.env.write(written.data)
            first = written.next_index

    def _fail(self, track: Track, run: "Run", failures: list[Failure]) -> None:
        self.policy.take(
            Place(track.topic.name, track.partition),
            failures,
            lambda offset: next(run.records(offset, offset + 1), None),
        )

    # ------------------------------------------------------------------ parallel

    def _work(self, job: _Job) -> list[_Piece]:
        """Transform and render a run; in any thread, with a chain of its own."""
        transform: Transform | None = getattr(self._thread, "transform", None)
        if transform is None:
            transform = Transform(self._plan, self._plan.start(), self._needs)
            self._thread.transform = transform
        program = self._session.formatters[job.track.topic.topic_id].program
        assert program is not None
        pieces = []
        for made in transform.windows(job.run, job.start, job.stop):
            parts, first = [], 0
            while first < made.outputs.record_count:
                data, first = made.outputs.render(
                    program, partition=job.track.partition, first=first, count_max=_UNLIMITED
                )
                parts.append(bytes(data))
            pieces.append(_Piece(b"".join(parts), made.next_offset, made.failures))
        return pieces

    def _deliver(self, job: _Job, pieces: list[_Piece]) -> None:
        for data, next_offset, failures in pieces:
            self._session.env.write(data)
            if self._plan.goes_on:
                self._fail(job.track, job.run, failures)
            job.track.seen = next_offset - 1
            if not self._plan.goes_on:
                self._fail(job.track, job.run, failures)
        self._seen_count += job.stop - job.start

    # ------------------------------------------------------------------- chains

    def _transform(self, track: Track) -> Transform:
        """Return the chain of a track: its own, unless none of it remembers anything."""
        key = -1 if self._plan.is_stateless else track.partition_id
        if key not in self._transforms:
            chain = self._plan.start(self._session.stored(track))
            self._transforms[key] = Transform(self._plan, chain, self._needs)
        return self._transforms[key]

    def _find_needs(self) -> Needs:
        """Return what the output shows beside keys and values."""
        session = self._session
        stops_inside = session.left is not None and session.request.consumer is not None
        return EVERYTHING if session.looks_into_records or stops_inside else session.output.needs


def _time_of(run: "Run", offset: int) -> int:
    record = next(run.records(offset, offset + 1), None)
    return NO_TIMESTAMP if record is None else record.timestamp_ms


def _raise(error: Exception) -> NoReturn:
    raise error


def _deadline(limits: Limits) -> Deadline:
    """Return when also a call of a module is over."""
    return Deadline() if limits.ends is None else Deadline(limits.ends, limits.timeout_text)
