"""The stage: frames that are not stored yet go through a chain, on their way from an input.

What is made of them is the caller's choice (`Ends`): frames for a topic, text for stdout. A frame
has no offsets yet; modules see the number of the record in its partition of the input, from
0, and failures name it.

Invariants
- What is made is delivered in the order of the input, in the thread that puts.
- What came before a failure that ends the run is delivered first, also for other partitions,
  and nothing that came after it in the input.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from dataflare_cli import codec
from dataflare_cli.codec.frame import record_count_of
from dataflare_cli.codec.program import Needs
from dataflare_cli.codec.runs import Run
from dataflare_cli.codec.smart import Outputs, open_window, scan_records
from dataflare_cli.errors import RecordTooLarge
from dataflare_cli.log.keys import log_key
from dataflare_cli.model import REQUEST_BYTES_MAX, Codec, Record
from dataflare_cli.smartmodule.chain import Failure, Stored
from dataflare_cli.stream.failures import FailurePolicy, Place
from dataflare_cli.stream.pipeline import Pipeline, core_count
from dataflare_cli.stream.transform import ChainPlan, Transform

Made = TypeVar("Made")
# The partitions of records, in the order of the input.
Order = Callable[[], Sequence[int]]
Frames = Sequence[tuple[int, bytearray]]
# Where a frame of no log says that it lies.
_NOWHERE = 0
_COUNT_BYTES = 4


class _Job(NamedTuple):
    """Numbered frames and their partitions, and the input that they came from."""

    frames: Frames
    source: bytes
    order: Order


class _Done(NamedTuple, Generic[Made]):
    made: list[Made]
    failures: list[tuple[int, Run, list[Failure]]]
    # Of a job with a failure that ends the run: how many of its records came before.
    before: int = 0


class _Window(NamedTuple, Generic[Made]):
    """What a partition's records in [start, stop) became, so that it can be cut."""

    partition: int
    run: Run
    start: int
    stop: int
    raw: bytes
    made: list[Made]


class Ends(NamedTuple, Generic[Made]):
    """What is made of a partition's outputs, and where it goes, with the input that it is of.

    Where a failure ends the run, `cut` returns the bytes of an input that are its first `count`
    records, of `total`.
    """

    make: Callable[[int, Outputs], list[Made]]
    deliver: Callable[[list[Made], bytes], None]
    cut: Callable[[bytes, int, int], bytes] = lambda _source, _count, _total: b""


