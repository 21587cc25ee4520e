"""One run of `dataflare consume`: runs in, bytes out, offsets kept.

Two ways: a format that is a compiled template goes run by run through the codec's
kernel; a format that looks into records, a filter or an order goes record by record.

An offset is stored after its bytes were written, never before.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from dataflare_cli.catalog import Catalog
from dataflare_cli.commands.context import Environment, Terminated
from dataflare_cli.consumers import Consumers
from dataflare_cli.errors import DataflareError, SmartModuleError
from dataflare_cli.log import Log
from dataflare_cli.log.facade import now
from dataflare_cli.model import Record, Topic
from dataflare_cli.stream.dedup import open_log
from dataflare_cli.stream.lookback import stored_windows
from dataflare_cli.stream.positions import Wanted, tracks_for
from dataflare_cli.stream.reader import Limits, Passed, Reader, Track
from dataflare_cli.text.formats import Formatter
from dataflare_cli.text.time import parse_duration

if TYPE_CHECKING:
    from dataflare_cli.codec.program import Program
    from dataflare_cli.codec.runs import Run
    from dataflare_cli.commands.chain_options import Chosen
    from dataflare_cli.commands.consume import Request
    from dataflare_cli.commands.consume_chain import ChainPrinter
    from dataflare_cli.smartmodule.chain import Stored
    from dataflare_cli.store import Store

# Fluvio's interval.
COMMIT_INTERVAL_S = 2.0
FLUSH_BYTES = 256 * 1024
_STARTS = {
    "start": " starting from the beginning of log",
    "relative-start": " starting {} from the beginning of log",
    "offset": " starting at offset {}",
    "relative-end": " starting {} from the end of log",
    "time": " starting at a time",
    "end": ", new ones only: waiting for records",
}


Filters = dict[int, Callable[[Record], bool] | None]


class Showing(Protocol):
    """What printing records one by one has to do with."""

    env: Environment
    left: int | None  # of --max-records
    formatters: dict[int, Formatter]
    filters: Filters

    @property
    def keeps_together(self) -> bool:
        """Whether all that became of a record is printed, also past the limit."""
        ...

    def say_problems(self) -> None:
        """Tell which records could not be shown."""
        ...


class Session:
    """The tracks, how they are printed, and how far the consumer has come."""

    def __init__(
        self,
        env: Environment,
        request: "Request",
        store: "Store",
        topics: Sequence[Topic],
        wanted: Wanted,
        *,
        output: Formatter,
        chosen: "Chosen | None" = None,
    ) -> None:
        self.env, self.request, self.store = env, request, store
        self.topics, self.wanted = topics, wanted
        self.log, self.consumers = Log(store), Consumers(store)
        self.left = request.max_records
        self.limits = Limits(
            idle_timeout_s=seconds_of(request.idle_timeout), timeout_s=seconds_of(request.timeout)
        )
        env.deadline = self.limits.ends
        # One output: they share its header, its footer and, in a table, its columns.
        self.output = output
        self.formatters = {each.topic_id: self.output.for_topic(each.name) for each in topics}
        self.filters: Filters = {each.topic_id: _filter(request.grep, each.name) for each in topics}
        self.looks_into_records = bool(request.grep) or request.order == "time"
        self.chain = None if chosen is None else _chain_of(self, chosen)
        self.tracks: list[Track] = []
        self._committed: dict[int, int] = {}
        self._moves_consumer = request.consumer is not None and not request.no_commit
        self._commit_due = time.monotonic() + COMMIT_INTERVAL_S

    def run(self) -> None:
        """Print until the end, a limit, or for ever."""
        with ExitStack() as stack:
            if self._moves_consumer:
                assert self.request.consumer is not None
                stack.enter_context(self.consumers.hold(self.request.consumer))
            for topic in self.topics:
                self.tracks += tracks_for(self.log, self.consumers, topic, self.wanted)
            self._say_start()
            reader = self._reader()
            self.tracks = reader.tracks
            self._remember_starts()
            if self.chain is not None:
                stack.callback(self.chain.close)
            try:
                self._print(reader)
            except BaseException as exc:
                if isinstance(exc, (KeyboardInterrupt, Terminated)):
                    self.store.lock.cancel()
                # What ended the run is what to tell; what was not stored is seen again.
                with suppress(DataflareError):
                    self._commit()
                raise
            self._commit()
        if any(track.has_limit and track.is_done for track in self.tracks):
            self.env.detail("End-offset has been reached; exiting")
        if self.chain is not None:
            self.chain.finish()

    def _print(self, reader: Reader) -> None:
        if self.chain is not None:
            self.chain.begin(reader.tracks)
        self.env.write(self.output.header())
        if self.left != 0:
            if self.request.order == "time":
                self._print_merged(reader)
            else:
                reader.on_idle = self._rest
                for track, run in reader.runs():
                    self._print_run(track, run)
                    if self.left == 0:
                        break
                    self._commit_if_due()
                if self.chain is not None:
                    self.chain.drain()
        self.env.write(self.output.footer())
        self.say_problems()

    def _rest(self) -> None:
        """Everything there was is written; more may take a while."""
        if self.chain is not None:
            self.chain.drain()
        self.env.write(self.output.refresh())
        self.say_problems()
        self._commit_if_due()

    def _print_run(self, track: Track, run: "Run") -> None:
        if self.chain is not None:
            self.chain.print_run(track, run)
            return
        program = self.formatters[track.topic.topic_id].program
        stop = min(track.end, run.next_offset)
        if program is None or self.request.grep:
            ended = self.print_records(track, run.records(track.offset, stop))
            track.advance(stop if ended is None else ended + 1)
            return
        self.left = render_run(self.env, track, run, program, self.left)

    def print_records(self, track: Track, records: Iterator[Record]) -> int | None:
        """Print records; return the offset of the last one if the limit was reached with it."""
        return print_records(self, track, records)

    @property
    def keeps_together(self) -> bool:
        """Whether all that became of a record is printed: a consumer can't go on inside of it."""
        return self.chain is not None and self._moves_consumer

    def _print_merged(self, reader: Reader) -> None:
        pending = _Pending(self)

        def rest() -> None:
            pending.flush()
            self._rest()

        reader.on_idle = rest
        if self.chain is not None:
            reader.expand = self.chain.records
        last: tuple[Track, int] | None = None
        try:
            for track, item in reader.merged():
                if last is not None:
                    if track is not last[0]:
                        continue
                    if isinstance(item, Passed) or item.offset != last[1]:
                        break
                if pending.take(track, item):
                    pending.flush()
                    self._commit_if_due()
                if self.left == 0:
                    last = track, item.offset
                    if not self.keeps_together:
                        break
        except SmartModuleError:
            # What came before the record that it failed at is good.
            pending.flush()
            raise
        pending.flush()

    def dead_letter_log(self) -> Log:
        """Return this log, to be appended to."""
        return open_log(self.store)

    def stored(self, track: Track) -> "Stored":
        """Return what is stored before a track's offset."""
        before = track.offset
        return lambda lookback: stored_windows(
            self.log, track.topic, track.partition, before, lookback, now_ms=now()
        )

    def say_problems(self) -> None:
        """Tell which records could not be shown."""
        for formatter in self.formatters.values():
            for problem in formatter.take_problems():
                self.env.warn(problem)

    def _reader(self) -> Reader:
        request = self.request
        reader = Reader(
            self.log,
            self.tracks,
            follow=not request.disable_continuous,
            limits=self.limits,
            stdout=self.env.stdout_fd,
            on_evicted=partial(say_evicted, self.env),
            grows=not request.partition,
        )
        if request.regex is not None:
            reader.discover = self._new_topics
        return reader

    def _new_topics(self, known: AbstractSet[int]) -> list[Track]:
        """Return tracks of matching topics that were made since: from their beginning."""
        pattern = re.compile(self.request.regex or "")
        tracks = []
        for topic in Catalog(self.store).topics():
            if topic.topic_id in known or not pattern.fullmatch(topic.name):
                continue
            self.formatters[topic.topic_id] = self.output.for_topic(topic.name)
            self.filters[topic.topic_id] = _filter(self.request.grep, topic.name)
            wanted = self.wanted.partitions or range(len(topic.partition_ids))
            tracks += [Track(topic, each, 0) for each in wanted if each < len(topic.partition_ids)]
        return tracks

    def _remember_starts(self) -> None:
        """Store where a new consumer begins: the next run goes on there, seen or not.

        Else one that waited in vain would begin at the end again, past what came meanwhile.
        """
        consumer = self.request.consumer
        if consumer is None or not self._moves_consumer:
            return
        starts = {track.partition_id: track.offset - 1 for track in self.tracks if track.is_new}
        if starts:
            self.consumers.commit(consumer, starts)

    def _commit_if_due(self) -> None:
        if time.monotonic() >= self._commit_due:
            self._commit()

    def _commit(self) -> None:
        """Store how far each track was written, if that is further than before."""
        consumer = self.request.consumer
        if consumer is None or not self._moves_consumer:
            return
        seen = {
            track.partition_id: track.seen
            for track in self.tracks
            if track.seen is not None and self._committed.get(track.partition_id) != track.seen
        }
        if seen:
            self.consumers.commit(consumer, seen)
            self._committed.update(seen)
        self._commit_due = time.monotonic() + COMMIT_INTERVAL_S

    def _say_start(self) -> None:
        if not self.env.stdout_is_terminal:
            return
        position = self.wanted.spec.start
        names = ", ".join(f"'{topic.name}'" for topic in self.topics)
        until = "" if self.request.end is None else f" until offset {self.request.end} (inclusive)"
        where = _STARTS.get(position.kind, "").format(position.value)
        if position.kind == "end" and self.request.disable_continuous:
            where = " starting from the end of log (-B begins at the beginning)"
        self.env.say(f"Consuming records from {names}{where}{until}")


