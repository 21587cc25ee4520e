"""One run of `dataflare consume`: runs in, bytes out, offsets kept.

Two ways: a format that is a compiled template goes run by run through the codec's
kernel; a format that looks into records, a filter or an order goes record by record.

An offset is stored after its bytes were written, never before.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dataflare_cli.catalog import Catalog
from dataflare_cli.commands.context import Environment, Terminated
from dataflare_cli.consumers import Consumers
from dataflare_cli.log import Log
from dataflare_cli.model import Record, Topic
from dataflare_cli.stream.positions import Wanted, tracks_for
from dataflare_cli.stream.reader import Limits, Reader, Track
from dataflare_cli.text.formats import FormatOptions, Formatter, make_formatter
from dataflare_cli.text.time import parse_duration

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run
    from dataflare_cli.commands.consume import Request
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


class Session:
    """The tracks, how they are printed, and how far the consumer has come."""

    def __init__(
        self,
        env: Environment,
        request: "Request",
        store: "Store",
        topics: Sequence[Topic],
        wanted: Wanted,
    ) -> None:
        self.env, self.request, self.store = env, request, store
        self.topics, self.wanted = topics, wanted
        self.log, self.consumers = Log(store), Consumers(store)
        self.left = request.max_records
        self.formatters = {topic.topic_id: self._formatter(topic) for topic in topics}
        self.matches = _filter(request.grep)
        self.tracks: list[Track] = []
        self._committed: dict[tuple[Topic, int], int] = {}
        self._commit_due = time.monotonic() + COMMIT_INTERVAL_S

    def run(self) -> None:
        """Print until the end, a limit, or for ever."""
        with ExitStack() as stack:
            if self.request.consumer is not None:
                stack.enter_context(self.consumers.hold(self.request.consumer))
            for topic in self.topics:
                self.tracks += tracks_for(self.log, self.consumers, topic, self.wanted)
            self._say_start()
            reader = self._reader()
            self.tracks = reader.tracks
            try:
                self._print(reader)
            except (KeyboardInterrupt, Terminated):
                self.store.lock.cancel()
                raise
            finally:
                self._commit()
        if any(track.has_limit and track.is_done for track in self.tracks):
            self.env.detail("End-offset has been reached; exiting")

    def _print(self, reader: Reader) -> None:
        for formatter in self.formatters.values():
            self.env.write(formatter.header())
        if self.left != 0:
            if self.request.order == "time":
                self._print_merged(reader)
            else:
                reader.on_idle = self._commit_if_due
                for track, run in reader.runs():
                    self._print_run(track, run)
                    if self.left == 0:
                        break
                    self._commit_if_due()
        for formatter in self.formatters.values():
            self.env.write(formatter.footer())

    def _print_run(self, track: Track, run: "Run") -> None:
        program = self.formatters[track.topic.topic_id].program
        stop = min(track.end, run.next_offset)
        if program is None or self.matches is not None:
            self._print_records(track, run.records(track.offset, stop), stop)
            return
        while track.offset < stop and self.left != 0:
            rendered = run.render(
                program,
                partition=track.partition,
                start=track.offset,
                end=stop,
                record_count_max=self.left,
            )
            self.env.write(rendered.data)
            track.advance(rendered.next_offset)
            if self.left is not None:
                self.left -= rendered.record_count

    def _print_records(self, track: Track, records: Iterator[Record], stop: int) -> None:
        formatter = self.formatters[track.topic.topic_id]
        parts: list[bytes] = []
        size = 0
        for record in records:
            if self.matches is None or self.matches(record):
                parts.append(formatter.format(record, track.partition))
                size += len(parts[-1])
                if self.left is not None:
                    self.left -= 1
            if size >= FLUSH_BYTES or self.left == 0:
                self._flush(formatter, parts)
                size = 0
                track.advance(record.offset + 1)
                if self.left == 0:
                    return
        self._flush(formatter, parts)
        track.advance(stop)

    def _print_merged(self, reader: Reader) -> None:
        parts: list[bytes] = []
        seen: dict[Track, int] = {}

        def flush() -> None:
            for formatter in self.formatters.values():
                self._flush(formatter, parts)
            for track, offset in seen.items():
                track.seen = offset
            seen.clear()
            self._commit_if_due()

        reader.on_idle = flush
        size = 0
        for track, record in reader.merged():
            seen[track] = record.offset
            if self.matches is None or self.matches(record):
                formatter = self.formatters[track.topic.topic_id]
                parts.append(formatter.format(record, track.partition))
                size += len(parts[-1])
                if self.left is not None:
                    self.left -= 1
            if size >= FLUSH_BYTES or self.left == 0:
                flush()
                size = 0
                if self.left == 0:
                    return
        flush()

    def _flush(self, formatter: Formatter, parts: list[bytes]) -> None:
        self.env.write(b"".join(parts))
        parts.clear()
        for problem in formatter.take_problems():
            self.env.warn(problem)

    def _formatter(self, topic: Topic) -> Formatter:
        request = self.request
        table_format = None
        if request.table_format is not None:
            from dataflare_cli.text.tableformat import parse_table_format

            table_format = parse_table_format(
                Catalog(self.store).table_format(request.table_format), request.table_format
            )
        return make_formatter(
            FormatOptions(
                output=request.output.lower() if request.output else None,
                template=request.format,
                verbs=request.verbs,
                key_value=request.key_value,
                print0=request.print0,
                suppress_unknown=request.suppress_unknown,
                truncate=request.truncate,
                table_format=table_format,
                topic=topic.name,
                terminal=self.env.stdout_is_terminal,
                width=self.env.width,
            )
        )

    def _reader(self) -> Reader:
        request = self.request
        limits = Limits(
            idle_timeout_s=_seconds(request.idle_timeout), timeout_s=_seconds(request.timeout)
        )
        return Reader(
            self.log,
            self.tracks,
            follow=not request.disable_continuous,
            limits=limits,
            stdout=self.env.stdout_fd,
            on_evicted=self._say_evicted,
            grows=not request.partition,
        )

    def _commit_if_due(self) -> None:
        if time.monotonic() >= self._commit_due:
            self._commit()

    def _commit(self) -> None:
        """Store how far each track was written, if that is further than before."""
        consumer = self.request.consumer
        if consumer is None or self.request.no_commit:
            return
        seen = {
            (track.topic, track.partition): track.seen
            for track in self.tracks
            if track.seen is not None
            and self._committed.get((track.topic, track.partition)) != track.seen
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

    def _say_evicted(self, track: Track, available: int) -> None:
        self.env.warn(
            f"{track.topic.name}-{track.partition}: Offset {track.offset} is evicted. "
            f"The next available is {available}"
        )


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def _filter(texts: list[str] | None) -> Callable[[Record], bool] | None:
    if not texts:
        return None
    from dataflare_cli.text.grep import compile_filter

    return compile_filter(texts)