class Stage(Generic[Made]):
    """A chain between an input and whatever takes what it makes."""

    def __init__(
        self,
        plan: ChainPlan,
        policy: FailurePolicy,
        *,
        topic: str,
        partitions: int,
        needs: Needs,
        stored: Callable[[int], Stored] | None,
        ends: Ends[Made],
    ) -> None:
        """Start the first chain; `stored` gives what a partition has for look-backs.

        Raises:
            InvalidModule, InitFailed: a module can't be started.
        """
        self._plan, self._policy, self._topic = plan, policy, topic
        # Whether it has to be known in which order records of different partitions came.
        self.wants_order = partitions > 1 and not plan.goes_on
        self._needs = needs._replace(offsets=True) if self.wants_order else needs
        self._stored = stored
        self._ends = ends
        self._counts: dict[int, int] = {}
        self._transforms: dict[int, Transform] = {}
        self._thread = threading.local()
        self._pipeline: Pipeline[_Job, _Done[Made]] | None = None
        if plan.is_stateless:
            self._thread.transform = self._start(_NOWHERE)
            if core_count() > 1:
                self._pipeline = Pipeline(
                    self._work, self._deliver, plan.deadline.end, workers=core_count()
                )
        else:
            self._transforms[_NOWHERE] = self._start(_NOWHERE)

    @property
    def record_count(self) -> int:
        """Return how many records went in."""
        return sum(self._counts.values())

    def put(self, frames: Frames, source: bytes, order: Order) -> None:
        """Take on sealed frames; what they become is delivered now or later.

        `order` tells the partitions of their records as they came; it is asked if need be.

        Raises:
            ModuleFailed, …: what ends the run.
        """
        job = _Job([self._numbered(*each) for each in frames], source, order)
        if self._pipeline is not None:
            self._pipeline.put(job)
        else:
            self._deliver(job, self._work(job))

    def drain(self) -> None:
        """Deliver everything; raises as `put`."""
        if self._pipeline is not None:
            self._pipeline.drain()

    def close(self) -> None:
        """Give up what was not delivered, and end the threads."""
        if self._pipeline is not None:
            self._pipeline.close()

    def _numbered(self, partition: int, frame: bytearray) -> tuple[int, bytearray]:
        count = self._counts.get(partition, 0)
        codec.stamp(frame, base_offset=count, appended_ms=0)
        self._counts[partition] = count + record_count_of(frame)
        return partition, frame

    def _work(self, job: _Job) -> _Done[Made]:
        if self.wants_order and len({partition for partition, _ in job.frames}) > 1:
            return self._work_together(job)
        done: _Done[Made] = _Done([], [])
        first = None
        for partition, frame in job.frames:
            run = _run_of(frame)
            first = run.start_offset if first is None else first
            windows = self._transform(partition).windows(run, run.start_offset, run.next_offset)
            for outputs, _, failures, _ in windows:
                done.made.extend(self._ends.make(partition, outputs))
                if failures:
                    done.failures.append((partition, run, failures))
            if done.failures and not self._plan.goes_on:
                return done._replace(before=done.failures[0][2][0].offset - first)
        return done

    def _work_together(self, job: _Job) -> _Done[Made]:
        """Work on several partitions; what is made ends at the failure that came first."""
        windows: list[_Window[Made]] = []
        failures: dict[int, tuple[Run, list[Failure]]] = {}
        firsts: dict[int, int] = {}
        for partition, frame in job.frames:
            run = _run_of(frame)
            start = firsts.setdefault(partition, run.start_offset)
            if partition in failures:
                continue
            start = run.start_offset
            made_of = self._transform(partition).windows(run, start, run.next_offset)
            for outputs, stop, found, raw in made_of:
                made = self._ends.make(partition, outputs)
                windows.append(_Window(partition, run, start, stop, bytes(raw), made))
                start = stop
                if found:
                    failures[partition] = (run, found)
        if not failures:
            return _Done([each for window in windows for each in window.made], [])
        places = {
            partition: found[0].offset - firsts[partition]
            for partition, (_, found) in failures.items()
        }
        partition, count, counts = first_of(job.order(), places)
        ends = {each: firsts[each] + counts[each] for each in firsts}
        made = [each for window in windows for each in self._cut(window, ends[window.partition])]
        return _Done(made, [(partition, *failures[partition])], count)

    def _cut(self, window: _Window[Made], end: int) -> list[Made]:
        """Return what was made of a window's records before `end`."""
        if window.stop <= end:
            return window.made
        if window.start >= end:
            return []
        again = open_window(window.run, window.start, window.stop)
        kept = _COUNT_BYTES
        count = 0
        for record, behind in scan_records(window.raw, again.record_count):
            if again.base_offset + record.offset >= end:
                break
            kept, count = behind, count + 1
        raw = count.to_bytes(_COUNT_BYTES, "big") + window.raw[_COUNT_BYTES:kept]
        return self._ends.make(window.partition, again.attach(raw))

    def _deliver(self, job: _Job, done: _Done[Made]) -> None:
        is_over = bool(done.failures) and not self._plan.goes_on
        if is_over:
            self._ends.deliver(done.made, self._source_before_failure(job, done))
        for partition, run, failures in done.failures:

            def source(offset: int, run: Run = run) -> Record | None:
                return next(run.records(offset, offset + 1), None)

            self._policy.take(Place(self._topic, partition, is_input=True), failures, source)
        # Dead letters are stored before what comes after their records is acknowledged.
        self._ends.deliver(done.made, job.source)

    def _source_before_failure(self, job: _Job, done: _Done[Made]) -> bytes:
        """Return the input of the records before the first failure, if it can be told apart."""
        if not job.source:
            return b""
        total = sum(record_count_of(frame) for _, frame in job.frames)
        return self._ends.cut(job.source, done.before, total)

    def _transform(self, partition: int) -> Transform:
        """Return the chain of a partition, or of this thread if it remembers nothing."""
        if self._plan.is_stateless:
            transform: Transform | None = getattr(self._thread, "transform", None)
            if transform is None:
                transform = self._thread.transform = self._start(partition)
            return transform
        if partition not in self._transforms:
            self._transforms[partition] = self._start(partition)
        return self._transforms[partition]

    def _start(self, partition: int) -> Transform:
        stored = None if self._stored is None else self._stored(partition)
        return Transform(self._plan, self._plan.start(stored), self._needs)


def _run_of(frame: bytearray) -> Run:
    base_offset = codec.read_header(frame, codec.PREFIX_BYTES).base_offset
    return codec.load_run([log_key(_NOWHERE, base_offset), frame])


def first_of(order: Sequence[int], places: Mapping[int, int]) -> tuple[int, int, Counter[int]]:
    """Return whose record comes first, and how many come before it: of all, and of each.

    `places` has of some partitions the number of a record, from 0.
    """
    counts: Counter[int] = Counter()
    for number, partition in enumerate(order):
        if places.get(partition) == counts[partition]:
            return partition, number, counts
        counts[partition] += 1
    raise AssertionError("an order that lacks records")


def pack_frames(
    outputs: Outputs,
    *,
    compression: Codec,
    batch_bytes_max: int,
    record_bytes_max: int = REQUEST_BYTES_MAX,
) -> list[bytearray]:
    """Return outputs as sealed frames.

    Raises:
        RecordTooLarge: a module has made a record above the request limit.
    """
    frames, first = [], 0
    while first < outputs.record_count:
        packed = outputs.pack(first=first, batch_bytes_max=batch_bytes_max)
        # Only what has one record may be of any size.
        if packed.record_count == 1 and len(packed.frame) > record_bytes_max:
            _refuse_too_large(next(outputs.records(first)), record_bytes_max)
        first = packed.next_index
        frames.append(
            codec.seal(
                packed.frame,
                record_count=packed.record_count,
                base_timestamp_ms=packed.base_timestamp_ms,
                max_timestamp_ms=packed.max_timestamp_ms,
                codec=compression,
            )
        )
    return frames


def _refuse_too_large(record: Record, limit: int) -> None:
    size = len(record.key or b"") + len(record.value or b"")
    if size > limit:
        raise RecordTooLarge(size, limit, where="made by a SmartModule")
