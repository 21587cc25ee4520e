"""One run of `dataflare produce`: its inputs in turn, and what is said of them."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dataflare_cli.commands.chain_options import finish_policy, policy_of
from dataflare_cli.commands.context import Environment, Terminated
from dataflare_cli.commands.input_options import (
    STDIN,
    bad_lines,
    input_bytes,
    opened_input,
    take_input,
)
from dataflare_cli.commands.progress import Progress
from dataflare_cli.errors import (
    DataError,
    DataflareError,
    PartialFailure,
    UsageError,
)
from dataflare_cli.log import Log
from dataflare_cli.log.facade import now
from dataflare_cli.model import MIB, OFFSET_MAX, Topic
from dataflare_cli.stream.ingest import Ingest, IngestOptions
from dataflare_cli.stream.writer import AtomicWriter, Portion, TopicWriter

if TYPE_CHECKING:
    from dataflare_cli.commands.chain_options import Chosen
    from dataflare_cli.commands.produce import Request
    from dataflare_cli.smartmodule.chain import Stored
    from dataflare_cli.stream.failures import FailurePolicy
    from dataflare_cli.stream.remote import RemoteLog
    from dataflare_cli.stream.stage import Stage

SPANS_SHOWN = 4


class Session:
    """The writer, the inputs, what went wrong, and what is said at the end."""

    def __init__(
        self,
        env: Environment,
        request: "Request",
        log: "Log | RemoteLog",
        topic: Topic,
        options: IngestOptions,
        *,
        chosen: "Chosen | None" = None,
    ) -> None:
        self.env, self.request, self.log, self.options = env, request, log, options
        self.started = time.monotonic()
        self.writer: TopicWriter = (
            AtomicWriter(log, topic)
            if request.atomic
            else TopicWriter(log, topic, after_commit=self._after_commit)
        )
        self.policy: FailurePolicy | None = None
        self.stage = None if chosen is None else self._make_stage(chosen)
        self.ingest = Ingest(self.writer, options, on_bad=bad_lines(env), stage=self.stage)
        self.progress = Progress(env, sum(input_bytes(path) for path in request.file or ()))

    def run(self) -> None:
        """Read every input to its end; everything is stored when it returns."""
        request = self.request
        asks = not request.file and self.env.stdin_is_terminal
        if asks and request.atomic:
            raise UsageError("--atomic needs a file or a pipe: nothing typed could be acknowledged")
        if asks and not request.raw and request.input == "lines":
            self._prompt()
            return
        for path in request.file or [STDIN]:
            with opened_input(self.env, path) as handle:
                name = "stdin" if path == STDIN else str(path)
                take_input(self.ingest, request, self.options.text, handle, name)
        if isinstance(self.writer, AtomicWriter):
            if self.ingest.bad_count:
                raise DataError(
                    f"{self.ingest.bad_count} records are bad; nothing was stored (--atomic)",
                    hint="correct the input and run it again",
                )
            self.writer.commit_all()
        self.writer.drain()

    def _make_stage(self, chosen: "Chosen") -> "Stage[tuple[int, bytearray]]":
        """Put SmartModules before the writer."""
        from dataflare_cli.codec.program import Needs
        from dataflare_cli.stream.stage import Ends, Stage, pack_frames

        topic, options = self.writer.topic, self.options
        local = self.log if isinstance(self.log, Log) else None
        self.policy = policy_of(self.env, chosen, local, {topic.name})
        return Stage(
            chosen.plan,
            self.policy,
            topic=topic.name,
            partitions=1 if options.text.partition is not None else len(topic.partition_ids),
            needs=Needs(times_and_headers=True),
            stored=None if local is None else partial(_stored, local, topic),
            ends=Ends(
                make=lambda partition, outputs: [
                    (partition, frame)
                    for frame in pack_frames(
                        outputs,
                        compression=options.compression,
                        batch_bytes_max=options.text.batch_bytes_max,
                        record_bytes_max=options.text.record_bytes_max,
                    )
                ],
                deliver=lambda frames, source: self.writer.put(Portion(frames, source)),
                cut=self._first_lines,
            ),
        )

    def _first_lines(self, source: bytes, count: int, total: int) -> bytes:
        """Return the first lines of an input, if each of them is a record."""
        delimiter = self.options.text.delimiter
        lines = source.removesuffix(delimiter).split(delimiter)
        is_lines = self.request.input == "lines" and not self.request.raw
        if not is_lines or len(lines) != total:
            return b""
        return b"".join(line + delimiter for line in lines[:count])

    def _prompt(self) -> None:
        """Fluvio's prompt: one record a line, each acknowledged."""
        done = b"\x1b[32mOk!\x1b[0m\n" if self.env.colour else b"Ok!\n"
        while True:
            sys.stderr.write("> ")
            sys.stderr.flush()
            line = os.read(self.env.stdin_fd, MIB)
            if not line:
                self.env.write(done)
                return
            bad = self.ingest.bad_count
            self.ingest.lines(line, "stdin")
            self.writer.drain()
            if self.ingest.bad_count == bad:
                self.env.write(done)

    @contextmanager
    def ended_well(self) -> Iterator[None]:
        """Whatever ends the run: commit what can be, and say how much was."""
        try:
            yield
            self.progress.clear()
        except (KeyboardInterrupt, Terminated):
            self.writer.interrupt()
            self.env.leave_line()
            self._say_stored("interrupted: ")
            raise
        except BaseException:
            # What was read before the trouble is good, and is stored.
            self.writer.close()
            self.progress.clear()
            if self.writer.record_count:
                self._say_stored("")
            raise
        finally:
            if self.stage is not None:
                self.stage.close()
        self.writer.close()

    def finish(self) -> None:
        """Report, tidy the store, and end with 5 if some input was bad."""
        if self.request.report:
            self.env.warn(json.dumps(self._report(), ensure_ascii=False))
        if self.writer.duplicate_count:
            self.env.detail(f"{self.writer.duplicate_count} of them were there already (dedup)")
        # What has expired elsewhere is the next producer's business, if not ours.
        try:
            self.log.tidy()
        except DataflareError as exc:
            self.env.detail(f"other topics were not trimmed: {exc}")
        ingest, bad = self.ingest, None
        if ingest.bad_count:
            bad = PartialFailure(
                f"{ingest.bad_count} of {ingest.line_count} records were not stored",
                failed=ingest.bad_count,
                total=ingest.line_count,
                hint=f"{self.writer.record_count} were",
            )
        record_count = 0 if self.stage is None else self.stage.record_count
        finish_policy(self.env, self.policy, record_count, bad)

    def _after_commit(self, portion: Portion) -> None:
        self.progress.show(self.ingest.bytes_read, self.writer.record_count)
        if self.request.tee:
            self.env.write(portion.source)
        elif self.request.verbose and portion.source:
            text = self.options.text
            separator = text.key_separator
            if separator:
                lines = portion.source.removesuffix(text.delimiter).split(text.delimiter)
                pairs = (line.split(separator, 1) for line in lines if separator in line)
                self.env.write(b"".join(b"[%b] %b\n" % (key, value) for key, value in pairs))

    def _say_stored(self, before: str) -> None:
        totals = sorted(self.writer.totals.items())
        spans = ", ".join(
            f"partition {partition}: {span.first_offset} to {span.last_offset}"
            for partition, span in totals[:SPANS_SHOWN]
        )
        more = ", …" if len(totals) > SPANS_SHOWN else ""
        where = f" ({spans}{more})" if spans else ""
        count = self.writer.record_count
        records = "1 record is" if count == 1 else f"{count} records are"
        self.env.warn(f"{before}{records} stored{where}")

    def _report(self) -> dict[str, object]:
        writer = self.writer
        return {
            "topic": writer.topic.name,
            "records": writer.record_count,
            "failed": self.ingest.bad_count + (0 if self.policy is None else self.policy.count),
            "duplicates": writer.duplicate_count,
            "bytes_read": self.ingest.bytes_read,
            "bytes_stored": writer.stored_bytes,
            "commits": writer.commit_count,
            "seconds": round(time.monotonic() - self.started, 6),
            "partitions": [
                {
                    "partition": partition,
                    "first_offset": span.first_offset,
                    "last_offset": span.last_offset,
                    "records": span.record_count,
                }
                for partition, span in sorted(writer.totals.items())
            ],
        }


def _stored(log: Log, topic: Topic, partition: int) -> "Stored":
    """Return what look-backs are fed: what a partition has now."""
    from dataflare_cli.stream.lookback import stored_windows

    return lambda lookback: stored_windows(
        log, topic, partition, OFFSET_MAX, lookback, now_ms=now()
    )