def print_records(session: Showing, track: Track, records: Iterator[Record]) -> int | None:
    """Print records; return the offset of the last one if the limit was reached with it."""
    pending = _Pending(session)
    last: int | None = None
    for record in records:
        if last not in (None, record.offset):
            break
        if pending.take(track, record):
            pending.flush()
        if session.left == 0:
            last = record.offset
            if not session.keeps_together:
                break
    pending.flush()
    return last


def render_run(
    env: Environment, track: Track, run: "Run", program: "Program", left: int | None
) -> int | None:
    """Print a run as far as its track goes, at most `left` records; return what is left then."""
    stop = min(track.end, run.next_offset)
    while track.offset < stop and left != 0:
        rendered = run.render(
            program,
            partition=track.partition,
            start=track.offset,
            end=stop,
            record_count_max=left,
        )
        env.write(rendered.data)
        track.advance(rendered.next_offset)
        if left is not None:
            left -= rendered.record_count
    return left


def say_evicted(env: Environment, track: Track, available: int) -> None:
    """Tell that records are not there any more, and where reading goes on."""
    env.warn(
        f"{track.topic.name}-{track.partition}: Offset {track.offset} is evicted. "
        f"The next available is {available}"
    )


class _Pending:
    """Formatted records that are not written yet, and how far each track is once they are."""

    def __init__(self, session: Showing) -> None:
        self._session = session
        self._parts: list[bytes] = []
        self._size = 0
        self._seen: dict[Track, int] = {}

    def take(self, track: Track, record: Record | Passed) -> bool:
        """Format a record, if it is wanted; tell whether it is time to write."""
        session, topic_id = self._session, track.topic.topic_id
        if isinstance(record, Passed):
            record.act()
            self._seen[track] = record.offset
            return False
        self._seen[track] = record.offset
        matches = session.filters[topic_id]
        if matches is None or matches(record):
            self._parts.append(session.formatters[topic_id].format(record, track.partition))
            self._size += len(self._parts[-1])
            if session.left:
                session.left -= 1
        return self._size >= FLUSH_BYTES or session.left == 0

    def flush(self) -> None:
        """Write everything; the tracks have then seen it."""
        self._session.env.write(b"".join(self._parts))
        self._session.say_problems()
        self._parts.clear()
        self._size = 0
        for track, offset in self._seen.items():
            track.seen = offset
        self._seen.clear()


def seconds_of(text: str | None) -> float | None:
    """Return how long a duration is; None if none was given."""
    return None if text is None else parse_duration(text)


def _filter(texts: list[str] | None, topic: str) -> Callable[[Record], bool] | None:
    if not texts:
        return None
    from dataflare_cli.text.grep import compile_filter

    return compile_filter(texts, topic)


def _chain_of(session: Session, chosen: "Chosen") -> "ChainPrinter":
    from dataflare_cli.commands.consume_chain import ChainPrinter

    return ChainPrinter(session, chosen)
